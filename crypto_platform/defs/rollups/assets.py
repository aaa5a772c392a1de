"""Tables that Dagster computes from other tables, one SQL file each.

What belongs here: partitions, metadata and how a file is run. What does not: the SQL
(`snowflake_sql/rollups`), when it runs (`defs/rollups/jobs.py`), and anything that must be fresher than a
quarter of an hour, which is Flink's work.
"""

from datetime import datetime
from typing import Final

import dagster as dg

from crypto_platform import catalog, table_schemas, warehouse_sql
from crypto_platform.defs.warehouse.resources import RETRY_POLICY, WarehouseResource
from streaming import settings as platform_settings
from streaming import topics

BARS_1H: Final = "MARKET.BARS_1H"

hours = dg.HourlyPartitionsDefinition(
    start_date=datetime.combine(platform_settings.load().history_start, datetime.min.time()),
    # The hour that has begun is a partition too, so that its bar can be seen while it forms.
    end_offset=1,
)


@dg.asset(
    key=catalog.table_key(BARS_1H),
    description="One row per pair and hour that had a trade or a quote (exchange, pair, window start): "
    "Flink's "
    "bar, or computed from the trades themselves. The hour that has begun holds what has been traded "
    "so far; `REVISION` counts how "
    "often a row changed.",
    group_name="rollups",
    owners=[catalog.OWNER],
    kinds={"snowflake", "sql"},
    tags={"layer": "rollups"},
    deps=[catalog.table_key("RAW.TRADES"), catalog.topic_key(topics.BARS_1H)],
    metadata=table_schemas.table_metadata(BARS_1H),
    code_version=table_schemas.version_of("rollups/bars_1h"),
    partitions_def=hours,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_POLICY,
    pool="warehouse",
)
def bars_1h(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Merge the hours of the run's partitions in one transaction."""
    window = context.partition_time_window
    span = {
        "from_time": warehouse_sql.utc_naive(window.start),
        "to_time": warehouse_sql.utc_naive(window.end),
    }
    with warehouse.connection(f"dagster: {BARS_1H} run {context.run.run_id}") as connection:
        outcome = warehouse_sql.run(connection, "rollups/bars_1h", span)
        total, in_span = warehouse_sql.row_counts(connection, BARS_1H, "WINDOW_START", span)
    return dg.MaterializeResult(
        metadata={
            "rows_merged": outcome.rows_merged,
            "rows_inserted": outcome.rows_inserted,
            "rows_updated": outcome.rows_updated,
            "dagster/row_count": total,
            "dagster/partition_row_count": in_span,
            "from": window.start.isoformat(),
            "to": window.end.isoformat(),
            "query_seconds": round(outcome.seconds, 3),
            **table_schemas.lineage_metadata("rollups/bars_1h"),
        }
    )
