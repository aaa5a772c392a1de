"""Which trade of a pair is new, which was seen, and which are missing. Pure, one object per pair.

What belongs here: arithmetic on trade ids. What does not: writing gaps down (`ledger`), fetching them
(`filler`), locks (`tape`).

Ids of a pair grow by one (a venue's `id_contiguous`), so `first_id > last_id + 1` is a gap. A row covers
`first_id..trade_id` and is indivisible: it is taken whole or not at all. Where ids have holes, only an
interruption of the feed makes the next jump a gap: trades may lie in it, or none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, order=True)
class IdRange:
    """Trade ids `first..last`, both inclusive."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class IdSet:
    """A set of trade ids as disjoint ranges in order; small, because it only holds what is missing."""

    def __init__(self, ranges: Iterable[IdRange] = ()) -> None:
        self._ranges: list[IdRange] = []
        for item in sorted(ranges):
            self.add(item)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def ranges(self) -> tuple[IdRange, ...]:
        """The ranges, lowest first."""
        return tuple(self._ranges)

    def within(self, bounds: IdRange) -> list[IdRange]:
        """The parts of the set inside `bounds`, lowest first."""
        return [
            IdRange(max(r.first, bounds.first), min(r.last, bounds.last))
            for r in self._ranges
            if r.first <= bounds.last and r.last >= bounds.first
        ]

    def contains(self, item: IdRange) -> bool:
        """Whether every id of `item` is in the set."""
        at = self._index(item.first)
        return at >= 0 and self._ranges[at].last >= item.last

    def add(self, item: IdRange) -> None:
        """Add ids; ranges that touch are joined."""
        if not self._ranges or item.first > self._ranges[-1].last + 1:
            self._ranges.append(item)
            return
        joined = [r for r in self._ranges if r.first <= item.last + 1 and r.last >= item.first - 1]
        for r in joined:
            item = IdRange(min(r.first, item.first), max(r.last, item.last))
            self._ranges.remove(r)
        self._ranges.insert(self._index(item.first) + 1, item)

    def remove(self, item: IdRange) -> None:
        """Remove ids; those that are not in the set do not matter."""
        at = max(self._index(item.first), 0)
        while at < len(self._ranges) and self._ranges[at].first <= item.last:
            r = self._ranges[at]
            left = [IdRange(r.first, item.first - 1)] if r.first < item.first else []
            right = [IdRange(item.last + 1, r.last)] if r.last > item.last else []
            if r.last < item.first:
                at += 1
                continue
            self._ranges[at : at + 1] = [*left, *right]
            at += len(left) + len(right)

    def _index(self, value: int) -> int:
        """Index of the last range that begins at or before `value`, -1 if none does."""
        return bisect_right(self._ranges, value, key=lambda r: r.first) - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a row: take it or not; `gap` is what is missing right before it."""

    take: bool
    reason: str
    gap: IdRange | None = None


NEW: Final = Verdict(True, "new")
LATE: Final = Verdict(True, "late")
DUPLICATE: Final = Verdict(False, "duplicate")


class TradeSequencer:
    """The tape's position: the highest id seen, and the ids below it that are still missing."""

    def __init__(
        self, last_id: int | None = None, missing: Iterable[IdRange] = (), *, contiguous: bool = True
    ) -> None:
        self.last_id = last_id
        self.missing = IdSet(missing)
        self.contiguous = contiguous
        self._interrupted = last_id is not None

    def offer(self, first_id: int, trade_id: int) -> Verdict:
        """Judge a row and move on.

        NEW and LATE rows are taken; LATE ones fill a gap. DUPLICATE ones are not. The tape begins with the
        first row ever, also when that is the old trade of a first push. A row that repeats some ids and
        brings others cannot be cut: it is not taken ("overlap"), and its new ids are a gap.
        """
        last_id = self.last_id
        if last_id is None:
            self.last_id = trade_id
            return NEW
        if first_id == last_id + 1:
            self.last_id = trade_id
            self._interrupted = False
            return NEW
        if first_id > last_id:
            self.last_id = trade_id
            if not (self.contiguous or self._interrupted):
                return NEW
            self._interrupted = False
            gap = IdRange(last_id + 1, first_id - 1)
            self.missing.add(gap)
            return Verdict(True, "new", gap)
        if trade_id > last_id:
            self.last_id = trade_id
            gap = IdRange(last_id + 1, trade_id)
            self.missing.add(gap)
            return Verdict(False, "overlap", gap)
        if self.missing:
            item = IdRange(first_id, trade_id)
            if self.missing.contains(item):
                self.missing.remove(item)
                return LATE
        return DUPLICATE

    def interrupted(self) -> None:
        """Trades may have passed unseen since the last one."""
        self._interrupted = self.last_id is not None

    def expect(self, newest_id: int) -> IdRange | None:
        """The exchange has traded up to `newest_id`: what of it has not come is a gap."""
        if self.last_id is None or newest_id <= self.last_id:
            return None
        gap = IdRange(self.last_id + 1, newest_id)
        self.last_id = newest_id
        self._interrupted = False
        self.missing.add(gap)
        return gap
