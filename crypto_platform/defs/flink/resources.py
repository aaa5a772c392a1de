"""The Flink jobs as Dagster sees them: how far each has come, and what may be done to them.

What belongs here: bounded questions and requests through `streaming.flink.rest`. What does not: submitting or
restarting them by itself (`streaming.flink`), and judging the answers (`watch/checkpoints.py`).
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, ClassVar, Final

from crypto_platform.control.managed import START_TIMEOUT_S, ManagedResource
from crypto_platform.control.status import ControlError, Status
from crypto_platform.watch import checkpoints
from crypto_platform.watch.checkpoints import JobProgress
from streaming import settings as platform_settings
from streaming.errors import PlatformError
from streaming.flink.jobs import JOBS

if TYPE_CHECKING:
    from streaming.flink.rest import FlinkRest, JobSummary

SUBMISSION_S: Final = 120.0
"""So long after its start the service may still be submitting; a lost job is news only later."""
POLL_S: Final = 1.0


class FlinkJobResource(ManagedResource):
    """The cluster named by the platform's settings.

    Attributes:
        timeout_s: the longest wait for each request; a look takes five.
    """

    component: ClassVar[str] = "flink_jobs"
    timeout_s: float = 3.0

    def status(self) -> Status:
        """The service that keeps the jobs, and the jobs themselves: a job that is lost is a failure."""
        service = super().status()
        if not service.running:
            return service
        try:
            jobs = self.progress()
        except PlatformError as error:
            return replace(service, state="unknown", incarnation="", detail=str(error))
        lost = [job.name for job in jobs.values() if job.state != "RUNNING"]
        if lost:
            young = time() - service.since_s < SUBMISSION_S
            detail = f"Flink does not run {', '.join(lost)}."
            return replace(service, state="starting" if young else "failed", incarnation="", detail=detail)
        lives = [service.incarnation, *sorted(job.id for job in jobs.values())]
        return replace(service, incarnation=" ".join(lives))

    def wedged(self, now_s: float) -> str:
        """Why jobs must be restarted although they run; empty when they need not. Asks Flink."""
        reasons = (
            checkpoints.stuck(job, JOBS[key].checkpoint_interval_ms, now_s)
            for key, job in self.progress().items()
        )
        return " ".join(reason for reason in reasons if reason)

    def backpressure(self) -> dict[str, dict[str, str | None]]:
        """The level of each vertex of each running job, by the job's key. Raises like `progress`."""
        from streaming.flink.rest import FlinkRest

        with FlinkRest(platform_settings.load().flink_url, timeout_s=self.timeout_s) as rest:
            found: dict[str, dict[str, str | None]] = {}
            for key, job in JOBS.items():
                for running in rest.running(job.name)[:1]:
                    found[key] = {
                        vertex.name: rest.backpressure(running.id, vertex.id).level
                        for vertex in rest.job(running.id).vertices
                    }
            return found

    def start(self, timeout_s: float = START_TIMEOUT_S) -> Status:
        """Start the service and return when both jobs run."""
        deadline = monotonic() + timeout_s
        self.backend().start(self.component, timeout_s)
        while not (status := self.status()).running:
            if monotonic() > deadline:
                raise ControlError(
                    f"The Flink jobs do not run after {timeout_s:.0f} s: {status.detail}",
                    "`crypto-platform logs flink-jobs` says why.",
                )
            sleep(POLL_S)
        return status

    def recover(self) -> Status:
        """Cancel the stuck jobs; the service submits them anew from their latest checkpoints."""
        from streaming.flink.rest import FlinkRest

        with FlinkRest(platform_settings.load().flink_url, timeout_s=self.timeout_s) as rest:
            for key, job in self.progress().items():
                if checkpoints.stuck(job, JOBS[key].checkpoint_interval_ms, time()):
                    rest.cancel(job.id)
        return self.start()

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
    found = rest.checkpoints(job.id)
    latest = found.latest.completed
    return JobProgress(
        name=name,
        id=job.id,
        state=job.state,
        started_at_ms=job.start_time,
        completed=found.counts.completed,
        failed=found.counts.failed,
        restarts=rest.restarts(job.id),
        last_completed_at_ms=None if latest is None else latest.acknowledged_ms,
        last_duration_ms=None if latest is None else latest.duration,
        last_size_bytes=None if latest is None else latest.size,
    )
