"""Kraken's rows and frames: pure functions from the market's values to its JSON.

What belongs here: the shape of every row and message. What does not: who gets them (`channels`) and paging
(`rest`). On the WebSocket prices and sizes are JSON numbers, so rows are written as text, digit by digit; in
REST they are text and the time is a number of seconds.

Source: https://docs.kraken.com/api/docs/websocket-v2/ and rest-api/.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from streaming.simulator.events import Fill
from streaming.simulator.instruments import Instrument, decimal_text
from streaming.simulator.market import Ticker

OLD_CURRENCIES = {"BTC": "XBT", "DOGE": "XDG"}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def symbol(pair: str) -> str:
    """The WebSocket's name of a pair."""
    return pair.replace("-", "/")


def rest_name(instrument: Instrument) -> str:
    """The REST interface's name of a pair."""
    currencies = (instrument.base_currency, instrument.quote_currency)
    return "".join(OLD_CURRENCIES.get(currency, currency) for currency in currencies)


def moment(time_us: int) -> str:
    """A time in microseconds since 1970 as RFC 3339 text."""
    seconds, fraction = divmod(time_us, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:06d}Z"


def trade_row(instrument: Instrument, fill: Fill) -> str:
    return (
        f'{{"symbol":"{symbol(instrument.pair)}","side":"{"sell" if fill.sell else "buy"}",'
        f'"price":{instrument.price_text(fill.price)},"qty":{instrument.size_text(fill.size)},'
        f'"ord_type":"{"limit" if fill.continues else "market"}","trade_id":{fill.trade_id},'
        f'"timestamp":"{moment(fill.time_ms * 1000)}"}}'
    )


def ticker_row(ticker: Ticker) -> str:
    instrument, quote, day = ticker.instrument, ticker.quote, ticker.day
    price, size = instrument.price_text, instrument.size_text
    change = ticker.last.price - day.open
    best = (
        f'"bid":{price(quote.bid)},"bid_qty":{size(quote.bid_size)},'
        f'"ask":{price(quote.ask)},"ask_qty":{size(quote.ask_size)},'
        if quote
        else ""
    )
    return (
        f'{{"symbol":"{symbol(instrument.pair)}",{best}"last":{price(ticker.last.price)},'
        f'"volume":{size(day.volume)},"vwap":{price(day.quote_volume // day.volume)},'
        f'"low":{price(day.low)},"high":{price(day.high)},"change":{price(change)},'
        f'"change_pct":{decimal_text(change * 10_000 // day.open, 2)},'
        f'"timestamp":"{moment(ticker.time_ms * 1000)}"}}'
    )


def push(channel: str, kind: str, rows: Sequence[str]) -> str:
    """A push of data."""
    return f'{{"channel":"{channel}","type":"{kind}","data":[{",".join(rows)}]}}'


def status(system: str) -> str:
    """The state of the trading engine, sent once after the handshake and when it changes."""
    row = {"version": "2.0.10", "system": system, "api_version": "v2", "connection_id": 13834774380200032777}
    return compact({"channel": "status", "type": "update", "data": [row]})


def answer(method: str, request_id: object, now_us: int, **fields: Any) -> str:
    """An answer to a request; `success`, `result` or `error` are fields."""
    body = {"method": method, **fields, "time_in": moment(now_us), "time_out": moment(now_us)}
    return compact(body if request_id is None else body | {"req_id": request_id})


def history_row(instrument: Instrument, fill: Fill) -> str:
    """A trade in REST: its time is a number, written without going through a float."""
    price, size = instrument.price_text(fill.price), instrument.size_text(fill.size)
    return (
        f'["{price}","{size}",{decimal_text(fill.time_ms, 3)},"{"s" if fill.sell else "b"}",'
        f'"{"l" if fill.continues else "m"}","",{fill.trade_id}]'
    )


def pair_row(instrument: Instrument) -> dict[str, Any]:
    """A market in REST."""
    base, quote = (OLD_CURRENCIES.get(c, c) for c in (instrument.base_currency, instrument.quote_currency))
    return {
        "altname": rest_name(instrument),
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": base,
        "aclass_quote": "currency",
        "quote": quote,
        "pair_decimals": instrument.price_decimals,
        "lot_decimals": instrument.size_decimals,
        "tick_size": instrument.tick_size,
        "status": "online",
    }


def malformed_texts(instrument: Instrument, fill: Fill) -> dict[str, str]:
    """Messages that break the protocol of `trade`, by a name that says how."""
    row = trade_row(instrument, fill)
    price = f'"price":{instrument.price_text(fill.price)}'
    good = push("trade", "update", [row])
    return {
        "not_json": "this is not JSON",
        "truncated": good[: len(good) // 2],
        "empty_object": "{}",
        "null_data": '{"channel":"trade","type":"update","data":null}',
        "missing_field": good.replace(price + ",", ""),
        "price_text": good.replace(price, '"price":"cheap"'),
        "price_negative": good.replace(price, '"price":-1'),
        "price_huge": good.replace(price, '"price":1e999999999'),
        "side_unknown": good.replace('"side":"', '"side":"un'),
        "time_number": good.replace(f'"{moment(fill.time_ms * 1000)}"', str(fill.time_ms)),
        "id_text": good.replace(f'"trade_id":{fill.trade_id}', '"trade_id":"first"'),
        "type_unknown": push("trade", "surprise", [row]),
    }
