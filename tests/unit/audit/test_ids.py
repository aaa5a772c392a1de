"""Interval arithmetic against plain sets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.audit import ids

ranges = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda t: (t[0], t[0] + t[1])), max_size=8
)


def as_set(some: list[ids.Range]) -> set[int]:
    return {n for first, last in some for n in range(first, last + 1)}


@given(ranges)
def test_merging_keeps_every_id_and_leaves_no_neighbours(some: list[ids.Range]) -> None:
    merged = ids.merge(some)
    assert as_set(merged) == as_set(some)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(merged))
    assert ids.count(merged) == len(as_set(some))


@given(ranges, ranges)
def test_subtracting_is_the_difference_of_sets(some: list[ids.Range], removed: list[ids.Range]) -> None:
    assert as_set(ids.subtract(some, removed)) == as_set(some) - as_set(removed)


@given(ranges)
def test_a_growing_set_holds_what_was_added_in_any_order(some: list[ids.Range]) -> None:
    growing = ids.IdSet()
    for first, last in some:
        growing.add(first, last)
    assert growing.ranges() == ids.merge(some)


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        ids.merge([(5, 4)])
