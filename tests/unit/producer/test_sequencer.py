"""The arithmetic of the tape: what is new, what was seen, what is missing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.producer.sequencer import DUPLICATE, LATE, NEW, IdRange, IdSet, TradeSequencer


@pytest.mark.parametrize(
    ("last_id", "row", "take", "reason", "gap", "last_after"),
    [
        (None, (5, 5), True, "new", None, 5),
        (10, (11, 11), True, "new", None, 11),
        (10, (11, 15), True, "new", None, 15),
        (10, (12, 12), True, "new", (11, 11), 12),
        (10, (20, 22), True, "new", (11, 19), 22),
        (10, (10, 10), False, "duplicate", None, 10),
        (10, (3, 3), False, "duplicate", None, 10),
        (10, (8, 10), False, "duplicate", None, 10),
        (10, (9, 12), False, "overlap", (11, 12), 12),
    ],
)
def test_one_row(last_id, row, take, reason, gap, last_after):
    sequencer = TradeSequencer(last_id)
    verdict = sequencer.offer(*row)
    assert (verdict.take, verdict.reason) == (take, reason)
    assert verdict.gap == (IdRange(*gap) if gap else None)
    assert sequencer.last_id == last_after


def test_the_first_row_ever_is_where_the_tape_begins():
    sequencer = TradeSequencer()
    assert sequencer.offer(7, 7) is NEW
    assert sequencer.offer(8, 8) is NEW


def test_a_late_row_fills_the_gap_once():
    sequencer = TradeSequencer(10)
    sequencer.offer(14, 14)
    assert sequencer.offer(12, 12) is LATE
    assert sequencer.offer(12, 12) is DUPLICATE
    assert sequencer.missing.ranges() == (IdRange(11, 11), IdRange(13, 13))


def test_ids_that_only_grow_leave_no_gaps():
    sequencer = TradeSequencer(contiguous=False)
    assert sequencer.offer(10, 10) is NEW
    assert sequencer.offer(99, 99) is NEW
    assert not sequencer.missing


@given(st.sets(st.integers(1, 60)), st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=12))
def test_an_id_set_is_a_set(start, changes):
    ids = IdSet(IdRange(i, i) for i in start)
    model = set(start)
    for number, (first, length) in enumerate(changes):
        item = IdRange(first, first + length)
        covered = set(range(item.first, item.last + 1))
        assert ids.contains(item) == (covered <= model)
        if number % 2:
            ids.add(item)
            model |= covered
        else:
            ids.remove(item)
            model -= covered
        ranges = ids.ranges()
        assert {i for r in ranges for i in range(r.first, r.last + 1)} == model
        assert all(a.last + 1 < b.first for a, b in itertools.pairwise(ranges))
        assert {i for r in ids.within(item) for i in range(r.first, r.last + 1)} == model & covered


@given(st.integers(1, 60), st.data())
def test_any_mix_of_duplicates_losses_and_overlaps_yields_each_id_once_and_the_gaps_exactly(length, data):
    stream = list(range(101, 101 + length))
    lost = data.draw(st.sets(st.sampled_from(stream), max_size=length - 1))
    # Two connections bring the same stream, each with its own delay; then the back-fill brings some again.
    arrivals = []
    for connection in range(2):
        kept = [i for i in stream if i not in lost]
        order = data.draw(st.lists(st.integers(0, 10), min_size=len(kept), max_size=len(kept)))
        clock = 0
        for trade_id, delay in zip(kept, order, strict=True):
            clock += delay
            arrivals.append((clock, connection, trade_id))
    sequencer = TradeSequencer(100)
    taken = []
    for _, _, trade_id in sorted(arrivals):
        if sequencer.offer(trade_id, trade_id).take:
            taken.append(trade_id)
    assert sorted(taken) == [i for i in stream if i not in lost]
    top = max(taken)
    missing = {i for r in sequencer.missing.ranges() for i in range(r.first, r.last + 1)}
    assert missing == {i for i in lost if i < top}
    for trade_id in data.draw(st.permutations([*stream, *stream])):
        if sequencer.offer(trade_id, trade_id).take:
            taken.append(trade_id)
    assert len(taken) == len(set(taken))
    left = {i for r in sequencer.missing.ranges() for i in range(r.first, r.last + 1)}
    assert set(taken) | left == set(stream)
    assert not set(taken) & left


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5)), max_size=40))
def test_rows_of_many_ids_are_taken_whole_and_never_twice(rows):
    sequencer = TradeSequencer(0)
    seen: set[int] = set()
    for first, extra in rows:
        ids = set(range(first, first + extra + 1))
        if sequencer.offer(first, first + extra).take:
            assert not ids & seen
            seen |= ids
    missing = {i for r in sequencer.missing.ranges() for i in range(r.first, r.last + 1)}
    assert seen | missing == set(range(1, sequencer.last_id + 1))
    assert not seen & missing
