"""What a venue's protocol machine says to the engine: market data, and commands about the connection.

What belongs here: the venue-neutral vocabulary. What does not: a venue's wire types
(`streaming.exchanges.<venue>.messages`) or the records in Kafka (`streaming.records`).
"""

from __future__ import annotations

import msgspec

from streaming.records import Side


class TradeEvent(msgspec.Struct, frozen=True, gc=False):
    """One row of the exchange's tape: the trades `first_id..trade_id`, `count` of them.

    `is_snapshot` marks the first push after a subscription: it is old data, often seen before.
    """

    pair: str
    first_id: int
    trade_id: int
    count: int
    price: str
    size: str
    side: Side
    exchange_time_us: int
    receive_time_ns: int
    is_snapshot: bool


class TickerEvent(msgspec.Struct, frozen=True, gc=False):
    """The state of one pair's market. None is a value that the exchange left empty."""

    pair: str
    bid_price: str | None
    bid_size: str | None
    ask_price: str | None
    ask_size: str | None
    last_price: str | None
    last_size: str | None
    open_24h: str | None
    high_24h: str | None
    low_24h: str | None
    base_volume_24h: str | None
    quote_volume_24h: str | None
    exchange_time_us: int
    receive_time_ns: int
    is_snapshot: bool


class BadFrame(msgspec.Struct, frozen=True):
    """A frame, or one row of it, that is not what the protocol promises. It goes to the dead letters."""

    raw: str
    reason: str
    pair: str | None
    receive_time_ns: int


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed message that the protocol machine has no rule for. It is logged and has no effect."""

    text: str


class Send(msgspec.Struct, frozen=True):
    """Send this text frame."""

    text: str


class Subscribed(msgspec.Struct, frozen=True):
    """The exchange acknowledged one subscription."""

    channel: str
    pair: str


class Ready(msgspec.Struct, frozen=True):
    """Every subscription is acknowledged and has delivered its first data. Comes once."""


class Stale(msgspec.Struct, frozen=True):
    """One pair has been silent for `silent_s` while the connection lives. Comes again while
    the silence lasts."""

    channel: str
    pair: str
    silent_s: float


class Notice(msgspec.Struct, frozen=True):
    """The exchange will close this connection soon: open another one, overlap, then drop this one."""

    code: str
    message: str


class Reconnect(msgspec.Struct, frozen=True):
    """Drop this connection and open a new one, no sooner than `min_delay_s` from now.

    `reason` is one of few words (a metric's label), `detail` is for the log.
    """

    reason: str
    detail: str = ""
    min_delay_s: float = 0.0


class Fatal(msgspec.Struct, frozen=True):
    """The exchange refuses what we ask for, and would refuse it again. `remedy` names what to change."""

    code: str
    message: str
    remedy: str


Output = (
    TradeEvent
    | TickerEvent
    | BadFrame
    | Unknown
    | Send
    | Subscribed
    | Ready
    | Stale
    | Notice
    | Reconnect
    | Fatal
)
