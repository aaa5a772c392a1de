"""Corrects bars whose trades came late.

What belongs here: finding the windows and recomputing them. What does not: the SQL
(`snowflake_sql/queries/touched_bars_*.sql`, `snowflake_sql/rollups`), and bars that are on time, which Flink
computes.

A trade is late when the stream had closed the bar of its minute, as after a gap was filled by REST. Flink
routes it to the late trades; the tables take it, the bars of all four lengths do not know it. Recomputing a
bar raises its revision.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog, warehouse_sql
from crypto_platform.defs.rollups.partitions import spans_of
from crypto_platform.defs.warehouse.resources import RETRY_POLICY, SnowflakeResource

MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Bars:
    """The bars of one length: their table, and the files that find and correct those that lack a trade."""

    table: str
    length: timedelta
    touched: str
    rollup: str


LENGTHS: Final = (
    Bars("MARKET.BARS_1M", MINUTE, "queries/touched_bars_1m", "rollups/bars_1m_recompute"),
    Bars("MARKET.BARS_5M", 5 * MINUTE, "queries/touched_bars_5m", "rollups/bars_5m_recompute"),
    Bars("MARKET.BARS_15M", 15 * MINUTE, "queries/touched_bars_15m", "rollups/bars_15m_recompute"),
    Bars("MARKET.BARS_1H", 60 * MINUTE, "queries/touched_bars_1h", "rollups/bars_1h"),
)


class Lookback(dg.Config):
    """How long ago a late trade may have been loaded; the schedule runs more often than that."""

    hours: float = 3.0


@dg.op(pool="warehouse", retry_policy=RETRY_POLICY)
def recompute_late_bars(
    context: dg.OpExecutionContext, config: Lookback, warehouse: SnowflakeResource
) -> None:
    """Recompute every window that a late trade touched; one that is right already stays as it is."""
    for bars in LENGTHS:
        with warehouse.connection(f"dagster: late bars run {context.run.run_id}") as connection:
            starts = warehouse_sql.touched_windows(connection, bars.touched, timedelta(hours=config.hours))
            spans = spans_of(starts, bars.length)
            outcomes = [
                warehouse_sql.run(connection, bars.rollup, {"from_time": start, "to_time": end})
                for start, end in spans
            ]
        merged = sum(outcome.rows_merged for outcome in outcomes)
        context.log.info(
            f"{bars.table}: late trades touched {len(set(starts))} windows; {merged} bars changed."
        )
        if merged:
            seconds = sum(outcome.seconds for outcome in outcomes)
            context.log_event(materialization(bars, spans, len(set(starts)), merged, seconds))


def materialization(
    bars: Bars, spans: list[tuple[datetime, datetime]], touched: int, merged: int, seconds: float
) -> dg.AssetMaterialization:
    """What a recomputation says about the table it changed."""
    metadata: dict[str, Any] = {
        "rows_merged": merged,
        "windows_touched": touched,
        "from": spans[0][0].isoformat(),
        "to": spans[-1][1].isoformat(),
        "query_seconds": round(seconds, 3),
    }
    return dg.AssetMaterialization(
        catalog.table_key(bars.table),
        description="Bars of late trades, recomputed from RAW.TRADES.",
        metadata=metadata,
    )


@dg.job(
    description="Recomputes the bars that late or back-filled trades have made wrong.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)
def recompute_late_bars_job() -> None:
    recompute_late_bars()


@dg.schedule(
    job=recompute_late_bars_job,
    cron_schedule="1-59/2 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every two minutes, but only when late trades have left a bar wrong.",
)
def recompute_late_bars_schedule(
    context: dg.ScheduleEvaluationContext, warehouse: SnowflakeResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask first: a run costs seconds of processor time, the questions milliseconds."""
    lookback = timedelta(hours=Lookback().hours)
    with warehouse.connection("dagster: late bars schedule") as connection:
        touched = sum(
            len(set(warehouse_sql.touched_windows(connection, bars.touched, lookback))) for bars in LENGTHS
        )
    if not touched:
        return dg.SkipReason("No bar lacks a trade.")
    return dg.RunRequest(tags={"windows_touched": str(touched)})
