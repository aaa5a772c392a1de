"""Rollups on request.

What belongs here: the jobs of rollup assets. What does not: the assets (`defs/rollups/assets.py`), and when
they run by themselves (`defs/rollups/automation.py`). Checks have a job of their own: some ask Kafka and the
exchange, which a back-fill does not need.
"""

import dagster as dg

from crypto_platform import catalog
from snowflake_sql.catalog import DAY, ROLLUPS

roll_up_hours_job = dg.define_asset_job(
    "roll_up_hours_job",
    selection=dg.AssetSelection.assets(
        *(catalog.table_key(rollup.table) for rollup in ROLLUPS if rollup.partition < DAY)
    ).without_checks(),
    description="Computes bars and hourly rollups of the chosen hours in one run.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)

roll_up_days_job = dg.define_asset_job(
    "roll_up_days_job",
    selection=dg.AssetSelection.assets(
        *(catalog.table_key(rollup.table) for rollup in ROLLUPS if rollup.partition >= DAY)
    ).without_checks(),
    description="Computes daily bars and statistics of the chosen days in one run.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)
