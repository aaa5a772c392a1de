"""One module a venue: its literal frames, for the contract tests and the fuzzer.

To plug a venue in, add `tests/unit/exchanges/venues/<name in lower case>.py` with an object `FRAMES` that
satisfies `Frames`. Write frames by hand from the venue's pages, never with the adapter's own code.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from streaming.exchanges.registry import VENUES
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest, Venue
from streaming.records import Side

TIME_US = 1_791_369_376_364_000
"""Whole milliseconds, because some venues have no finer time."""


@dataclass(frozen=True)
class Row:
    """One trade as a test wants to see it arrive. `side` is the taker's."""

    pair: str
    trade_id: int
    price: str = "83753.10"
    size: str = "0.00125000"
    side: Side = "buy"
    time_us: int = TIME_US


@dataclass(frozen=True)
class Quote:
    """One ticker. A venue that has not got one of these values sends without it."""

    pair: str
    bid_price: str = "83753.00"
    bid_size: str = "5.50000000"
    ask_price: str = "83753.10"
    ask_size: str = "11.25000000"
    last_price: str = "83753.10"
    time_us: int = TIME_US


class Frames(Protocol):
    """What a venue says, in its own words."""

    venue: Venue
    pairs: tuple[str, str]
    """Two markets of the venue."""
    quoted: frozenset[str]
    """The fields of `Quote` that a ticker of this venue carries."""
    history_depth: int | None
    """How many of the newest trades REST can still give; None for more than the tests ask."""

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        """The answers to the subscriptions of a plan, all of them good."""

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        """Live pushes that carry these rows of one pair, in order."""

    def first_trade(self, row: Row) -> bytes | None:
        """The push that follows a subscription and repeats old trades; None if the venue has no such push."""

    def ticker(self, quote: Quote) -> bytes:
        """A ticker push."""

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        """One frame with `good[0]`, then `bad` with a price that is no number, then the rest of `good`; None
        if a frame of this venue never holds more than one row."""

    def malformed(self, row: Row) -> list[bytes]:
        """Frames that break the protocol: each must come back as a BadFrame."""

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        """Everything that shows only that the wire lives: pongs, heartbeats."""

    def unknown(self) -> list[bytes]:
        """Well-formed messages of a kind the adapter has no rule for."""

    def fatal(self) -> list[bytes]:
        """Errors that the same request would meet again."""

    def retryable(self) -> list[bytes]:
        """Errors that a new connection may cure."""

    def notice(self) -> bytes | None:
        """The announcement that the connection will be closed; None if the venue makes none."""

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        """The venue's REST answer to a request of its adapter; `tape` is what a pair traded, oldest first."""

    def instruments(self, live: str, halted: str) -> RestReply:
        """The list of markets: one that trades and one that does not."""

    def time(self, time_us: int) -> RestReply:
        """The venue's clock; `time_us` is whole milliseconds."""

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        """The answer to one request too many."""


def frames_of(name: str) -> Frames:
    """The frames of the venue called `name`."""
    module = importlib.import_module(f"{__name__}.{name.lower()}")
    return cast(Frames, module.FRAMES)


def all_frames() -> list[Frames]:
    """The frames of every registered venue; a venue without its module fails here."""
    return [frames_of(name) for name in VENUES]


def trade_plan(frames: Frames) -> ConnectionPlan:
    """The connection that carries the trades of the venue's two pairs."""
    return next(p for p in frames.venue.connections(frames.pairs) if p.carries_trades)


def ticker_plan(frames: Frames) -> ConnectionPlan:
    """The connection that carries their tickers: its own, or the trades'."""
    plans = frames.venue.connections(frames.pairs)
    return next((p for p in plans if not p.carries_trades), plans[0])


def first_data(frames: Frames, plan: ConnectionPlan, pair: str) -> list[bytes]:
    """What a pair's subscriptions bring first on this connection."""
    data: list[bytes] = []
    if plan.carries_trades:
        row = Row(pair, 100)
        first = frames.first_trade(row)
        data += [first] if first is not None else frames.trades([row])
    if plan == ticker_plan(frames):
        data.append(frames.ticker(Quote(pair)))
    return data
