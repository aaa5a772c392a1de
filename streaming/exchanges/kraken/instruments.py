"""Kraken's instruments: names of spot markets and which of them trade.

What belongs here: pair ↔ symbol and the instruments list. What does not: futures, a separate exchange.

WebSocket v2 writes `BTC/USD`; REST still writes `XBTUSD` and lists `XBT/USD`, and Dogecoin as XDG.
Source: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.venue import Instrument

TRADING_STATES: Final = frozenset({"online", "limit_only", "reduce_only"})
_OLD_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
_NEW_NAMES: Final = {old: new for new, old in _OLD_NAMES.items()}


class AssetPair(msgspec.Struct):
    """One market of the list; many more fields exist."""

    wsname: str = ""
    status: str = ""


def symbol_of(pair: str) -> str:
    """The WebSocket's name of a pair: BTC-USD is BTC/USD."""
    return pair.replace("-", "/")


def pair_of(symbol: str) -> str:
    """The pair of a WebSocket symbol."""
    return symbol.replace("/", "-")


def rest_symbol_of(pair: str) -> str:
    """The REST interface's name of a pair: BTC-USD is XBTUSD."""
    return "".join(_OLD_NAMES.get(currency, currency) for currency in pair.split("-"))


def instrument(row: AssetPair) -> Instrument:
    """One market; orders are matched in the states above (others: cancel_only, post_only)."""
    pair = "-".join(_NEW_NAMES.get(currency, currency) for currency in row.wsname.split("/"))
    return Instrument(pair, row.status in TRADING_STATES, row.status)
