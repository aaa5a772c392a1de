"""Coinbase Exchange's rows and frames: pure functions from the market's values to its JSON.

What belongs here: the shape of every row and message. What does not: who gets them (`feed`) and paging
(`rest`). Prices and sizes are text, ids numbers, times RFC 3339 with microseconds; `side` is the maker's.
"""

from __future__ import annotations

import json
import time
from typing import Any

from streaming.simulator.events import Fill
from streaming.simulator.instruments import Instrument
from streaming.simulator.market import Ticker

SEQUENCE_BASE = 37_000_000_000
MAKER_ORDER = "ac928c66-ca53-498f-9c13-a110027a60e8"
TAKER_ORDER = "132fb6ae-456b-4654-b4e0-d681ac05cea1"

Row = dict[str, Any]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def rfc3339(time_us: int, digits: int = 6) -> str:
    """A time in microseconds since 1970, as UTC text with that many decimals."""
    seconds, fraction = divmod(time_us, 1_000_000)
    decimals = f"{fraction:06d}"[:digits]
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{decimals}Z"


def maker_side(fill: Fill) -> str:
    """The side of the order that was resting: the opposite of the taker's."""
    return "buy" if fill.sell else "sell"


def history_row(instrument: Instrument, fill: Fill) -> Row:
    """A trade in REST."""
    return {
        "trade_id": fill.trade_id,
        "side": maker_side(fill),
        "size": instrument.size_text(fill.size),
        "price": instrument.price_text(fill.price),
        "time": rfc3339(fill.time_ms * 1000),
    }


def match(instrument: Instrument, fill: Fill, kind: str = "match") -> Row:
    """A push of `matches`."""
    return {
        "type": kind,
        "trade_id": fill.trade_id,
        "maker_order_id": MAKER_ORDER,
        "taker_order_id": TAKER_ORDER,
        "side": maker_side(fill),
        "size": instrument.size_text(fill.size),
        "price": instrument.price_text(fill.price),
        "product_id": instrument.pair,
        "sequence": SEQUENCE_BASE + 7 * fill.trade_id,
        "time": rfc3339(fill.time_ms * 1000),
    }


def ticker(state: Ticker) -> Row:
    """A push of `ticker`, which follows a match."""
    instrument, day, quote, last = state.instrument, state.day, state.quote, state.last
    price, size = instrument.price_text, instrument.size_text
    return {
        "type": "ticker",
        "sequence": SEQUENCE_BASE + 7 * last.trade_id,
        "product_id": instrument.pair,
        "price": price(last.price),
        "open_24h": price(day.open),
        "volume_24h": size(day.volume),
        "low_24h": price(day.low),
        "high_24h": price(day.high),
        "volume_30d": size(day.volume),
        "best_bid": price(quote.bid) if quote else "0",
        "best_bid_size": size(quote.bid_size) if quote else "0",
        "best_ask": price(quote.ask) if quote else "0",
        "best_ask_size": size(quote.ask_size) if quote else "0",
        "side": "sell" if last.sell else "buy",
        "time": rfc3339(last.time_ms * 1000),
        "trade_id": last.trade_id,
        "last_size": size(last.size),
    }


def heartbeat(pair: str, last_id: int, now_us: int) -> Row:
    """A push of `heartbeat`; without trades the id is 0."""
    return {
        "type": "heartbeat",
        "sequence": SEQUENCE_BASE + 7 * last_id,
        "last_trade_id": last_id,
        "product_id": pair,
        "time": rfc3339(now_us),
    }


def product_row(instrument: Instrument) -> Row:
    """A product of the list."""
    return {
        "id": instrument.pair,
        "base_currency": instrument.base_currency,
        "quote_currency": instrument.quote_currency,
        "quote_increment": instrument.tick_size,
        "base_increment": instrument.lot_size,
        "display_name": instrument.pair,
        "min_market_funds": "1",
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": "online",
        "status_message": "",
        "trading_disabled": False,
        "fx_stablecoin": False,
        "auction_mode": False,
    }


def malformed_texts(instrument: Instrument, fill: Fill) -> dict[str, str]:
    """Messages that break the protocol of `matches`, by a name that says how."""
    row = match(instrument, fill)
    good = compact(row)
    return {
        "not_json": "this is not JSON",
        "truncated": good[: len(good) // 2],
        "array": compact([row]),
        "empty_object": "{}",
        "missing_field": compact({key: value for key, value in row.items() if key != "price"}),
        "price_text": compact(row | {"price": "cheap"}),
        "price_empty": compact(row | {"price": ""}),
        "price_negative": compact(row | {"price": "-" + row["price"]}),
        "size_nan": compact(row | {"size": "NaN"}),
        "side_unknown": compact(row | {"side": "hold"}),
        "time_seconds": compact(row | {"time": str(fill.time_ms // 1000)}),
        "id_text": compact(row | {"trade_id": str(fill.trade_id)}),
        "unknown_event": compact({"type": "surprise"}),
        "unknown_channel": compact(row | {"product_id": "WEATHER-USD"}),
    }
