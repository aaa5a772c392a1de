"""Corrects one-minute bars whose trades came late.

What belongs here: finding the minutes and recomputing them. What does not: the SQL
(`snowflake_sql/queries/touched_minutes.sql`, `snowflake_sql/rollups/bars_1m_recompute.sql`), and bars that
are on time, which Flink computes.

A trade is late when it is loaded after the bar of its minute, as after a gap was filled by REST. The table
takes it, the bar does not know it; recomputing the bar raises its revision.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from crypto_platform import catalog, warehouse_sql
from crypto_platform.defs.warehouse.resources import RETRY_POLICY, WarehouseResource

MINUTE: Final = timedelta(minutes=1)
BARS_1M: Final = "MARKET.BARS_1M"


class Lookback(dg.Config):
    """How long ago a late trade may have been loaded; the schedule runs more often than that."""

    hours: float = 3.0


def spans_of(minutes: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """The fewest spans [from, to) that cover exactly these minutes."""
    spans: list[tuple[datetime, datetime]] = []
    for minute in sorted(set(minutes)):
        if spans and spans[-1][1] == minute:
            spans[-1] = (spans[-1][0], minute + MINUTE)
        else:
            spans.append((minute, minute + MINUTE))
    return spans


@dg.op(pool="warehouse", retry_policy=RETRY_POLICY)
def recompute_late_bars_1m(
    context: dg.OpExecutionContext, config: Lookback, warehouse: WarehouseResource
) -> None:
    """Recompute every minute that a late trade touched; a minute that is right already stays as it is."""
    with warehouse.connection(f"dagster: late bars run {context.run.run_id}") as connection:
        minutes = warehouse_sql.touched_minutes(connection, timedelta(hours=config.hours))
        spans = spans_of(minutes)
        outcomes = [
            warehouse_sql.run(connection, "rollups/bars_1m_recompute", {"from_time": start, "to_time": end})
            for start, end in spans
        ]
    merged = sum(outcome.rows_merged for outcome in outcomes)
    context.log.info(f"{len(set(minutes))} minutes were touched by late trades; {merged} bars changed.")
    if merged:
        context.log_event(
            dg.AssetMaterialization(
                catalog.table_key(BARS_1M),
                description="Bars of late trades, recomputed from RAW.TRADES.",
                metadata={
                    "rows_merged": merged,
                    "minutes_touched": len(set(minutes)),
                    "from": spans[0][0].isoformat(),
                    "to": spans[-1][1].isoformat(),
                    "query_seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
                },
            )
        )


@dg.job(
    description="Recomputes the one-minute bars that late or back-filled trades have made wrong.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)
def recompute_late_bars_1m_job() -> None:
    recompute_late_bars_1m()


@dg.schedule(
    job=recompute_late_bars_1m_job,
    cron_schedule="1-59/2 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every two minutes, but only when late trades have left a bar wrong.",
)
def recompute_late_bars_1m_schedule(
    context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask first: a run costs seconds of processor time, the question milliseconds."""
    with warehouse.connection("dagster: late bars schedule") as connection:
        minutes = warehouse_sql.touched_minutes(connection, timedelta(hours=Lookback().hours))
    if not minutes:
        return dg.SkipReason("No bar lacks a trade.")
    return dg.RunRequest(tags={"minutes_touched": str(len(set(minutes)))})
