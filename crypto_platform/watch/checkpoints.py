"""Whether a Flink job makes progress, judged by its checkpoints.

What belongs here: the verdict on one job's numbers. What does not: asking Flink
(`defs/flink/resources.py`), restarting a job (`streaming.flink`), or when a verdict is worth an event
(`watch/reporting.py`).

A job that is RUNNING but no longer completes checkpoints is wedged: it commits nothing exactly once, and a
restart would replay everything since the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

AGE_LIMIT_S: Final = 90.0
"""Several times the longest checkpoint interval (10 s), so that one slow checkpoint is not an alarm."""

STUCK_INTERVALS: Final = 3
STUCK_FLOOR_S: Final = 60.0
"""A job is stuck after so many intervals without a checkpoint, but not sooner than this: two-second
checkpoints are late now and then on a crowded machine, and a restart costs more than it saves."""

State = Literal["ok", "missing", "not_running", "stale"]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One job as Flink's REST API shows it; times are milliseconds since the epoch.

    `state` is None when Flink knows no job of that name. Counts are of the job's present life, which begins
    when it is submitted.
    """

    name: str
    state: str | None = None
    id: str = ""
    started_at_ms: int = 0
    completed: int = 0
    failed: int = 0
    restarts: int = 0
    last_completed_at_ms: int | None = None
    last_duration_ms: int | None = None
    last_size_bytes: int | None = None

    def checkpoint_age_s(self, now_s: float) -> float:
        """Seconds since the last completed checkpoint, or since the start while there is none."""
        since_ms = self.started_at_ms if self.last_completed_at_ms is None else self.last_completed_at_ms
        return max(0.0, now_s - since_ms / 1000)


def verdict(job: JobProgress, now_s: float) -> State:
    """Single failed checkpoints are tolerated, as Flink does; they matter when none succeeds in time."""
    if job.state is None:
        return "missing"
    if job.state != "RUNNING":
        return "not_running"
    return "stale" if job.checkpoint_age_s(now_s) > AGE_LIMIT_S else "ok"


def stuck(job: JobProgress, interval_ms: int, now_s: float) -> str:
    """Why the job must be restarted from its latest checkpoint; empty when it need not."""
    limit_s = max(STUCK_INTERVALS * interval_ms / 1000, STUCK_FLOOR_S)
    age_s = job.checkpoint_age_s(now_s)
    if job.state != "RUNNING" or age_s <= limit_s:
        return ""
    return f"{job.name} has completed no checkpoint for {age_s:.0f} s, over {limit_s:.0f} s."


def fingerprint(job: JobProgress, now_s: float) -> str:
    """What makes a look at the job news: its verdict, failed checkpoints and restarts."""
    return f"{verdict(job, now_s)} failed={job.failed} restarts={job.restarts}"


def explain(job: JobProgress, now_s: float) -> str:
    """The verdict in one sentence with its numbers and, if it is bad, what to do."""
    match verdict(job, now_s):
        case "missing":
            return f"Flink knows no job {job.name}. Start `python -m streaming.flink`, which submits it."
        case "not_running":
            return f"The job {job.name} is {job.state}. Look at its exceptions in Flink's web interface."
        case "stale":
            return (
                f"The job {job.name} completed its last checkpoint {job.checkpoint_age_s(now_s):.0f} s ago, "
                f"over the limit of {AGE_LIMIT_S:.0f} s. Look for back-pressure or a dead broker."
            )
        case "ok":
            return (
                f"The job {job.name} completed a checkpoint {job.checkpoint_age_s(now_s):.0f} s ago; "
                f"{job.failed} failed and {job.restarts} restarts since it was submitted."
            )
