"""OKX's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the
connection (`session`).

Rules (https://www.okx.com/docs-v5/en/ > Order Book Trading > Market Data):

1. Every number is a string; `ts` is milliseconds since the epoch.
2. `side` is the taker's.
3. A row of `trades` has a `count` and covers the ids `tradeId - count + 1 .. tradeId`; a row of
   `trades-all` and of REST history has none and is one fill.
4. A value OKX has not got is the empty string, which is None here and never zero.
5. For spot, `vol24h` is in the base currency and `volCcy24h` in the quote currency.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.okx.instruments import pair_of
from streaming.records import Side, decimal_text, price_text, size_text

BIGINT_MAX: Final = 2**63 - 1
_TIME_DIGITS: Final = 13  # milliseconds of the years 2001 to 2286
_VOLUME_INTEGER_DIGITS: Final = 20
_VOLUME_SCALE: Final = 18


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
    side: str
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


def _integer(text: str, field: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 19):
        raise RecordError(f"{field} {text[:80]!r} is not a whole number.")
    value = int(text)
    if value > BIGINT_MAX:
        raise RecordError(f"{field} {text!r} does not fit 64 bits.")
    return value


def _time_us(text: str) -> int:
    if len(text) != _TIME_DIGITS or text[0] == "0" or not (text.isdecimal() and text.isascii()):
        raise RecordError(f"ts {text[:80]!r} is not a time in milliseconds.")
    return int(text) * 1000


def trade_event(row: TradeRow, receive_time_ns: int, *, is_snapshot: bool) -> TradeEvent:
    """One row of the tape. Raises RecordError when a value breaks the data contract."""
    trade_id = _integer(row.trade_id, "tradeId")
    first_id, count = trade_id, 1
    if row.count is not None:
        count = _integer(row.count, "count")
        first_id = trade_id - count + 1
        if count < 1 or first_id < 0:
            raise RecordError(f"count {row.count!r} does not go with tradeId {row.trade_id!r}.")
    side = row.side
    if side != "buy" and side != "sell":
        raise RecordError(f"side {side[:80]!r} is neither buy nor sell.")
    return TradeEvent(
        pair_of(row.inst_id),
        first_id,
        trade_id,
        count,
        price_text(row.px, "px"),
        size_text(row.sz, "sz"),
        cast(Side, side),
        _time_us(row.ts),
        receive_time_ns,
        is_snapshot,
    )


def _price(text: str, field: str) -> str | None:
    return decimal_text(text, field, allow_zero=True) if text else None


def _quantity(text: str, field: str) -> str | None:
    if not text:
        return None
    return decimal_text(
        text, field, integer_digits=_VOLUME_INTEGER_DIGITS, scale=_VOLUME_SCALE, allow_zero=True
    )


def ticker_event(row: TickerRow, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """The state of a market. Raises RecordError when a value breaks the data contract."""
    return TickerEvent(
        pair=pair_of(row.inst_id),
        bid_price=_price(row.bid_px, "bidPx"),
        bid_size=_quantity(row.bid_sz, "bidSz"),
        ask_price=_price(row.ask_px, "askPx"),
        ask_size=_quantity(row.ask_sz, "askSz"),
        last_price=_price(row.last, "last"),
        last_size=_quantity(row.last_sz, "lastSz"),
        open_24h=_price(row.open24h, "open24h"),
        high_24h=_price(row.high24h, "high24h"),
        low_24h=_price(row.low24h, "low24h"),
        base_volume_24h=_quantity(row.vol24h, "vol24h"),
        quote_volume_24h=_quantity(row.vol_ccy24h, "volCcy24h"),
        exchange_time_us=_time_us(row.ts),
        receive_time_ns=receive_time_ns,
        is_snapshot=is_snapshot,
    )


trade_frame_decoder: Final = msgspec.json.Decoder(TradeFrame)
push_frame_decoder: Final = msgspec.json.Decoder(PushFrame)
control_frame_decoder: Final = msgspec.json.Decoder(ControlFrame)
trade_row_decoder: Final = msgspec.json.Decoder(TradeRow)
ticker_row_decoder: Final = msgspec.json.Decoder(TickerRow)

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding any bytes may raise; RecursionError is what absurdly nested JSON ends in."""
