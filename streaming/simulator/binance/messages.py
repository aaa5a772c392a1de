"""Binance's rows and frames: pure functions from the market's values to Binance's JSON.

What belongs here: the shape of every row and message. What does not: who gets them (`streams`) and paging
(`rest`). Prices and sizes are text with eight decimals; ids and times are numbers.
"""

from __future__ import annotations

import json
from typing import Any

from streaming.simulator.events import Fill
from streaming.simulator.instruments import Instrument
from streaming.simulator.market import Ticker

DECIMALS = 8
NOTHING = "0.00000000"
SHUTDOWN_STREAM = "!serverShutdown"

Row = dict[str, Any]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def fixed(units: int, decimals: int) -> str:
    """`units` of 10^-`decimals` with eight decimals, finer ones cut off: (837530, 1) is `83753.00000000`."""
    whole, rest = divmod(units * 10**DECIMALS // 10**decimals, 10**DECIMALS)
    return f"{whole}.{rest:0{DECIMALS}d}"


def symbol(pair: str) -> str:
    return pair.replace("-", "")


def stream(pair: str, channel: str) -> str:
    return f"{symbol(pair).lower()}@{channel}"


def push(name: str, data: object) -> str:
    """A push of the combined streams."""
    return compact({"stream": name, "data": data})


def trade(instrument: Instrument, fill: Fill, now_ms: int) -> Row:
    """A push of the trade stream. A seller who takes meets a buyer who made."""
    return {
        "e": "trade",
        "E": max(now_ms, fill.time_ms),
        "s": symbol(instrument.pair),
        "t": fill.trade_id,
        "p": fixed(fill.price, instrument.price_decimals),
        "q": fixed(fill.size, instrument.size_decimals),
        "T": fill.time_ms,
        "m": fill.sell,
        "M": True,
    }


def ticker(state: Ticker, now_ms: int) -> Row:
    """A push of the 24-hour ticker."""
    instrument, day, quote = state.instrument, state.day, state.quote
    price = instrument.price_decimals
    change = state.last.price - day.open
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": symbol(instrument.pair),
        "p": fixed(change, price) if change >= 0 else "-" + fixed(-change, price),
        "P": f"{change * 100 / day.open:.3f}",
        "w": fixed(day.quote_volume // day.volume, price),
        "x": fixed(day.open, price),
        "c": fixed(state.last.price, price),
        "Q": fixed(state.last.size, instrument.size_decimals),
        "b": fixed(quote.bid, price) if quote else NOTHING,
        "B": fixed(quote.bid_size, instrument.size_decimals) if quote else NOTHING,
        "a": fixed(quote.ask, price) if quote else NOTHING,
        "A": fixed(quote.ask_size, instrument.size_decimals) if quote else NOTHING,
        "o": fixed(day.open, price),
        "h": fixed(day.high, price),
        "l": fixed(day.low, price),
        "v": fixed(day.volume, instrument.size_decimals),
        "q": fixed(day.quote_volume, instrument.quote_decimals),
        "O": now_ms - 86_400_000,
        "C": now_ms,
        "F": state.last.trade_id - day.count + 1,
        "L": state.last.trade_id,
        "n": day.count,
    }


def history_row(instrument: Instrument, fill: Fill) -> Row:
    """A trade in REST."""
    return {
        "id": fill.trade_id,
        "price": fixed(fill.price, instrument.price_decimals),
        "qty": fixed(fill.size, instrument.size_decimals),
        "quoteQty": fixed(fill.price * fill.size, instrument.quote_decimals),
        "time": fill.time_ms,
        "isBuyerMaker": fill.sell,
        "isBestMatch": True,
    }


def symbol_row(instrument: Instrument) -> Row:
    """A market in the exchange information."""
    return {
        "symbol": symbol(instrument.pair),
        "status": "TRADING",
        "baseAsset": instrument.base_currency,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": instrument.quote_currency,
        "quoteAssetPrecision": DECIMALS,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": fixed(1, instrument.price_decimals)},
            {"filterType": "LOT_SIZE", "stepSize": fixed(1, instrument.size_decimals)},
        ],
        "permissions": [],
        "permissionSets": [],
    }


def malformed_texts(instrument: Instrument, fill: Fill) -> dict[str, str]:
    """Messages that break the protocol of the trade stream, by a name that says how."""
    name, row = stream(instrument.pair, "trade"), trade(instrument, fill, fill.time_ms)
    good = push(name, row)
    return {
        "not_json": "this is not JSON",
        "truncated": good[: len(good) // 2],
        "array": compact([row]),
        "null_data": push(name, None),
        "missing_field": push(name, {key: value for key, value in row.items() if key != "p"}),
        "price_text": push(name, row | {"p": "cheap"}),
        "price_negative": push(name, row | {"p": "-" + row["p"]}),
        "size_nan": push(name, row | {"q": "NaN"}),
        "side_unknown": push(name, row | {"m": "maybe"}),
        "time_seconds": push(name, row | {"T": fill.time_ms // 1000}),
        "id_text": push(name, row | {"t": str(fill.trade_id)}),
        "unknown_event": compact({"e": "surprise", "E": fill.time_ms}),
        "unknown_channel": push("weather@trade", row),
    }
