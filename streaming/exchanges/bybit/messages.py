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

from typing import Final, Literal

import msgspec

from streaming.exchanges.decoding import fill, integer, same_symbol, us_of_ms
from streaming.exchanges.events import TradeEvent
from streaming.records import Side

_SIDES: Final[dict[str, Side]] = {"Buy": "buy", "Sell": "sell"}


class TradeRow(msgspec.Struct, gc=False):
    """One trade of `publicTrade`."""

    symbol: str = msgspec.field(name="s")
    side: Literal["Buy", "Sell"] = msgspec.field(name="S")
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
    side: Literal["Buy", "Sell"]
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


def trade_event(
    row: TradeRow | HistoryRow, pair: str, symbol: str, time_ms: int, receive_time_ns: int
) -> TradeEvent:
    """One trade of `symbol`, which is `pair`. Raises RecordError when a value breaks the data contract."""
    same_symbol(row.symbol, symbol)
    trade_id, time_us = integer(row.trade_id, "trade id"), us_of_ms(time_ms, "time")
    return fill(pair, trade_id, row.price, row.size, _SIDES[row.side], time_us, receive_time_ns)
