"""How far back the search for the last trade reads."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.producer.resume import FIRST_STEP, steps_backwards


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_steps_cover_the_partition_once_from_the_end(begin, length):
    end = begin + length
    steps = list(steps_backwards(begin, end))
    assert sum(stop - start for start, stop in steps) == length
    for start, stop in steps:
        assert stop == end
        assert start < stop
        end = start
    assert end == begin


def test_the_first_step_is_small_and_a_long_search_takes_few():
    steps = list(steps_backwards(0, 50_000_000))
    assert steps[0] == (50_000_000 - FIRST_STEP, 50_000_000)
    assert len(steps) < 8
