"""OKX's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the
connection (`session`).

Rules (https://www.okx.com/docs-v5/en/ > Order Book Trading > Market Data):

1. Every number is a string; `ts` is milliseconds since the epoch.
2. `side` is the taker's.
3. A row of `trades` has a `count` and covers the ids `tradeId - count + 1 .. tradeId`; a row of
   `trades-all` and of REST history has none and is one fill.
4. A value OKX has not got is the empty string, which is None here and never zero. A size of zero is kept.
5. For spot, `vol24h` is in the base currency and `volCcy24h` in the quote currency.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import integer, price_or_none, quantity_or_none, same_symbol, us_of_ms_text
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.okx.instruments import pair_of
from streaming.records import price_text, size_text


class Arg(msgspec.Struct, rename="camel", gc=False):
    """What a subscription, an acknowledgement or a push is about."""

    channel: str
    inst_id: str = ""


class TradeRow(msgspec.Struct, rename="camel", gc=False):
    """One row of `trades-all`, `trades`, or REST trades."""

    inst_id: str
    trade_id: str
    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: str
    count: str | None = None


class TradeFrame(msgspec.Struct):
    """A push of trades."""

    arg: Arg
    data: list[TradeRow]


class TickerRow(msgspec.Struct, rename="camel", gc=False):
    """One row of `tickers`."""

    inst_id: str
    ts: str
    last: str = ""
    last_sz: str = ""
    ask_px: str = ""
    ask_sz: str = ""
    bid_px: str = ""
    bid_sz: str = ""
    open24h: str = ""
    high24h: str = ""
    low24h: str = ""
    vol24h: str = ""
    vol_ccy24h: str = msgspec.field(name="volCcy24h", default="")


class PushFrame(msgspec.Struct):
    """Any push, rows still undecoded: so one bad row does not spoil the others."""

    arg: Arg
    data: list[msgspec.Raw]


class ControlFrame(msgspec.Struct, rename="camel"):
    """Acknowledgement, error, notice, or an event of a kind that is not known yet."""

    event: str
    code: str | int = ""
    msg: str = ""
    arg: Arg | None = None
    id: str | None = None


def trade_event(row: TradeRow, symbol: str, receive_time_ns: int, *, is_snapshot: bool) -> TradeEvent:
    """One row of the tape of `symbol`. Raises RecordError when a value breaks the data contract."""
    same_symbol(row.inst_id, symbol)
    trade_id = integer(row.trade_id, "tradeId")
    first_id, count = trade_id, 1
    if row.count is not None:
        count = integer(row.count, "count")
        first_id = trade_id - count + 1
        if count < 1 or first_id < 0:
            raise RecordError(f"count {row.count!r} does not go with tradeId {row.trade_id!r}.")
    return TradeEvent(
        pair_of(symbol),
        first_id,
        trade_id,
        count,
        price_text(row.px, "px"),
        size_text(row.sz, "sz"),
        row.side,
        us_of_ms_text(row.ts, "ts"),
        receive_time_ns,
        is_snapshot,
    )


def ticker_event(row: TickerRow, symbol: str, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """The state of the market of `symbol`. Raises RecordError when a value breaks the data contract."""
    same_symbol(row.inst_id, symbol)
    return TickerEvent(
        pair=pair_of(symbol),
        bid_price=price_or_none(row.bid_px, "bidPx"),
        bid_size=quantity_or_none(row.bid_sz, "bidSz"),
        ask_price=price_or_none(row.ask_px, "askPx"),
        ask_size=quantity_or_none(row.ask_sz, "askSz"),
        last_price=price_or_none(row.last, "last"),
        last_size=quantity_or_none(row.last_sz, "lastSz"),
        open_24h=price_or_none(row.open24h, "open24h"),
        high_24h=price_or_none(row.high24h, "high24h"),
        low_24h=price_or_none(row.low24h, "low24h"),
        base_volume_24h=quantity_or_none(row.vol24h, "vol24h"),
        quote_volume_24h=quantity_or_none(row.vol_ccy24h, "volCcy24h"),
        exchange_time_us=us_of_ms_text(row.ts, "ts"),
        receive_time_ns=receive_time_ns,
        is_snapshot=is_snapshot,
    )


trade_frame_decoder: Final = msgspec.json.Decoder(TradeFrame)
push_frame_decoder: Final = msgspec.json.Decoder(PushFrame)
control_frame_decoder: Final = msgspec.json.Decoder(ControlFrame)
trade_row_decoder: Final = msgspec.json.Decoder(TradeRow)
ticker_row_decoder: Final = msgspec.json.Decoder(TickerRow)
