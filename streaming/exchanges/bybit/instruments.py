"""Bybit's instruments: names of spot markets and which of them trade.

What belongs here: pair → symbol and the instruments list. What does not: the way back, because BTCUSDT does
not say where one currency ends: a session knows its own symbols.

Source: https://bybit-exchange.github.io/docs/v5/market/instrument.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.venue import Instrument

LIVE: Final = "Trading"


class InstrumentRow(msgspec.Struct, rename="camel"):
    """One row of the list; many more fields exist."""

    base_coin: str
    quote_coin: str
    status: str


def symbol_of(pair: str) -> str:
    """Bybit's name of a spot pair: BTC-USDT is BTCUSDT."""
    return pair.replace("-", "")


def instrument(row: InstrumentRow) -> Instrument:
    """One market."""
    return Instrument(f"{row.base_coin}-{row.quote_coin}", row.status == LIVE, row.status)
