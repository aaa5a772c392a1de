"""Sets of trade ids as sorted, disjoint, inclusive ranges, and the few operations an audit needs.

What belongs here: pure interval arithmetic. What does not: where ids come from.

Ids of a pair are almost always consecutive, so millions of them are a handful of ranges.
"""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
"""First and last id, both included."""


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same ids as sorted, disjoint ranges, with neighbours joined.

    Raises:
        ValueError: a range ends before it starts.
    """
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if last < first:
            raise ValueError(f"the range {first}..{last} ends before it starts")
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def count(ranges: Iterable[Range]) -> int:
    """How many ids disjoint ranges hold."""
    return sum(last - first + 1 for first, last in ranges)


def subtract(ranges: Iterable[Range], removed: Iterable[Range]) -> list[Range]:
    """The ids of `ranges` that are not in `removed`."""
    result: list[Range] = []
    cuts = merge(removed)
    position = 0
    for first, last in merge(ranges):
        start = first
        while position < len(cuts) and cuts[position][1] < start:
            position += 1
        at = position
        while at < len(cuts) and cuts[at][0] <= last:
            if cuts[at][0] > start:
                result.append((start, cuts[at][0] - 1))
            start = max(start, cuts[at][1] + 1)
            at += 1
        if start <= last:
            result.append((start, last))
    return result


def hull(ranges: Iterable[Range]) -> Range | None:
    """The smallest single range that holds all ids, or None without any."""
    merged = merge(ranges)
    return (merged[0][0], merged[-1][1]) if merged else None


class IdSet:
    """A growing set of ids that arrive mostly in order."""

    def __init__(self) -> None:
        self._ranges: list[Range] = []
        self._pending: list[Range] = []

    def add(self, first: int, last: int) -> None:
        """Add the ids first..last."""
        if self._ranges and first == self._ranges[-1][1] + 1:
            self._ranges[-1] = (self._ranges[-1][0], last)
        elif not self._ranges or first > self._ranges[-1][1]:
            self._ranges.append((first, last))
        else:
            self._pending.append((first, last))

    def ranges(self) -> list[Range]:
        """What has been added, merged."""
        self._ranges = merge([*self._ranges, *self._pending])
        self._pending = []
        return list(self._ranges)
