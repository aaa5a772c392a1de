"""When checks run.

What belongs here: the job of all checks and its schedule. What does not: the checks themselves, each beside
what it checks.
"""

from typing import Final

import dagster as dg

check_platform_job = dg.define_asset_job(
    "check_platform_job",
    selection=dg.AssetSelection.all_asset_checks(),
    description="Runs every check of the platform on the last two hours of each table.",
    executor_def=dg.in_process_executor,
    tags={"layer": "warehouse"},
)

check_platform_schedule: Final = dg.ScheduleDefinition(
    name="check_platform_schedule",
    job=check_platform_job,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Hourly, after the hour's last bars are loaded.",
)
