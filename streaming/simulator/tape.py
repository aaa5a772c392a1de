"""Everything one pair has traded, compactly, with exact totals.

What belongs here: storage, look-up by id, eviction, totals. What does not: candles' arithmetic (`candles`)
and anything on disk (`journal`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import mul

from streaming.errors import PlatformError
from streaming.simulator.candles import MinuteCandles
from streaming.simulator.events import Fill

SELL = 1
CONTINUES = 2


class HistoryEvictedError(PlatformError):
    """Trades were asked for that happened but are no longer kept."""

    def __init__(self, pair: str, asked: int, oldest: int) -> None:
        super().__init__(
            f"Trades of {pair} up to id {asked} are no longer kept; the oldest is {oldest}.",
            "Ask for newer ones.",
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the trades that are kept. `size` in lots, `quote` in ticks times lots."""

    count: int
    first_id: int
    last_id: int
    min_time_ms: int
    max_time_ms: int
    size: int
    quote: int


class Tape:
    """Fills of one pair with consecutive ids.

    Args:
        pair: for messages.
        first_id: of the first fill that will be appended.
        limit: most fills kept; older ones are evicted in steps of a tenth.
    """

    def __init__(self, pair: str, first_id: int, limit: int) -> None:
        self.pair = pair
        self.first_id = first_id
        self.evicted = 0
        self.candles = MinuteCandles()
        self._limit = limit
        self._slack = max(limit // 10, 1)
        self._time = array("q")
        self._price = array("q")
        self._size = array("q")
        self._flags = array("b")
        self._time_sorted = True
        self._size_sum = 0
        self._quote_sum = 0

    def __len__(self) -> int:
        return len(self._time)

    @property
    def next_id(self) -> int:
        return self.first_id + len(self._time)

    @property
    def last(self) -> Fill | None:
        return self[self.next_id - 1] if self._time else None

    def __getitem__(self, trade_id: int) -> Fill:
        i = trade_id - self.first_id
        if not 0 <= i < len(self._time):
            raise KeyError(trade_id)
        return self._at(i)

    def append(self, fill: Fill) -> None:
        """Keep a fill, whose id must be `next_id`."""
        if fill.trade_id != self.next_id:
            raise ValueError(f"{self.pair}: id {fill.trade_id} follows {self.next_id - 1}")
        if self._time and fill.time_ms < self._time[-1]:
            self._time_sorted = False
        self._time.append(fill.time_ms)
        self._price.append(fill.price)
        self._size.append(fill.size)
        self._flags.append((SELL if fill.sell else 0) | (CONTINUES if fill.continues else 0))
        self._size_sum += fill.size
        self._quote_sum += fill.price * fill.size
        self.candles.add(fill)
        if len(self._time) >= self._limit + self._slack:
            self._evict(self._slack)

    def span(self, first_id: int, last_id: int) -> Iterator[Fill]:
        """The fills with ids in [first_id, last_id] that exist, oldest first.

        Raises:
            HistoryEvictedError: some of them have been evicted.
        """
        if self.evicted and first_id < self.first_id and last_id >= self.first_id - self.evicted:
            raise HistoryEvictedError(self.pair, min(last_id, self.first_id - 1), self.first_id)
        begin = max(first_id - self.first_id, 0)
        end = min(last_id - self.first_id + 1, len(self._time))
        return map(self._at, range(begin, end))

    def before_id(self, trade_id: int, limit: int) -> list[Fill]:
        """Up to `limit` fills with smaller ids, newest first.

        Raises:
            HistoryEvictedError: there were such fills, but none of them is kept.
        """
        if self.evicted and trade_id <= self.first_id:
            raise HistoryEvictedError(self.pair, trade_id - 1, self.first_id)
        end = max(min(trade_id - self.first_id, len(self._time)), 0)
        return [self._at(i) for i in range(end - 1, max(end - limit, 0) - 1, -1)]

    def before_time(self, time_ms: int, limit: int) -> list[Fill]:
        """Up to `limit` fills earlier than a time, newest id first.

        Raises:
            HistoryEvictedError: as `before_id`.
        """
        if self._time_sorted:
            found = self.before_id(self.first_id + bisect_left(self._time, time_ms), limit)
        else:
            found = []
            for i in range(len(self._time) - 1, -1, -1):
                if self._time[i] < time_ms:
                    found.append(self._at(i))
                    if len(found) == limit:
                        break
        if not found and self.evicted:
            raise HistoryEvictedError(self.pair, self.first_id - 1, self.first_id)
        return found

    def after_time(self, time_ms: int, limit: int) -> list[Fill]:
        """Up to `limit` fills later than a time that are kept, oldest id first."""
        if self._time_sorted:
            begin = bisect_right(self._time, time_ms)
            return [self._at(i) for i in range(begin, min(begin + limit, len(self._time)))]
        later = (i for i, time in enumerate(self._time) if time > time_ms)
        return [self._at(i) for i in islice(later, limit)]

    def totals(self) -> Totals | None:
        """Sums over what is kept; None if that is nothing."""
        if not self._time:
            return None
        return Totals(
            len(self._time),
            self.first_id,
            self.next_id - 1,
            self._time[0] if self._time_sorted else min(self._time),
            self._time[-1] if self._time_sorted else max(self._time),
            self._size_sum,
            self._quote_sum,
        )

    def extend(self, fills: Iterable[Fill]) -> None:
        for fill in fills:
            self.append(fill)

    def _at(self, i: int) -> Fill:
        flags = self._flags[i]
        return Fill(
            self.first_id + i,
            self._time[i],
            self._price[i],
            self._size[i],
            bool(flags & SELL),
            bool(flags & CONTINUES),
        )

    def _evict(self, count: int) -> None:
        self._size_sum -= sum(self._size[:count])
        self._quote_sum -= sum(map(mul, self._price[:count], self._size[:count]))
        for column in (self._time, self._price, self._size, self._flags):
            del column[:count]
        self.first_id += count
        self.evicted += count
