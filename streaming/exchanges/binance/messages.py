"""Binance's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the connection
(`session`).

Rules (web-socket-streams.md, rest-api.md):

1. Prices and sizes are strings; ids are integers; times are milliseconds since the epoch.
2. `m` says that the buyer was the maker: the taker then sold.
3. A trade's time is `T`; `E` is when the event was made, which is all a ticker has.
4. A price of zero means that there is none (an empty side of the book, no trade yet): None, never zero.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streaming.exchanges.decoding import TimeMs, TradeId, fill, price_or_none, quantity_or_none
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.records import Side


class TradeRow(msgspec.Struct, gc=False):
    """A push of the trade stream."""

    symbol: str = msgspec.field(name="s")
    trade_id: TradeId = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="q")
    time_ms: TimeMs = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class HistoryRow(msgspec.Struct, gc=False):
    """A trade in REST."""

    trade_id: TradeId = msgspec.field(name="id")
    price: str
    size: str = msgspec.field(name="qty")
    time_ms: TimeMs = msgspec.field(name="time")
    buyer_is_maker: bool = msgspec.field(name="isBuyerMaker")


class TickerRow(msgspec.Struct, gc=False):
    """A push of the 24-hour ticker stream. `last_id` is -1 before the first trade."""

    symbol: str = msgspec.field(name="s")
    time_ms: TimeMs = msgspec.field(name="E")
    last: str = msgspec.field(name="c")
    last_size: str = msgspec.field(name="Q")
    bid: str = msgspec.field(name="b")
    bid_size: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_size: str = msgspec.field(name="A")
    open: str = msgspec.field(name="o")
    high: str = msgspec.field(name="h")
    low: str = msgspec.field(name="l")
    base_volume: str = msgspec.field(name="v")
    quote_volume: str = msgspec.field(name="q")
    last_id: int = msgspec.field(name="L", default=-1)


class TradeFrame(msgspec.Struct, gc=False):
    """A push of the trade stream in its envelope."""

    stream: str
    data: TradeRow


class PushFrame(msgspec.Struct):
    """Any push, its row still undecoded."""

    stream: str
    data: msgspec.Raw


class ErrorBody(msgspec.Struct):
    """Why a request was refused."""

    code: int
    msg: str = ""


class ControlFrame(msgspec.Struct):
    """The answer to a request, or an event outside the streams. Errors come in the frame or in `error`."""

    id: int | str | None = None
    result: Any = msgspec.UNSET
    code: int | None = None
    msg: str = ""
    error: ErrorBody | None = None
    event: str = msgspec.field(name="e", default="")


def trade_event(pair: str, row: TradeRow | HistoryRow, receive_time_ns: int) -> TradeEvent:
    """One fill. Raises RecordError when a value breaks the data contract."""
    side: Side = "sell" if row.buyer_is_maker else "buy"
    return fill(pair, row.trade_id, row.price, row.size, side, row.time_ms * 1000, receive_time_ns)


def ticker_event(pair: str, row: TickerRow, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """The state of a market. Raises RecordError when a value breaks the data contract."""
    return TickerEvent(
        pair=pair,
        bid_price=price_or_none(row.bid, "bid price"),
        bid_size=quantity_or_none(row.bid_size, "bid size"),
        ask_price=price_or_none(row.ask, "ask price"),
        ask_size=quantity_or_none(row.ask_size, "ask size"),
        last_price=price_or_none(row.last, "last price"),
        last_size=quantity_or_none(row.last_size, "last size"),
        open_24h=price_or_none(row.open, "open"),
        high_24h=price_or_none(row.high, "high"),
        low_24h=price_or_none(row.low, "low"),
        base_volume_24h=quantity_or_none(row.base_volume, "base volume"),
        quote_volume_24h=quantity_or_none(row.quote_volume, "quote volume"),
        exchange_time_us=row.time_ms * 1000,
        receive_time_ns=receive_time_ns,
        is_snapshot=is_snapshot,
    )


trade_frame_decoder: Final = msgspec.json.Decoder(TradeFrame)
push_frame_decoder: Final = msgspec.json.Decoder(PushFrame)
control_frame_decoder: Final = msgspec.json.Decoder(ControlFrame)
trade_row_decoder: Final = msgspec.json.Decoder(TradeRow)
ticker_row_decoder: Final = msgspec.json.Decoder(TickerRow)
