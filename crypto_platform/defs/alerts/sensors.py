"""Tells people when something begins to be wrong and when it is over.

What belongs here: one look at all conditions. What does not: the conditions (`defs/alerts/conditions.py`),
what is news (`alerting/rule.py`), the channels (`alerting/channels.py`).
"""

from collections.abc import Sequence
from time import time

import dagster as dg

from crypto_platform.alerting import delivery, rule
from crypto_platform.alerting.rule import Firing
from crypto_platform.defs.alerts import conditions
from crypto_platform.defs.alerts.resources import AlertChannelsResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource


@dg.sensor(
    name="alerts_changed_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs, failed checks and stale assets: each fires once when it begins and clears once "
    "when it is over, to the log, a webhook and Slack, and into OPS.ALERTS.",
)
def alerts_changed_sensor(
    context: dg.SensorEvaluationContext,
    alert_channels: AlertChannelsResource,
    warehouse: SnowflakeResource,
) -> dg.SensorResult:
    """One look. What a channel or the history does not take now is kept in the cursor."""
    assert context.repository_def is not None
    graph = context.repository_def.asset_graph
    fresh = [key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy is not None]
    holding = [
        *conditions.of_runs(context.instance),
        *conditions.of_checks(context.instance, graph.asset_check_keys),
        *conditions.of_freshness(context.instance, fresh),
    ]
    channels = alert_channels.channels()
    memory = rule.remember(context.cursor)
    changed, memory = rule.judge(memory, holding, [channel.name for channel in channels], time())

    def write(firings: Sequence[Firing]) -> None:
        with warehouse.connection("dagster: alerts") as connection:
            delivery.merge(connection, firings)

    memory, errors = delivery.deliver(memory, channels)
    memory, error = delivery.write_history(memory, write)
    said = [f"{len(memory.lasting)} conditions last, {len(changed)} changed.", *errors, error]
    return dg.SensorResult(
        cursor=rule.write_cursor(memory), skip_reason=dg.SkipReason(" ".join(filter(None, said)))
    )
