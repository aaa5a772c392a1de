"""Bybit's rows and frames: pure functions from the market's values to its JSON.

What belongs here: the shape of every row and message. What does not: who gets them (`channels`) and requests
(`rest`). Prices and sizes are text; times are numbers on the WebSocket and text in REST.

Source: https://bybit-exchange.github.io/docs/v5/websocket/public/ and market/.
"""

from __future__ import annotations

import json
from typing import Any

from streaming.simulator.events import Fill, Quote
from streaming.simulator.instruments import Instrument, decimal_text
from streaming.simulator.market import Ticker

EXECUTION_BASE = 2_290_000_000_000_000_000
SEQUENCE_BASE = 80_000_000_000

Row = dict[str, Any]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def symbol(pair: str) -> str:
    """Bybit's name of a pair."""
    return pair.replace("-", "")


def execution_id(trade_id: int) -> str:
    """Ids that grow by 3 to 11: as Bybit's, they have holes."""
    return str(EXECUTION_BASE + 7 * trade_id + trade_id * trade_id % 5)


def _side(fill: Fill) -> str:
    return "Sell" if fill.sell else "Buy"


def trade_row(instrument: Instrument, fill: Fill) -> Row:
    """A row of `publicTrade`."""
    return {
        "i": execution_id(fill.trade_id),
        "T": fill.time_ms,
        "p": instrument.price_text(fill.price),
        "v": instrument.size_text(fill.size),
        "S": _side(fill),
        "s": symbol(instrument.pair),
        "BT": False,
        "RPI": False,
        "seq": SEQUENCE_BASE + fill.trade_id // 2,
    }


def history_row(instrument: Instrument, fill: Fill) -> Row:
    """A trade in REST."""
    return {
        "execId": execution_id(fill.trade_id),
        "symbol": symbol(instrument.pair),
        "price": instrument.price_text(fill.price),
        "size": instrument.size_text(fill.size),
        "side": _side(fill),
        "time": str(fill.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(SEQUENCE_BASE + fill.trade_id // 2),
    }


def ticker_row(ticker: Ticker) -> Row:
    """The data of `tickers`: on spot without quotes."""
    instrument, day = ticker.instrument, ticker.day
    price = instrument.price_text
    return {
        "symbol": symbol(instrument.pair),
        "lastPrice": price(ticker.last.price),
        "highPrice24h": price(day.high),
        "lowPrice24h": price(day.low),
        "prevPrice24h": price(day.open),
        "volume24h": instrument.size_text(day.volume),
        "turnover24h": decimal_text(day.quote_volume, instrument.quote_decimals),
        "price24hPcnt": decimal_text((ticker.last.price - day.open) * 10_000 // day.open, 4),
        "usdIndexPrice": "",
    }


def book_row(instrument: Instrument, quote: Quote, update_id: int) -> Row:
    """The data of `orderbook.1`."""
    price, size = instrument.price_text, instrument.size_text
    return {
        "s": symbol(instrument.pair),
        "b": [[price(quote.bid), size(quote.bid_size)]],
        "a": [[price(quote.ask), size(quote.ask_size)]],
        "u": update_id,
        "seq": SEQUENCE_BASE + update_id,
    }


def push(topic: str, now_ms: int, data: object) -> str:
    """A push of data; on spot all of ours are snapshots."""
    return compact({"topic": topic, "ts": now_ms, "type": "snapshot", "data": data})


def answer(connection_id: str, request_id: object, operation: str, *, success: bool, message: str) -> str:
    """The one answer to a request."""
    body = {"success": success, "ret_msg": message, "conn_id": connection_id}
    return compact(body | {"req_id": request_id if isinstance(request_id, str) else "", "op": operation})


def instrument_row(instrument: Instrument) -> Row:
    """A market in REST."""
    return {
        "symbol": symbol(instrument.pair),
        "baseCoin": instrument.base_currency,
        "quoteCoin": instrument.quote_currency,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "lotSizeFilter": {"basePrecision": instrument.lot_size, "minOrderQty": instrument.lot_size},
        "priceFilter": {"tickSize": instrument.tick_size},
    }


def malformed_texts(instrument: Instrument, fill: Fill) -> dict[str, str]:
    """Messages that break the protocol of `publicTrade`, by a name that says how."""
    row = trade_row(instrument, fill)
    topic = f"publicTrade.{row['s']}"

    def changed(**fields: object) -> str:
        return push(topic, fill.time_ms, [row | fields])

    good = changed()
    return {
        "not_json": "this is not JSON",
        "truncated": good[: len(good) // 2],
        "empty_object": "{}",
        "null_data": push(topic, fill.time_ms, None),
        "missing_field": push(topic, fill.time_ms, [{k: v for k, v in row.items() if k != "p"}]),
        "price_text": changed(p="cheap"),
        "price_negative": changed(p="-1"),
        "size_nan": changed(v="NaN"),
        "side_unknown": changed(S="Hold"),
        "time_seconds": changed(T=fill.time_ms // 1000),
        "id_uuid": changed(i="20f43950-d8dd-5b31-9112-a178eb6023af"),
        "symbol_other": changed(s="NOSUCH"),
    }
