"""When a state or a counter deserves an event."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_platform.watch import reporting
from crypto_platform.watch.reporting import Counted, Memory, Pace, Reported

PACE = Pace(heartbeat_s=600, growth_s=60)


@pytest.mark.parametrize(
    ("seen", "state", "now_s", "due"),
    [
        pytest.param(None, "ok", 1000.0, True, id="a new name is reported"),
        pytest.param(Reported("ok", 1000.0), "ok", 1599.0, False, id="an unchanged state waits"),
        pytest.param(Reported("ok", 1000.0), "ok", 1600.0, True, id="its heartbeat is reported"),
        pytest.param(Reported("ok", 1000.0), "exceeded", 1001.0, True, id="a change is reported at once"),
        pytest.param(Reported("exceeded", 1000.0), "ok", 1001.0, True, id="so is a recovery"),
    ],
)
def test_a_state_is_reported_on_change_and_as_a_heartbeat(
    seen: Reported | None, state: str, now_s: float, due: bool
) -> None:
    before = Memory(states={"trades": seen} if seen else {})
    names, after = reporting.states_due(before, {"trades": state}, now_s, PACE)
    assert names == ({"trades"} if due else set())
    assert after.states["trades"] == (Reported(state, now_s) if due else seen)


@pytest.mark.parametrize(
    ("seen", "value", "now_s", "grown"),
    [
        pytest.param(None, 0, 1000.0, False, id="an empty topic has not grown"),
        pytest.param(None, 5, 1000.0, True, id="the first messages are reported"),
        pytest.param(Counted(5, 1000.0), 5, 9000.0, False, id="a resting topic is never reported"),
        pytest.param(Counted(5, 1000.0), 9, 1059.0, False, id="growth waits for its turn"),
        pytest.param(Counted(5, 1000.0), 9, 1060.0, True, id="and is then reported"),
        pytest.param(Counted(5, 1000.0), 2, 1060.0, True, id="a recreated topic that grows is reported"),
        pytest.param(Counted(5, 1000.0), 0, 1060.0, False, id="a recreated, empty one is not"),
    ],
)
def test_growth_is_reported_rarely_and_only_when_there_is_some(
    seen: Counted | None, value: int, now_s: float, grown: bool
) -> None:
    before = Memory(counters={"trades": seen} if seen else {})
    names, after = reporting.counters_grown(before, {"trades": value}, now_s, PACE)
    assert names == ({"trades"} if grown else set())
    assert after.counters["trades"] == (Counted(value, now_s) if grown else seen or Counted(0, 0.0))


def test_what_is_no_longer_watched_is_forgotten() -> None:
    before = Memory(states={"gone": Reported("ok", 1.0)}, counters={"gone": Counted(1, 1.0)})
    _, after = reporting.states_due(before, {}, 2.0, PACE)
    _, after = reporting.counters_grown(after, {}, 2.0, PACE)
    assert after == Memory()


@pytest.mark.parametrize(
    "cursor", [None, "", "not json", "[]", '{"version": 99}', '{"version": 1, "states": 3}']
)
def test_an_unreadable_cursor_is_a_fresh_start(cursor: str | None) -> None:
    assert reporting.remember(cursor) == Memory()


@given(
    st.builds(
        Memory,
        states=st.dictionaries(st.text(), st.builds(Reported, st.text(), st.floats(0, 1e10))),
        counters=st.dictionaries(st.text(), st.builds(Counted, st.integers(0, 2**60), st.floats(0, 1e10))),
    )
)
def test_a_cursor_gives_back_what_was_written(memory: Memory) -> None:
    assert reporting.remember(reporting.write_cursor(memory)) == memory


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 1000)), min_size=1, max_size=40))
def test_events_never_come_faster_than_the_pace(steps: list[tuple[float, int]]) -> None:
    memory, now_s, value, reported_at = Memory(), 1000.0, 0, []
    for wait_s, more in steps:
        now_s, value = now_s + wait_s, value + more
        grown, memory = reporting.counters_grown(memory, {"trades": value}, now_s, PACE)
        reported_at += [now_s] if grown else []
    assert all(later - earlier >= PACE.growth_s for earlier, later in itertools.pairwise(reported_at))
