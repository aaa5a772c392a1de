"""How far the loader is behind, and how that is said."""

import pytest

from crypto_platform.watch.lag import LIMIT_MESSAGES, State, explain, lag_by_topic


@pytest.mark.parametrize(
    ("end", "loaded", "lag_messages", "state"),
    [
        pytest.param({0: 10, 1: 20}, {0: 10, 1: 20}, 0, "ok", id="caught up"),
        pytest.param({0: 10, 1: 20}, {0: 7, 1: 20}, 3, "ok", id="a little behind"),
        pytest.param({0: LIMIT_MESSAGES}, {}, LIMIT_MESSAGES, "ok", id="nothing loaded yet, at the limit"),
        pytest.param({0: LIMIT_MESSAGES + 1}, {}, LIMIT_MESSAGES + 1, "exceeded", id="over the limit"),
        pytest.param({0: 5, 1: 90}, {0: 6, 1: 90}, 0, "ahead", id="read past the end"),
        pytest.param({0: 5, 1: 9000}, {0: 6, 1: 0}, 9000, "ahead", id="ahead outranks exceeded"),
    ],
)
def test_the_lag_is_what_the_loader_has_not_read(
    end: dict[int, int], loaded: dict[int, int], lag_messages: int, state: State
) -> None:
    ends = {("trades", partition): offset for partition, offset in end.items()}
    read = {("trades", partition): offset for partition, offset in loaded.items()}
    one = lag_by_topic(ends, read | {("other", 0): 99})["trades"]
    assert (one.lag_messages, one.state) == (lag_messages, state)
    assert (one.end_offset, one.loaded_offset) == (sum(end.values()), sum(loaded.values()))


def test_one_partition_ahead_never_hides_another_that_is_behind() -> None:
    one = lag_by_topic({("t", 0): 10, ("t", 1): 10}, {("t", 0): 20, ("t", 1): 3})["t"]
    assert one.lag_messages == 7
    assert (one.worst_partition, one.worst_lag_messages) == (1, 7)


def test_a_topic_that_does_not_exist_has_no_lag() -> None:
    assert lag_by_topic({}, {("t", 0): 5}) == {}


@pytest.mark.parametrize(
    ("end", "read", "words"),
    [
        (10, 4, ["6 messages behind t", "within"]),
        (9000, 0, ["9000 messages behind t", "over the limit", "partition 0", "loader's log"]),
        (1, 5, ["recreated", "OPS.LOAD_OFFSETS"]),
    ],
)
def test_a_verdict_names_its_numbers_and_what_to_do(end: int, read: int, words: list[str]) -> None:
    sentence = explain(lag_by_topic({("t", 0): end}, {("t", 0): read})["t"])
    assert [word for word in words if word not in sentence] == []
