"""Which rollups are computed by themselves, and which of their partitions."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from crypto_platform import catalog
from crypto_platform.defs.rollups import automation, partitions, touched
from crypto_platform.defs.rollups.assets import SETTLED, layer_of, rollups, span_of
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from snowflake_sql.catalog import DAY, HOUR, MINUTE, ROLLUPS, Rollup

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def requested(*moments: datetime) -> dict[str, set[str]]:
    """The partitions that are asked for at the last of the moments, by table."""
    definitions = dg.Definitions(assets=rollups, resources={"warehouse": SnowflakeResource()})
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for moment in moments:
            result = dg.evaluate_automation_conditions(
                definitions, instance, cursor=cursor, evaluation_time=moment
            )
            cursor = result.cursor
    found: dict[str, set[str]] = {}
    for rollup in ROLLUPS:
        asked = result.get_requested_partitions(catalog.table_key(rollup.table))
        if asked:
            found[rollup.table] = {str(key) for key in asked}
    return found


def test_the_hour_that_has_begun_and_the_one_before_are_computed_every_quarter() -> None:
    found = requested(NOON + 17 * MINUTE, NOON + 19 * MINUTE)
    hourly = [one.table for one in ROLLUPS if automation.is_automated(one) and one.partition == HOUR]
    assert found == {table: {"2026-03-01-11:00", "2026-03-01-12:00"} for table in hourly}


def test_the_day_that_has_begun_and_the_one_before_are_computed_every_hour() -> None:
    found = requested(NOON + 8 * MINUTE, NOON + 10 * MINUTE)
    daily = [one.table for one in ROLLUPS if one.partition == DAY]
    assert daily
    assert found == {table: {"2026-02-28", "2026-03-01"} for table in daily}


def test_nothing_is_computed_between_the_ticks() -> None:
    assert requested(NOON + 20 * MINUTE, NOON + 30 * MINUTE) == {}


@pytest.mark.parametrize(
    ("reads", "corrects", "layer"),
    [
        (("RAW.TRADES",), True, "bars"),
        (("RAW.TRADES",), False, "rollups"),
        (("MARKET.BARS_1M",), False, "statistics"),
        (("MARKET.BARS_1M", "RAW.TRADES"), False, "statistics"),
    ],
)
def test_a_rollup_stands_where_its_input_puts_it(reads: tuple[str, ...], corrects: bool, layer: str) -> None:
    assert layer_of(Rollup("rollups/x", "MARKET.X", "pair", DAY, reads, corrects=corrects)) == layer


def test_a_window_that_the_stream_still_writes_is_left_to_it() -> None:
    window = dg.TimeWindow(NOON, NOON + HOUR)
    five = Rollup("rollups/x", "MARKET.X", "pair", 5 * MINUTE, ("RAW.TRADES",), corrects=True)
    naive = NOON.replace(tzinfo=None)
    span = span_of(five, window, NOON + 23 * MINUTE + timedelta(seconds=5))
    assert span == {"from_time": naive, "to_time": naive + 20 * MINUTE}
    assert span_of(five, window, NOON + SETTLED) is None
    assert span_of(five, window, NOON + 5 * HOUR) == {"from_time": naive, "to_time": naive + HOUR}
    day = Rollup("rollups/x", "MARKET.X", "pair", DAY, ("RAW.TRADES",))
    assert span_of(day, window, NOON) == {"from_time": naive, "to_time": naive + HOUR}


def test_scattered_hours_become_few_runs() -> None:
    naive = NOON.replace(tzinfo=None)
    hours = [naive - 3 * number * HOUR for number in range(100)]
    asked = touched.requests_of(hours, naive)
    by_job = {
        name: [one for one in asked if one.job_name == name]
        for name in ("roll_up_hours_job", "roll_up_days_job")
    }
    assert len(by_job["roll_up_hours_job"]) == 1, "one run over all of them"
    assert len(by_job["roll_up_days_job"]) == 1
    assert len({one.run_key for one in asked}) == len(asked)


def test_a_range_of_partitions_is_named_by_its_ends() -> None:
    naive = NOON.replace(tzinfo=None)
    assert partitions.range_tags(naive, naive + HOUR, HOUR) == {
        partitions.RANGE_START: "2026-03-01-12:00",
        partitions.RANGE_END: "2026-03-01-12:00",
    }
    midnight = naive.replace(hour=0)
    assert partitions.range_tags(midnight, midnight + 3 * DAY, DAY) == {
        partitions.RANGE_START: "2026-03-01",
        partitions.RANGE_END: "2026-03-03",
    }
