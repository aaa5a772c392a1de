"""Whether Flink's jobs make progress, to be asked by hand; the sensor answers the same question by itself.

What belongs here: checks on Flink's outputs, and how one is shaped. What does not: the verdict
(`watch/checkpoints.py`).
"""

from collections.abc import Iterator
from time import time
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.defs.flink.resources import FlinkJobResource
from crypto_platform.watch import checkpoints
from streaming import topics

OUTPUTS: Final[dict[str, tuple[str, ...]]] = {
    "tick": (topics.CLEAN_TRADES, topics.CLEAN_TICKERS),
    "bars": (topics.BARS_1M,),
}
"""The topics that each job writes steadily, by the job's key."""


@dg.multi_asset_check(
    name="flink_checkpoints",
    specs=[
        dg.AssetCheckSpec(
            catalog.CHECKPOINTS_ARE_RECENT,
            asset=catalog.topic_key(topic),
            description="The Flink job that writes this topic runs, and completed a checkpoint within "
            f"{checkpoints.AGE_LIMIT_S:.0f} s.",
        )
        for outputs in OUTPUTS.values()
        for topic in outputs
    ],
    can_subset=True,
)
def flink_checkpoints(
    context: dg.AssetCheckExecutionContext, flink_jobs: FlinkJobResource
) -> Iterator[dg.AssetCheckResult]:
    """Ask Flink once and answer for every selected topic."""
    now_s = time()
    progress = flink_jobs.progress()
    selected = {check.asset_key for check in context.selected_asset_check_keys}
    for key, outputs in OUTPUTS.items():
        for topic in outputs:
            if catalog.topic_key(topic) in selected:
                yield dg.AssetCheckResult(**evaluation(topic, progress[key], now_s))


def evaluation(topic: str, job: checkpoints.JobProgress, now_s: float) -> dict[str, Any]:
    """The fields that a check's result and a sensor's evaluation have in common."""
    return {
        "asset_key": catalog.topic_key(topic),
        "check_name": catalog.CHECKPOINTS_ARE_RECENT,
        "passed": checkpoints.verdict(job, now_s) == "ok",
        "description": checkpoints.explain(job, now_s),
        "metadata": numbers(job, now_s),
    }


def numbers(job: checkpoints.JobProgress, now_s: float) -> dict[str, Any]:
    """The job's numbers under stable names; those it does not have are left out."""
    values: dict[str, Any] = {
        "job": job.name,
        "job_state": job.state,
        "checkpoint_age_s": None if job.state is None else round(job.checkpoint_age_s(now_s), 1),
        "checkpoint_duration_ms": job.last_duration_ms,
        "checkpoint_size_bytes": job.last_size_bytes,
        "checkpoints_completed": job.completed,
        "checkpoints_failed": job.failed,
        "restarts": job.restarts,
    }
    return {name: value for name, value in values.items() if value is not None}
