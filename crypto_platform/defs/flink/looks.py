"""What Flink is asked every minute besides its checkpoints.

What belongs here: the question. What does not: the verdict (`watch/backpressure.py`), checkpoints
(`defs/flink/sensors.py`).
"""

from typing import Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.looks import Context, Look, check_of, sensor_of
from crypto_platform.watch import backpressure
from crypto_platform.watch.findings import Finding
from streaming import topics

JUDGED: Final = {"tick": topics.CLEAN_TRADES, "bars": topics.BARS_1M}
"""The output on which each job's verdict is shown, by the job's key."""


def _backpressure(context: Context) -> list[Finding]:
    levels = context.resources.flink_jobs.backpressure()
    return [
        backpressure.judge(f"The {key} job", catalog.topic_key(topic).to_user_string(), levels[key])
        for key, topic in JUDGED.items()
        if levels.get(key)
    ]


BACKPRESSURE: Final = Look(
    name="flink_backpressure_high",
    check="flink_is_not_held_up",
    meaning="No vertex of the Flink job that writes this topic waits for those behind it.",
    assets=[catalog.topic_key(topic) for topic in JUDGED.values()],
    resources=frozenset({"flink_jobs"}),
    ask=_backpressure,
    interval_s=120,
    severity=dg.AssetCheckSeverity.WARN,
)

flink_backpressure_high_sensor, backpressure_check = sensor_of(BACKPRESSURE), check_of(BACKPRESSURE)
