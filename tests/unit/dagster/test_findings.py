"""The verdicts on replicas, group lag, feeds, gaps, dead letters, back-pressure, daemons and candles."""

from decimal import Decimal

import pytest

from crypto_platform.watch import backpressure, daemons, feeds, group_lag, growth, ledger, official, replicas
from crypto_platform.watch.checkpoints import JobProgress, stuck
from crypto_platform.watch.lag import LIMIT_MESSAGES
from streaming.exchanges.candles import Candle


@pytest.mark.parametrize(
    ("leader", "in_sync", "state"),
    [(1, 3, "ok"), (1, 2, "under_replicated"), (-1, 0, "leaderless")],
)
def test_a_topic_is_as_well_as_its_worst_partition(leader: int, in_sync: int, state: str) -> None:
    partitions = [replicas.PartitionState(0, 1, 3, 3), replicas.PartitionState(1, leader, 3, in_sync)]
    assert replicas.judge("trades", "kafka/trades", partitions).state == state


@pytest.mark.parametrize(
    ("committed", "state", "lag"),
    [(10, "ok", 0), (4, "ok", 6), (-1001, "ok", 0), (10 - LIMIT_MESSAGES - 1, "ok", 0)],
)
def test_a_groups_lag_is_its_distance_to_the_end(committed: int, state: str, lag: int) -> None:
    found = group_lag.judge(
        "g", "t", "kafka/t", {("t", 0): 10, ("u", 0): 99}, {("t", 0): committed}, {0: "BTC-USDT"}
    )
    assert (found.state, found.numbers["lag_g_BTC-USDT"]) == (state, lag)


def test_a_group_that_is_far_behind_is_told_with_its_worst_pair() -> None:
    ends = {("t", 0): 9 * LIMIT_MESSAGES, ("t", 1): 10}
    found = group_lag.judge("g", "t", "kafka/t", ends, {("t", 0): 0, ("t", 1): 10}, {0: "BTC-USDT"})
    assert found.state == "exceeded"
    assert "BTC-USDT" in found.sentence


def answer(trade_age_s: float | None, ticker_age_s: float | None, **more: object) -> dict[str, object]:
    ages = {"last_trade_age_s": trade_age_s, "last_ticker_age_s": ticker_age_s}
    return {"pairs": {"BTC-USDT": ages}, **more}


@pytest.mark.parametrize(
    ("details", "state"),
    [
        (answer(900.0, 0.2), "ok"),
        (answer(None, 0.2), "ok"),
        (answer(16.0, 20.0), "stale"),
        (answer(None, None), "stale"),
        (answer(None, None, pairs_resting=["BTC-USDT"]), "ok"),
        (answer(0.1, 0.1, spooling=True), "spooling"),
        (None, "silent"),
        ({"waiting_for": "kafka"}, "silent"),
    ],
)
def test_a_feed_is_judged_by_its_pairs(details: dict[str, object] | None, state: str) -> None:
    assert feeds.judge("kafka/t", [feeds.feed_of("okx", details)]).state == state


@pytest.mark.parametrize(("age_s", "state"), [(None, "ok"), (5.0, "ok"), (121.0, "open")])
def test_a_gap_is_trouble_when_it_stays_open(age_s: float | None, state: str) -> None:
    assert ledger.judge_gaps("a/b", {"open": 1, "filled": 7}, age_s).state == state


@pytest.mark.parametrize(
    ("stages", "state"), [({}, "ok"), ({"parse": 2}, "refused"), ({"parse": 2, "load": 1}, "quarantine")]
)
def test_a_quarantined_row_outranks_a_dead_letter(stages: dict[str, int], state: str) -> None:
    assert ledger.judge_refused("a/b", stages, 3600).state == state


@pytest.mark.parametrize(("level", "state"), [("ok", "ok"), ("low", "ok"), (None, "ok"), ("high", "high")])
def test_only_high_back_pressure_is_told(level: str | None, state: str) -> None:
    assert backpressure.judge("bars", "a/b", {"source": "ok", "window": level}).state == state


