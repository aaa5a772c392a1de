"""Watches the checkpoints of Flink's jobs.

What belongs here: turning a verdict into events. What does not: the verdict (`watch/checkpoints.py`), when
it is news (`watch/reporting.py`), and restarting jobs (`streaming.flink`).
"""

from time import time
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.defs.flink.checks import OUTPUTS, evaluation, numbers
from crypto_platform.defs.flink.resources import FlinkJobResource
from crypto_platform.watch import checkpoints, reporting

PACE: Final = reporting.Pace()


@dg.sensor(
    name="flink_checkpoints_stale_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the state, checkpoints and restarts of both Flink jobs. Reports a change of "
    "verdict, a failed checkpoint or a restart at once, and a heartbeat every half hour.",
)
def flink_checkpoints_stale_sensor(
    context: dg.SensorEvaluationContext, flink_jobs: FlinkJobResource
) -> dg.SensorResult:
    """One look: events for the outputs of each job with news, and every job's verdict in the message."""
    jobs = flink_jobs.progress()
    now_s = time()
    states = {key: checkpoints.fingerprint(job, now_s) for key, job in jobs.items()}
    due, memory = reporting.states_due(reporting.remember(context.cursor), states, now_s, PACE)
    events: list[Any] = []
    for key in sorted(due):
        for topic in OUTPUTS[key]:
            events.append(dg.AssetCheckEvaluation(**evaluation(topic, jobs[key], now_s)))
            events.append(
                dg.AssetObservation(
                    catalog.topic_key(topic),
                    description=checkpoints.explain(jobs[key], now_s),
                    metadata=numbers(jobs[key], now_s),
                )
            )
    return dg.SensorResult(
        asset_events=events,
        cursor=reporting.write_cursor(memory),
        skip_reason=dg.SkipReason(" ".join(checkpoints.explain(job, now_s) for job in jobs.values())),
    )
