"""The Flink cluster as Dagster sees it: how far each job has come.

What belongs here: bounded, read-only questions through `streaming.flink.rest`. What does not: submitting or
restarting jobs (`streaming.flink`), and judging the answers (`watch/checkpoints.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from crypto_platform.watch.checkpoints import JobProgress
from streaming import settings as platform_settings
from streaming.flink.jobs import JOBS

if TYPE_CHECKING:
    from streaming.flink.rest import FlinkRest, JobSummary


class FlinkResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The cluster named by the platform's settings.

    Attributes:
        timeout_s: the longest wait for each request; a look takes five.
    """

    timeout_s: float = 3.0

    def progress(self) -> dict[str, JobProgress]:
        """Each of the platform's jobs by its key (`streaming.flink.jobs.JOBS`).

        Raises:
            FlinkUnavailableError: Flink does not answer in time.
            FlinkRequestError: its answer is not what its REST API promises.
        """
        from streaming.flink.rest import FlinkRest

        with FlinkRest(platform_settings.load().flink_url, timeout_s=self.timeout_s) as rest:
            jobs = rest.jobs()
            return {key: _progress(rest, job.name, jobs) for key, job in JOBS.items()}


def _progress(rest: FlinkRest, name: str, jobs: list[JobSummary]) -> JobProgress:
    """The life of the job that counts: the one that is not over, else the youngest."""
    lives = sorted((job for job in jobs if job.name == name), key=lambda job: (job.is_over, -job.start_time))
    if not lives:
        return JobProgress(name)
    job = lives[0]
    checkpoints = rest.checkpoints(job.id)
    latest = checkpoints.latest.completed
    return JobProgress(
        name=name,
        state=job.state,
        started_at_ms=job.start_time,
        completed=checkpoints.counts.completed,
        failed=checkpoints.counts.failed,
        restarts=rest.restarts(job.id),
        last_completed_at_ms=None if latest is None else latest.acknowledged_ms,
        last_duration_ms=None if latest is None else latest.duration,
        last_size_bytes=None if latest is None else latest.size,
    )


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={"flink": FlinkResource()})
