"""The schedule of faults: reproducible, complete, and within what the platform promises to bear."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from tests.chaos.schedule import (
    CHANGES_FEED,
    ENDS_CONNECTIONS,
    FULL,
    FULL_S,
    LASTS_S,
    LEAD_S,
    SHORT,
    SILENT,
    SPACE_S,
    TAIL_S,
    TICKERS,
    TRADES,
    Fault,
    Kind,
    ScheduleError,
    mix,
    plan,
)

SEEDS = range(40)
LENGTHS = (52.0, 180.0, 240.0, FULL_S)


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_same_seed_gives_the_same_schedule_and_another_one_another(seconds: float) -> None:
    assert plan(7, seconds) == plan(7, seconds)
    assert plan(7, seconds) != plan(8, seconds)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_run_has_every_kind_twice_or_more_and_exactly_five_kills(seed: int) -> None:
    counts = Counter(fault.kind for fault in plan(seed, FULL_S))
    assert counts == FULL
    assert counts.keys() == set(Kind)
    assert min(counts.values()) >= 2
    assert counts[Kind.KILL] == 5


@pytest.mark.parametrize(
    ("seconds", "counts"), [(45.0, SHORT), (60.0, SHORT), (FULL_S, FULL), (6000.0, FULL)]
)
def test_short_and_full_runs_have_their_mix(seconds: float, counts: dict[Kind, int]) -> None:
    assert mix(seconds) == counts


def test_a_run_in_between_has_its_share_and_each_kind_at_least_once() -> None:
    counts = mix(300)
    assert counts.keys() == set(Kind)
    assert (counts[Kind.CUT], counts[Kind.MUTE], counts[Kind.DUPLICATE]) == (6, 1, 6)


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("seed", SEEDS)
def test_faults_come_in_order_within_the_time_and_last_as_long_as_their_kind_may(
    seed: int, seconds: float
) -> None:
    faults = plan(seed, seconds)
    times = [fault.at_s for fault in faults]
    assert times == sorted(times)
    assert times[0] >= LEAD_S
    assert times[-1] <= seconds - TAIL_S + 0.01
    for fault in faults:
        shortest, longest = LASTS_S.get(fault.kind, (0.0, 0.0))
        assert shortest <= fault.seconds <= longest


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_cuts_a_silence_of_the_trades_short(seed: int, seconds: float) -> None:
    faults = plan(seed, seconds)
    silences = [fault for fault in faults if fault.kind in SILENT and fault.target == TRADES]
    assert silences
    for silence in silences:
        during = [f for f in faults if silence.at_s < f.at_s < silence.at_s + silence.seconds]
        assert not {f.kind for f in during} & (ENDS_CONNECTIONS | CHANGES_FEED | {Kind.KILL})


@pytest.mark.parametrize("kind", SPACE_S)
@pytest.mark.parametrize("seed", SEEDS)
def test_kills_and_stops_of_one_kind_keep_their_distance(seed: int, kind: Kind) -> None:
    times = [fault.at_s for fault in plan(seed, FULL_S) if fault.kind is kind]
    assert all(b - a >= SPACE_S[kind] - 0.02 for a, b in itertools.pairwise(times))


def test_faults_overlap() -> None:
    faults = [fault for fault in plan(1, FULL_S) if fault.seconds]
    assert sum(b.at_s < a.at_s + a.seconds for a, b in itertools.pairwise(faults)) > 5


def test_each_kind_that_can_strike_the_trades_does() -> None:
    struck = {fault.kind for fault in plan(3, FULL_S) if fault.target == TRADES}
    assert struck >= SILENT | ENDS_CONNECTIONS | CHANGES_FEED


@pytest.mark.parametrize(
    ("kind", "target", "stops"),
    [
        (Kind.KILL, "producer", True),
        (Kind.SIGSTOP, "producer", True),
        (Kind.MUTE, TRADES, True),
        (Kind.STALL, TICKERS, False),
        (Kind.CUT, TRADES, False),
        (Kind.BROKER_KILL, "kafka-1", False),
    ],
)
def test_progress_is_excused_only_while_no_trade_can_come(kind: Kind, target: str, stops: bool) -> None:
    assert Fault(1.0, kind, target, 5.0, 0).stops_trades is stops


def test_too_little_time_is_an_error_that_names_what_does_not_fit() -> None:
    with pytest.raises(ScheduleError, match="stall-mute"):
        plan(1, 30.0)
