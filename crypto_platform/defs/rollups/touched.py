"""Computes again exactly the hours and days that late or back-filled trades have touched.

What belongs here: turning touched hours into runs. What does not: the bars of the stream, which are corrected
window by window within minutes (`defs/rollups/late_bars.py`); this comes after them, since statistics read
bars.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from crypto_platform.defs.rollups.jobs import roll_up_days_job, roll_up_hours_job
from crypto_platform.defs.rollups.partitions import range_tags, spans_of, touched
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from snowflake_sql import catalog as sql_files
from snowflake_sql.catalog import DAY, HOUR

SETTLED: Final = timedelta(minutes=5)
"""By then the bars of a late trade are corrected: that job looks every two minutes."""
FIRST_LOOKBACK: Final = timedelta(hours=1)
MOST_RUNS: Final = 20


@dg.sensor(
    name="late_trades_touched_rollups_sensor",
    jobs=[roll_up_hours_job, roll_up_days_job],
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When trades have come late, as after a gap or a back-fill of history, requests the hours "
    "and days they belong to and no others, neighbouring ones in one run.",
)
def late_trades_touched_rollups_sensor(
    context: dg.SensorEvaluationContext, warehouse: SnowflakeResource
) -> dg.SensorResult:
    """The cursor is the time up to which late trades have been answered."""
    until = datetime.now(UTC).replace(tzinfo=None) - SETTLED
    since = datetime.fromisoformat(context.cursor) if context.cursor else until - FIRST_LOOKBACK
    if since >= until:
        return dg.SensorResult(cursor=since.isoformat(), skip_reason=dg.SkipReason("The clock stands still."))
    with warehouse.connection("dagster: late hours") as connection:
        found = _late_hours(connection, {"from_time": since, "to_time": until})
    requests = requests_of([hour for hour, _, _ in found], until)
    return dg.SensorResult(
        run_requests=requests,
        cursor=until.isoformat(),
        skip_reason=None if requests else dg.SkipReason("No trade came late."),
    )


def _late_hours(connection: Any, span: dict[str, datetime]) -> list[tuple[datetime, int, datetime]]:
    from streaming import warehouse

    return [
        (row[0], int(row[1]), row[2])
        for row in warehouse.rows(connection, sql_files.statement("queries/late_hours"), span)
    ]


def requests_of(hours: list[datetime], until: datetime) -> list[dg.RunRequest]:
    """One run for each stretch of touched hours and each stretch of touched days."""
    requests = []
    for job, length in ((roll_up_hours_job, HOUR), (roll_up_days_job, DAY)):
        spans = spans_of(touched(hours, length), length)
        if len(spans) > MOST_RUNS:
            # Many holes: what lies between is computed along, which changes nothing and costs less than runs.
            spans = [(spans[0][0], spans[-1][1])]
        requests += [
            dg.RunRequest(
                run_key=f"{job.name} {start.isoformat()} {end.isoformat()} {until.isoformat()}",
                job_name=job.name,
                tags=range_tags(start, end, length) | {"reason": "late trades"},
            )
            for start, end in spans
        ]
    return requests
