"""What the market tells its listeners: fills and quotes, in ticks and lots.

What belongs here: the two value types and the sources' protocol. What does not: text or JSON of any venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Fill(NamedTuple):
    """One trade between a taker and one resting order."""

    trade_id: int
    """Consecutive for a pair."""
    time_ms: int
    """UTC, as the exchange reports it."""
    price: int
    """Ticks."""
    size: int
    """Lots."""
    sell: bool
    """Whether the taker sold."""
    continues: bool
    """Whether it belongs to the same taker order as the fill before it."""


class Quote(NamedTuple):
    """Best bid and ask, prices in ticks and sizes in lots."""

    time_ms: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


class RawFill(NamedTuple):
    """A fill before the market numbers it."""

    time_ms: int
    price: int
    size: int
    sell: bool
    continues: bool


class Source(Protocol):
    """Where the trades and quotes of one pair come from."""

    first_id: int
    """Id of the first trade there is or will be."""
    quotes_move_alone: bool
    """Whether a new quote can be had at any time, without a trade."""

    def start(self, now_us: int) -> None:
        """Begin; the first trade is due from now on. Starting twice changes nothing."""

    def shift(self, by_us: int) -> None:
        """Move everything still due by that much later."""

    def set_rate(self, per_second: float, now_us: int) -> None:
        """Trade that often from now on; a recording keeps its own pace."""

    def take(self, now_us: int) -> Sequence[RawFill]:
        """The trades that have become due, oldest first."""

    def quote(self, now_us: int) -> Quote | None:
        """The newest quote, or None if there is none that was not returned before."""

    def next_due_us(self) -> int | None:
        """When the next trade or recorded quote is due; None before the start and after the end."""

    def finished(self) -> bool:
        """Whether nothing more will come."""
