"""Kraken's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the connection
(`session`).

Rules (https://docs.kraken.com/api/docs/websocket-v2/trade and /ticker):

1. Prices and sizes are JSON numbers. They are kept undecoded, so their text is the exchange's own; only a
   number with an exponent is written out, by exact decimal arithmetic.
2. `side` is the taker's. `trade_id` is a number in sequence, unique per book.
3. Times are RFC 3339 with microseconds.
4. `last` may be missing when nothing traded for a day: a price that is missing, null or zero is None. Volume
   is in the base currency; the quote volume, the last size and the open price are not sent.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from streaming.exchanges.decoding import TradeId, fill, number_text, price_or_none, quantity_or_none
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.kraken.instruments import pair_of
from streaming.exchanges.rfc3339 import time_us

_MISSING: Final = msgspec.Raw(b"null")


class TradeRow(msgspec.Struct, gc=False):
    """One trade."""

    symbol: str
    side: Literal["buy", "sell"]
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: TradeId
    timestamp: str


class TradeFrame(msgspec.Struct, gc=False):
    """A push of trades."""

    type: Literal["snapshot", "update"]
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


def trade_event(row: TradeRow, receive_time_ns: int, *, is_snapshot: bool) -> TradeEvent:
    """One row of `trade`. Raises RecordError when a value breaks the data contract."""
    return fill(
        pair_of(row.symbol),
        row.trade_id,
        number_text(row.price, "price"),
        number_text(row.qty, "qty"),
        row.side,
        time_us(row.timestamp, "timestamp"),
        receive_time_ns,
        is_snapshot=is_snapshot,
    )


def _optional(raw: msgspec.Raw, field: str) -> str:
    text = number_text(raw, field)
    return "" if text == "null" else text


def ticker_event(row: TickerRow, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """One row of `ticker`. Raises RecordError when a value breaks the data contract."""

    def price(raw: msgspec.Raw, field: str) -> str | None:
        return price_or_none(_optional(raw, field), field)

    def quantity(raw: msgspec.Raw, field: str) -> str | None:
        return quantity_or_none(_optional(raw, field), field)

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
