"""What the walks of all venues through their histories share.

What belongs here: the range, its end, the order of a page, and the walk backwards by trade id. What does
not: requests and rows (`streaming.exchanges.<venue>.rest`), and when to walk (`streaming.producer.filler`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, TypeVar

from streaming.exchanges.events import TradeEvent
from streaming.exchanges.replies import good_values
from streaming.exchanges.venue import RestError, RestReply, RestRequest

_Row = TypeVar("_Row")


def page_of(exchange: str, rows: Iterable[_Row], event: Callable[[_Row], TradeEvent]) -> list[TradeEvent]:
    """The trades of a page, oldest first. Raises RestError when a row breaks the data contract."""
    with good_values(exchange):
        return sorted(map(event, rows), key=lambda trade: trade.trade_id)


class Walk(ABC):
    """A `streaming.exchanges.venue.TradeHistory`: page after page until `_covered`."""

    exchange: ClassVar[str]

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        self._pair = pair
        self._from_id = from_id
        self._to_id = to_id
        self._covered = False

    @property
    def covered(self) -> bool:
        return self._covered

    def next_request(self) -> RestRequest | None:
        return None if self._covered else self._ask()

    def receive(self, reply: RestReply) -> list[TradeEvent]:
        trades = self._page(reply)
        self._advance(trades)
        return [t for t in trades if t.first_id >= self._from_id and t.trade_id <= self._to_id]

    @abstractmethod
    def _ask(self) -> RestRequest:
        """The next page."""

    @abstractmethod
    def _page(self, reply: RestReply) -> list[TradeEvent]:
        """The trades of a reply, oldest first. Raises RestError."""

    @abstractmethod
    def _advance(self, trades: list[TradeEvent]) -> None:
        """Choose the page after this one, or set `_covered`. Raises RestError."""

    def _require_newest(self, trades: list[TradeEvent]) -> None:
        """Raises RestError unless the newest trades reach the range: who is behind proves nothing."""
        if not trades or trades[-1].trade_id < self._to_id:
            raise RestError(f"{self.exchange}'s history is still behind its live feed.", retryable=True)


class BackwardWalk(Walk):
    """From the newest trade of the pair to the oldest of the range.

    The first page has no cursor: it is enough for most gaps and shows whether history has caught up with the
    feed. Each further one asks for what is older than a trade id (`_after`); the first of them begins right
    above the range, however far back that is. A page begins `overlap` rows before the previous one ended.
    """

    overlap: ClassVar[int] = 0

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        super().__init__(pair, from_id, to_id)
        self._after: int | None = None

    def _advance(self, trades: list[TradeEvent]) -> None:
        if self._after is None:
            self._require_newest(trades)
        if not trades or (self._after is not None and trades[0].first_id + self.overlap >= self._after):
            # Nothing older than what was seen: the exchange's history ends here.
            self._covered = True
            return
        oldest = trades[0].first_id
        self._after = min(oldest + self.overlap, self._to_id + 1)
        self._covered = oldest <= self._from_id
