"""When rollups are computed by themselves.

What belongs here: the conditions and the sensor that evaluates them. What does not: the assets
(`defs/rollups/assets.py`), and what late trades have touched (`defs/rollups/late_bars.py`, `touched.py`).
"""

from typing import Final

import dagster as dg

from crypto_platform import catalog
from snowflake_sql.catalog import DAY, HOUR, ROLLUPS, Rollup

HOURS_CRON: Final = "3-59/15 * * * *"
DAYS_CRON: Final = "9 * * * *"


def is_automated(rollup: Rollup) -> bool:
    """What the stream writes too is only computed when it is wrong, but for the hours, which form for
    long.
    """
    return not rollup.corrects or rollup.partition == HOUR


def condition_of(rollup: Rollup) -> dg.AutomationCondition | None:  # type: ignore[type-arg]
    """The window that has begun and the one before it, whose last trades may have come late; neither while a
    run computes it nor while a check says that what it reads is wrong."""
    if not is_automated(rollup):
        return None
    is_daily = rollup.partition >= DAY
    due = dg.AutomationCondition.cron_tick_passed(DAYS_CRON if is_daily else HOURS_CRON)
    recent = dg.AutomationCondition.in_latest_time_window(2 * (DAY if is_daily else HOUR))
    return (
        recent
        & due
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("window that has begun and the one before, by the clock")


rollups_automation_sensor = dg.AutomationConditionSensorDefinition(
    "rollups_automation_sensor",
    target=dg.AssetSelection.assets(
        *(catalog.table_key(rollup.table) for rollup in ROLLUPS if is_automated(rollup))
    ),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Computes the rollups when their conditions hold. Dagster's own sensor would be off.",
)
