"""Kraken's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the connection
(`session`).

Rules (https://docs.kraken.com/api/docs/websocket-v2/trade and /ticker):

1. Prices and sizes are JSON numbers. They are kept undecoded, so their text is the exchange's own; only a
   number with an exponent is written out, by exact decimal arithmetic.
2. `side` is the taker's. `trade_id` is a number in sequence, unique per book.
3. Times are RFC 3339 with microseconds.
4. `last` may be missing when nothing traded for a day: None, never zero. Volume is in the base currency;
   the quote volume, the last size and the open price are not sent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, cast

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import UNREADABLE
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.kraken.instruments import pair_of
from streaming.exchanges.rfc3339 import time_us
from streaming.records import Side, decimal_text, price_text, size_text

BIGINT_MAX: Final = 2**63 - 1
_EXPONENT_MAX: Final = 30
_MISSING: Final = msgspec.Raw(b"null")


class TradeRow(msgspec.Struct, gc=False):
    """One trade."""

    symbol: str
    side: str
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: int
    timestamp: str


class TradeFrame(msgspec.Struct, gc=False):
    """A push of trades."""

    channel: str
    type: str
    data: list[TradeRow]


class TickerRow(msgspec.Struct, gc=False):
    """The state of a market."""

    symbol: str
    timestamp: str
    bid: msgspec.Raw = _MISSING
    bid_qty: msgspec.Raw = _MISSING
    ask: msgspec.Raw = _MISSING
    ask_qty: msgspec.Raw = _MISSING
    last: msgspec.Raw = _MISSING
    volume: msgspec.Raw = _MISSING
    low: msgspec.Raw = _MISSING
    high: msgspec.Raw = _MISSING


class AnyFrame(msgspec.Struct):
    """Any message, rows still undecoded: so one bad row does not spoil the others."""

    channel: str = ""
    type: str = ""
    data: list[msgspec.Raw] = []
    method: str = ""
    success: bool | None = None
    error: str = ""
    result: msgspec.Raw = _MISSING


class Subject(msgspec.Struct):
    """What an acknowledgement or a row is about."""

    channel: str = ""
    symbol: str = ""


trade_frame_decoder: Final = msgspec.json.Decoder(TradeFrame)
any_frame_decoder: Final = msgspec.json.Decoder(AnyFrame)
subject_decoder: Final = msgspec.json.Decoder(Subject)
trade_row_decoder: Final = msgspec.json.Decoder(TradeRow)
ticker_row_decoder: Final = msgspec.json.Decoder(TickerRow)


def number_text(raw: msgspec.Raw, field: str) -> str:
    """The text of a JSON number, in plain notation. Anything else comes back as it is, or raises."""
    text = str(raw, "utf-8", "replace")
    if "e" not in text and "E" not in text:
        return text
    try:
        value = msgspec.json.decode(raw, type=Decimal)
    except UNREADABLE:
        raise RecordError(f"{field} {text[:80]!r} is not a number.") from None
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX:
        raise RecordError(f"{field} {text[:80]!r} is out of range.")
    return format(value, "f")


def trade_of(
    pair: str,
    trade_id: int,
    price: str,
    size: str,
    side: str,
    time_us: int,
    receive_time_ns: int,
    *,
    is_snapshot: bool,
) -> TradeEvent:
    """A trade, from the WebSocket or from REST. Raises RecordError when a value breaks the data contract."""
    if not 0 <= trade_id <= BIGINT_MAX:
        raise RecordError(f"trade_id {str(trade_id)[:80]} is not a positive 64-bit number.")
    if side != "buy" and side != "sell":
        raise RecordError(f"side {side[:80]!r} is neither buy nor sell.")
    return TradeEvent(
        pair,
        trade_id,
        trade_id,
        1,
        price_text(price),
        size_text(size),
        cast(Side, side),
        time_us,
        receive_time_ns,
        is_snapshot,
    )


def trade_event(row: TradeRow, receive_time_ns: int, *, is_snapshot: bool) -> TradeEvent:
    """One row of `trade`. Raises RecordError when a value breaks the data contract."""
    return trade_of(
        pair_of(row.symbol),
        row.trade_id,
        number_text(row.price, "price"),
        number_text(row.qty, "qty"),
        row.side,
        time_us(row.timestamp, "timestamp"),
        receive_time_ns,
        is_snapshot=is_snapshot,
    )


def _value(raw: msgspec.Raw, field: str, integer_digits: int, scale: int) -> str | None:
    text = number_text(raw, field)
    if text == "null":
        return None
    return decimal_text(text, field, integer_digits=integer_digits, scale=scale, allow_zero=True)


def ticker_event(row: TickerRow, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """One row of `ticker`. Raises RecordError when a value breaks the data contract."""

    def price(raw: msgspec.Raw, field: str) -> str | None:
        return _value(raw, field, 8, 10)

    def quantity(raw: msgspec.Raw, field: str) -> str | None:
        return _value(raw, field, 20, 18)

    return TickerEvent(
        pair=pair_of(row.symbol),
        bid_price=price(row.bid, "bid"),
        bid_size=quantity(row.bid_qty, "bid_qty"),
        ask_price=price(row.ask, "ask"),
        ask_size=quantity(row.ask_qty, "ask_qty"),
        last_price=price(row.last, "last"),
        last_size=None,
        open_24h=None,
        high_24h=price(row.high, "high"),
        low_24h=price(row.low, "low"),
        base_volume_24h=quantity(row.volume, "volume"),
        quote_volume_24h=None,
        exchange_time_us=time_us(row.timestamp, "timestamp"),
        receive_time_ns=receive_time_ns,
        is_snapshot=is_snapshot,
    )
