"""Bybit's wire types and the translation of a trade.

What belongs here: shapes and pure translation. What does not: which message means what for the connection
(`session`), and how a ticker is put together (`market`).

Rules (https://bybit-exchange.github.io/docs/v5/websocket/public/trade, /ticker, /orderbook):

1. Prices and sizes are strings, times milliseconds since the epoch: numbers on the WebSocket, strings in
   REST.
2. `S` and `side` are the taker's.
3. A spot trade's id is a number in a string, larger for a later trade, with holes. `seq` may repeat and may
   span messages, so nothing tells by itself that a trade is missing.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.events import TradeEvent
from streaming.records import Side, price_text, size_text

BIGINT_MAX: Final = 2**63 - 1
_SIDES: Final = {"Buy": "buy", "Sell": "sell"}


class TradeRow(msgspec.Struct, gc=False):
    """One trade of `publicTrade`."""

    symbol: str = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    size: str = msgspec.field(name="v")
    price: str = msgspec.field(name="p")
    trade_id: str = msgspec.field(name="i")
    time_ms: int = msgspec.field(name="T")


class TradeFrame(msgspec.Struct, gc=False):
    """A push of up to 1024 trades."""

    topic: str
    data: list[TradeRow]


class TickerRow(msgspec.Struct):
    """The state of a market without its quotes."""

    symbol: str
    last_price: str = msgspec.field(name="lastPrice", default="")
    prev_price: str = msgspec.field(name="prevPrice24h", default="")
    high_price: str = msgspec.field(name="highPrice24h", default="")
    low_price: str = msgspec.field(name="lowPrice24h", default="")
    volume: str = msgspec.field(name="volume24h", default="")
    turnover: str = msgspec.field(name="turnover24h", default="")


class BookRow(msgspec.Struct):
    """The best level of each side, or its change; `update_id` repeats when nothing has changed."""

    symbol: str = msgspec.field(name="s")
    bids: list[tuple[str, str]] = msgspec.field(name="b")
    asks: list[tuple[str, str]] = msgspec.field(name="a")
    update_id: int = msgspec.field(name="u")


class PushFrame(msgspec.Struct):
    """Any push, its data still undecoded."""

    topic: str
    data: msgspec.Raw
    ts: int = 0
    type: str = ""


class ControlFrame(msgspec.Struct):
    """The answer to a request."""

    op: str
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


class HistoryRow(msgspec.Struct):
    """One trade of REST."""

    symbol: str
    side: str
    size: str
    price: str
    trade_id: str = msgspec.field(name="execId")
    time: str


trade_frame_decoder: Final = msgspec.json.Decoder(TradeFrame)
push_frame_decoder: Final = msgspec.json.Decoder(PushFrame)
control_frame_decoder: Final = msgspec.json.Decoder(ControlFrame)
trade_rows_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
trade_row_decoder: Final = msgspec.json.Decoder(TradeRow)
ticker_row_decoder: Final = msgspec.json.Decoder(TickerRow)
book_row_decoder: Final = msgspec.json.Decoder(BookRow)


def integer(text: str, field: str) -> int:
    """A whole number of at most 64 bits. Raises RecordError."""
    if not (text.isdecimal() and text.isascii() and len(text) <= 19) or int(text) > BIGINT_MAX:
        raise RecordError(f"{field} {text[:80]!r} is not a whole number of 64 bits.")
    return int(text)


def time_us(milliseconds: int, field: str) -> int:
    """Microseconds from milliseconds of the years 2001 to 2286. Raises RecordError."""
    if not 10**12 <= milliseconds < 10**13:
        raise RecordError(f"{field} {str(milliseconds)[:80]} is not a time in milliseconds.")
    return milliseconds * 1000


def trade_event(row: TradeRow | HistoryRow, pair: str, time_ms: int, receive_time_ns: int) -> TradeEvent:
    """One trade. Raises RecordError when a value breaks the data contract."""
    trade_id = integer(row.trade_id, "trade id")
    side = _SIDES.get(row.side)
    if side is None:
        raise RecordError(f"side {row.side[:80]!r} is neither Buy nor Sell.")
    return TradeEvent(
        pair,
        trade_id,
        trade_id,
        1,
        price_text(row.price),
        size_text(row.size),
        cast(Side, side),
        time_us(time_ms, "time"),
        receive_time_ns,
        False,
    )