@pytest.mark.parametrize(
    ("age_s", "errors", "state"),
    [(5.0, {}, "ok"), (None, {}, "silent"), (301.0, {}, "silent"), (5.0, {"S": "x"}, "errors")],
)
def test_a_daemon_must_beat(age_s: float | None, errors: dict[str, str], state: str) -> None:
    assert daemons.judge("a/b", {"SENSOR": age_s, "BACKFILL": 1.0}, errors).state == state


@pytest.mark.parametrize(
    ("interval_ms", "age_s", "is_stuck"),
    [
        (10_000, 50, False),
        (10_000, 61, True),
        (2_000, 59, False),
        (2_000, 61, True),
        (60_000, 170, False),
        (60_000, 181, True),
    ],
)
def test_a_job_without_a_checkpoint_for_three_intervals_is_stuck(
    interval_ms: int, age_s: float, is_stuck: bool
) -> None:
    job = JobProgress("bars", "RUNNING", started_at_ms=0, completed=3, last_completed_at_ms=1_000_000)
    assert bool(stuck(job, interval_ms, 1000 + age_s)) == is_stuck


def follow(lags: list[int], every_s: float = 60) -> list[str]:
    trend, verdicts = growth.Trend(), []
    for number, lag in enumerate(lags):
        verdict, trend = growth.judge(trend, lag, 1000 + every_s * number)
        verdicts.append(verdict)
    return verdicts


def test_a_lag_that_grows_restarts_the_loader_once_and_then_gives_up() -> None:
    growing = [LIMIT_MESSAGES + 1000 * number for number in range(1, 31)]
    verdicts = follow(growing)
    assert verdicts.count("restart") == 1
    assert verdicts.count("give_up") == 1
    assert verdicts.index("restart") < verdicts.index("give_up")
    assert set(verdicts[verdicts.index("give_up") + 1 :]) == {"gave_up"}


def test_a_burst_that_is_worked_off_restarts_nothing() -> None:
    burst = [0, 9000, 20000, 15000, 9000, 3000, 0]
    assert set(follow(burst)) == {"calm"}


def test_a_lag_that_shrinks_after_giving_up_clears() -> None:
    growing = [LIMIT_MESSAGES + 1000 * number for number in range(1, 31)]
    assert follow([*growing, 10, 20])[-2:] == ["calm_again", "calm"]


def candle(start_ms: int, volume: str = "2", close: str = "101") -> Candle:
    figures = (Decimal("100"), Decimal("102"), Decimal("99"), Decimal(close), Decimal(volume))
    return Candle("BTC-USDT", start_ms, *figures, quote_volume=Decimal("200"))


def bar(start_ms: int, volume: str = "2.000") -> official.OurBar:
    figures = (Decimal("100.0"), Decimal("102"), Decimal("99"), Decimal("101"), Decimal(volume))
    return official.OurBar("BTC-USDT", start_ms, *figures)


def test_equal_figures_of_other_scale_are_no_difference() -> None:
    assert official.compare([bar(0)], [candle(0)]) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "left_out", "figures"),
    [
        ([bar(0)], [candle(0, close="100.9")], [], ["close"]),
        ([bar(0)], [candle(0), candle(60_000)], [], list(official.FIGURES)),
        ([bar(0)], [candle(0), candle(60_000)], [("BTC-USDT", 60_000)], []),
        ([bar(0)], [candle(0), candle(60_000, volume="0")], [], []),
        ([bar(0), bar(60_000)], [candle(0)], [], list(official.FIGURES)),
        ([bar(0, "1.999")], [candle(0)], [], ["volume"]),
    ],
)
def test_a_minute_that_differs_or_is_missing_is_told(
    ours: list[official.OurBar],
    theirs: list[Candle],
    left_out: list[tuple[str, int]],
    figures: list[str],
) -> None:
    assert [one.figure for one in official.compare(ours, theirs, left_out)] == figures
