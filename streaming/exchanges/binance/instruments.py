"""Binance's instruments: names of spot markets and which of them trade.

What belongs here: pair ↔ symbol ↔ stream, and the instruments list. What does not: reading a symbol back into
currencies; BTCUSDT has no mark between them, so a symbol is only known through a pair or the list.

Source: rest-api.md, Exchange information; enums.md, Symbol status.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.venue import Instrument

LIVE: Final = "TRADING"


class SymbolRow(msgspec.Struct, rename="camel"):
    """One market of the list."""

    status: str
    base_asset: str
    quote_asset: str


class ExchangeInformation(msgspec.Struct):
    """The answer with the list."""

    symbols: list[SymbolRow]


def symbol_of(pair: str) -> str:
    """Binance's name of a pair: BTC-USDT is BTCUSDT."""
    return pair.replace("-", "")


def stream_of(channel: str, pair: str) -> str:
    """The stream of a pair; symbols in streams are lower case."""
    return f"{symbol_of(pair).lower()}@{channel}"


def instrument(row: SymbolRow) -> Instrument:
    """One market; only the status TRADING trades (others: HALT, BREAK, END_OF_DAY)."""
    return Instrument(f"{row.base_asset}-{row.quote_asset}", row.status == LIVE, row.status)
