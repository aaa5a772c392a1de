"""When rollups are computed.

What belongs here: the jobs of rollup assets and their schedules. What does not: the assets
(`defs/rollups/assets.py`).
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.defs.rollups.assets import BARS_1H, hours

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"

roll_up_bars_1h_job = dg.define_asset_job(
    "roll_up_bars_1h_job",
    selection=dg.AssetSelection.assets(catalog.table_key(BARS_1H)),
    description="Computes hourly bars from the trades of the chosen hours.",
    executor_def=dg.in_process_executor,
    tags={"layer": "rollups"},
)


@dg.schedule(
    job=roll_up_bars_1h_job,
    cron_schedule="3-59/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The hour that has begun and the one before it, whose last trades may have come late.",
)
def roll_up_bars_1h_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run for both hours. Older hours that change are recomputed by a back-fill."""
    now = context.scheduled_execution_time.replace(minute=0, second=0, microsecond=0)
    return dg.RunRequest(
        tags={
            RANGE_START: (now - timedelta(hours=1)).strftime(hours.fmt),
            RANGE_END: now.strftime(hours.fmt),
        }
    )
