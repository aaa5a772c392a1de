"""Coinbase Exchange's products: names of spot markets and which of them trade.

What belongs here: pair ↔ product and the list. What does not: Coinbase Advanced, which lists more.

A product's name is already BASE-QUOTE, so it is the pair. Mind the quote currency: most products are quoted
in USD, and BTC-USD is another market than BTC-USDT.

Source: rest-api > Products > Get all known trading pairs.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.venue import Instrument

LIVE: Final = "online"


class ProductRow(msgspec.Struct):
    """One product of the list."""

    id: str
    status: str
    trading_disabled: bool = False


def instrument(row: ProductRow) -> Instrument:
    """One market: online, and trading not switched off."""
    state = "trading_disabled" if row.trading_disabled and row.status == LIVE else row.status
    return Instrument(row.id, state == LIVE, state)
