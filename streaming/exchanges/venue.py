"""The interface of a venue as a whole: what the engine asks it, in venue-neutral terms.

What belongs here: the interface and its small value types. What does not: any venue's answer
(`streaming.exchanges.<venue>.venue`) and the HTTP client (`streaming.producer.rest_client`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from streaming.errors import PlatformError
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.session import Session


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in any `seconds`; requests with the same `name` share it."""

    name: str
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One WebSocket connection: `path` is appended to the venue's base, `channels` are subscribed for all
    `pairs`. `name` is short, unique within the venue's plans, and stable (log lines, metrics)."""

    name: str
    path: str
    channels: tuple[str, ...]
    pairs: tuple[str, ...]
    carries_trades: bool


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A GET request below the venue's REST base, and the documented limit it falls under."""

    path: str
    limit: RateLimit
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestReply:
    """What came back: headers have lower-case names; `receive_time_ns` is the wall clock."""

    status: int
    body: bytes
    receive_time_ns: int
    headers: Mapping[str, str] = field(default_factory=dict)


class RestError(PlatformError):
    """The venue answered a REST request with an error, or with something unreadable.

    `retryable` tells whether the same request may succeed later, `retry_after_s` when at the earliest.
    """

    def __init__(self, what: str, *, retryable: bool, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market of the venue: whether it trades now, and the venue's own word for its state."""

    pair: str
    live: bool
    state: str


class TradeHistory(Protocol):
    """One walk through the venue's history over the ids `from_id..to_id` of a pair, without I/O.

    Ask `next_request()`, send it, give the reply to `receive()`, until there is no next request.
    """

    @property
    def covered(self) -> bool:
        """The walk has seen all that the venue still has in the range: what is missing now is not there."""

    def next_request(self) -> RestRequest | None:
        """The next page to ask for, or None at the end of the walk."""

    def receive(self, reply: RestReply) -> list[TradeEvent]:
        """The trades of the page that lie in the range, oldest first. Raises RestError."""


@runtime_checkable
class SparseTradeHistory(TradeHistory, Protocol):
    """A walk on a venue whose ids have holes (`id_contiguous` false)."""

    @property
    def seen_from(self) -> int | None:
        """The walk has seen every trade of the range from this id on: a later id that did not come does not
        exist. Trades with lower ids may exist, how many is unknown. None: nothing is known yet."""


class Venue(Protocol):
    """Everything the engine needs to know about an exchange."""

    @property
    def name(self) -> str:
        """The exchange's name in records, in capitals."""

    @property
    def id_contiguous(self) -> bool:
        """The gap rule: trade ids of a pair grow by exactly one, so `first_id > last_id + 1` is a gap.
        False: ids only grow, and a gap cannot be seen in them; after an interruption whatever may lie between
        two trades is a suspected gap, and the venue's histories are `SparseTradeHistory`s."""

    @property
    def ws_url_field(self) -> str:
        """The field of `Settings` with the base of the WebSocket addresses."""

    @property
    def rest_url_field(self) -> str:
        """The field of `Settings` with the base of the REST addresses."""

    @property
    def connect_limit(self) -> RateLimit:
        """How often connections may be opened."""

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """The connections that together carry the trades and tickers of `pairs`."""

    def session(self, plan: ConnectionPlan) -> Session:
        """A new protocol machine for one connection of `plan`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        """A walk through the venue's history for back-fill; both ids inclusive."""

    def newest_request(self, pair: str) -> RestRequest:
        """Asks for the newest trades of a pair, to see whether a silent feed is only a quiet market."""

    def newest_id(self, reply: RestReply) -> int | None:
        """The highest trade id in that reply; None when the pair has never traded. Raises RestError."""

    def instruments_request(self) -> RestRequest:
        """Asks for every market of the kind we read."""

    def instruments(self, reply: RestReply) -> list[Instrument]:
        """The markets in that reply. Raises RestError."""

    def time_request(self) -> RestRequest:
        """Asks for the venue's clock."""

    def time_us(self, reply: RestReply) -> int:
        """The venue's clock in that reply, microseconds since the epoch, UTC. Raises RestError."""
