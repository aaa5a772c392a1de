"""Coinbase Exchange's wire types and their translation, row by row, into events.

What belongs here: shapes and pure translation. What does not: which message means what for the connection
(`session`).

Rules (websocket-feed/channels; rest-api > Products > Get product trades):

1. Prices and sizes are strings, trade ids integers, times RFC 3339 with microseconds.
2. `side` is the MAKER's, in the feed and in REST: a maker who sold means a taker who bought.
3. `last_match`, the first push of a subscription, is the last trade there was.
4. A ticker has no volume in the quote currency.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from streaming.exchanges.decoding import TradeId, fill, price_or_none, quantity_or_none
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.rfc3339 import time_us
from streaming.records import Side

_TAKER: Final[dict[str, Side]] = {"buy": "sell", "sell": "buy"}


class TradeRow(msgspec.Struct, gc=False):
    """A trade in REST."""

    trade_id: TradeId
    side: Literal["buy", "sell"]
    size: str
    price: str
    time: str


class MatchFrame(TradeRow, gc=False):
    """A push of `matches`: `match`, or `last_match` right after the subscription."""

    type: str
    product_id: str


class TickerFrame(msgspec.Struct, gc=False):
    """A push of `ticker`, one for each match."""

    product_id: str
    time: str
    price: str = ""
    last_size: str = ""
    best_bid: str = ""
    best_bid_size: str = ""
    best_ask: str = ""
    best_ask_size: str = ""
    open_24h: str = ""
    high_24h: str = ""
    low_24h: str = ""
    volume_24h: str = ""


class HeartbeatFrame(msgspec.Struct):
    """A push of `heartbeat`; an id of 0 says nothing."""

    product_id: str
    last_trade_id: TradeId


class Channel(msgspec.Struct):
    """One channel of an acknowledgement."""

    name: str
    product_ids: list[str]


class SubscriptionsFrame(msgspec.Struct):
    """The acknowledgement: everything that is subscribed now."""

    channels: list[Channel]


class AnyFrame(msgspec.Struct):
    """What every frame has; the texts are an error's."""

    type: str
    message: Any = ""
    reason: Any = ""


def trade_event(pair: str, row: TradeRow, receive_time_ns: int, *, is_snapshot: bool) -> TradeEvent:
    """One fill. Raises RecordError when a value breaks the data contract."""
    return fill(
        pair,
        row.trade_id,
        row.price,
        row.size,
        _TAKER[row.side],
        time_us(row.time, "time"),
        receive_time_ns,
        is_snapshot=is_snapshot,
    )


def ticker_event(row: TickerFrame, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
    """The state of a market. Raises RecordError when a value breaks the data contract."""
    return TickerEvent(
        pair=row.product_id,
        bid_price=price_or_none(row.best_bid, "best_bid"),
        bid_size=quantity_or_none(row.best_bid_size, "best_bid_size"),
        ask_price=price_or_none(row.best_ask, "best_ask"),
        ask_size=quantity_or_none(row.best_ask_size, "best_ask_size"),
        last_price=price_or_none(row.price, "price"),
        last_size=quantity_or_none(row.last_size, "last_size"),
        open_24h=price_or_none(row.open_24h, "open_24h"),
        high_24h=price_or_none(row.high_24h, "high_24h"),
        low_24h=price_or_none(row.low_24h, "low_24h"),
        base_volume_24h=quantity_or_none(row.volume_24h, "volume_24h"),
        quote_volume_24h=None,
        exchange_time_us=time_us(row.time, "time"),
        receive_time_ns=receive_time_ns,
        is_snapshot=is_snapshot,
    )


match_decoder: Final = msgspec.json.Decoder(MatchFrame)
ticker_decoder: Final = msgspec.json.Decoder(TickerFrame)
heartbeat_decoder: Final = msgspec.json.Decoder(HeartbeatFrame)
subscriptions_decoder: Final = msgspec.json.Decoder(SubscriptionsFrame)
any_decoder: Final = msgspec.json.Decoder(AnyFrame)
