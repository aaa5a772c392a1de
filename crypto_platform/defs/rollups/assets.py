"""Tables that Dagster computes or corrects from other tables: one asset for each file of
`snowflake_sql/rollups`.

What belongs here: how an entry of the catalogue becomes an asset, and how its file is run. What does not: the
SQL (`snowflake_sql/rollups`), the list (`snowflake_sql/catalog.py`), when it runs
(`defs/rollups/automation.py`), and anything that must be fresher than a quarter of an hour, which is Flink's
work.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog, column_lineage, table_schemas, warehouse_sql
from crypto_platform.defs.rollups.automation import condition_of
from crypto_platform.defs.rollups.partitions import partitions_of
from crypto_platform.defs.warehouse.resources import RETRY_POLICY, SnowflakeResource
from snowflake_sql.catalog import HOUR, ROLLUPS, Rollup

SETTLED: Final = timedelta(minutes=2)
"""What the stream has certainly closed; a younger window of its tables is the stream's alone to write."""

TOPIC_OF_TABLE: Final = {table: topic for topic, table in catalog.TABLE_OF_TOPIC.items()}


def layer_of(rollup: Rollup) -> catalog.Layer:
    """Bars come from the stream as well, rollups from trades, statistics from bars."""
    if rollup.corrects:
        return "bars"
    return "rollups" if set(rollup.reads) == {"RAW.TRADES"} else "statistics"


def describe(rollup: Rollup) -> str:
    """The grain and who writes it."""
    grain = f"One row per {rollup.grain}"
    if rollup.corrects:
        return (
            f"{grain} that had a trade or a quote: Flink's bar, or computed anew from the trades when some "
            "came late. `REVISION` counts how often a row changed, `COMPUTED_BY` says who wrote it."
        )
    return f"{grain}. Computed from {', '.join(rollup.reads)}; what has begun holds what has been so far."


def span_of(rollup: Rollup, window: dg.TimeWindow, now: datetime) -> dict[str, datetime] | None:
    """The parameters of a run over `window`, naive UTC; None when there is nothing settled in it yet."""
    end = warehouse_sql.utc_naive(window.end)
    if rollup.corrects and rollup.partition < HOUR:
        settled = warehouse_sql.utc_naive(now) - SETTLED
        midnight = settled.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(end, settled - (settled - midnight) % rollup.partition)
    start = warehouse_sql.utc_naive(window.start)
    return None if end <= start else {"from_time": start, "to_time": end}


def rollup_asset(rollup: Rollup) -> dg.AssetsDefinition:
    """The asset of one file."""
    topic = TOPIC_OF_TABLE.get(rollup.table)
    steady = topic in catalog.STEADY_TOPICS
    layer = layer_of(rollup)

    @dg.asset(
        key=catalog.table_key(rollup.table),
        description=describe(rollup),
        group_name=layer,
        owners=[catalog.OWNER],
        kinds={"snowflake", "sql"},
        tags={"layer": layer},
        deps=[
            *(catalog.table_key(table) for table in rollup.reads),
            *([catalog.topic_key(topic)] if topic else []),
        ],
        metadata={
            **table_schemas.table_metadata(rollup.table),
            **column_lineage.metadata(rollup.name),
            **catalog.code(f"snowflake_sql/{rollup.name}.sql", "snowflake_sql/schema.sql"),
        },
        code_version=table_schemas.version_of(rollup.name),
        partitions_def=partitions_of(rollup.partition),
        automation_condition=condition_of(rollup),
        freshness_policy=catalog.STALE_AFTER if steady else None,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY_POLICY,
        pool="warehouse",
    )
    def asset(context: dg.AssetExecutionContext, warehouse: SnowflakeResource) -> dg.MaterializeResult[None]:
        span = span_of(rollup, context.partition_time_window, datetime.now(UTC))
        if span is None:
            return dg.MaterializeResult(metadata={"rows_merged": 0})
        with warehouse.connection(f"dagster: {rollup.table} run {context.run.run_id}") as connection:
            outcome = warehouse_sql.run(connection, rollup.name, span)
            total, in_span = warehouse_sql.row_counts(connection, rollup.table, rollup.time_column, span)
        return dg.MaterializeResult(metadata=numbers(outcome, total, in_span, span))

    return asset


def numbers(
    outcome: warehouse_sql.Outcome, total: int, in_span: int, span: dict[str, datetime]
) -> dict[str, Any]:
    """What a run says of itself, under stable names."""
    return {
        "rows_merged": outcome.rows_merged,
        "rows_inserted": outcome.rows_inserted,
        "rows_updated": outcome.rows_updated,
        "dagster/row_count": total,
        "dagster/partition_row_count": in_span,
        "from": span["from_time"].isoformat(),
        "to": span["to_time"].isoformat(),
        "query_seconds": round(outcome.seconds, 3),
    }


rollups = [rollup_asset(rollup) for rollup in ROLLUPS]
