"""Rollups on request.

What belongs here: the jobs of rollup assets. What does not: the assets (`defs/rollups/assets.py`), and when
they run by themselves (`defs/rollups/automation.py`). Checks have a job of their own: some ask Kafka and the
exchange, which a back-fill does not need.

A rollup of some hours or days takes a second, in one process. A back-fill of many days is the one job whose
steps have containers of their own where a Docker engine runs the platform: each has its own memory, and none
takes from the others.
"""

from typing import Final

import dagster as dg

from crypto_platform import catalog
from snowflake_sql.catalog import DAY, ROLLUPS
from streaming import settings as platform_settings

STEPS_AT_ONCE: Final = 2
DAILY: Final = dg.AssetSelection.assets(
    *(catalog.table_key(rollup.table) for rollup in ROLLUPS if rollup.partition >= DAY)
).without_checks()


def back_fill_executor(control_backend: str) -> dg.ExecutorDefinition:
    """Where the back-fill's steps run: each in a container if a Docker engine runs the platform."""
    if control_backend == "docker":
        from dagster_docker import docker_executor

        return docker_executor.configured(
            {"retries": {"enabled": {}}, "max_concurrent": STEPS_AT_ONCE}, name="docker"
        )
    return dg.in_process_executor


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
    selection=DAILY,
    description="Computes daily bars and statistics of the chosen days in one run.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)

back_fill_days_job = dg.define_asset_job(
    "back_fill_days_job",
    selection=DAILY,
    description="Computes daily bars and statistics of many days in one run, each table in a container of "
    "its own where a Docker engine runs the platform.",
    executor_def=back_fill_executor(platform_settings.load().control_backend),
    tags={"layer": "rollups", "dagster/max_runtime": "21600"},
)
