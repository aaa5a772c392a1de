"""Keeping the jobs running: one look every two seconds, and what follows from it.

What belongs here: the rules (what to do about what is found, when to wait longer, what ready means) and the
loop that applies them. What does not: REST (`streaming.flink.rest`), planning SQL (`streaming.flink.submit`).

The watcher is level-triggered: each look starts from what the cluster says, never from what was done before.
So it does not matter whether a job was cancelled by hand, lost with its JobManager, or never submitted.
"""

from __future__ import annotations

import contextvars
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import structlog

from streaming.errors import PlatformError
from streaming.flink import jobs, recovery
from streaming.flink.errors import FlinkRequestError, FlinkUnavailableError
from streaming.flink.jobs import Job
from streaming.flink.metrics import Metrics
from streaming.flink.planner import root_cause
from streaming.flink.rest import Checkpoints, FlinkRest, JobSummary, Overview, Traffic
from streaming.flink.submit import Submitted
from streaming.settings import Settings

INTERVAL_S: Final = 2.0
SLOW_INTERVAL_S: Final = 10.0
STOP_TIMEOUT_S: Final = 30.0
MAX_BACKOFF_S: Final = 60.0
CHECKPOINT_GRACE_S: Final = 30.0
STARVED_AFTER_S: Final = 5.0
"""How long a job may run while the one it reads from is down. With the time that Flink takes to notice that
a task is gone (8 s at most) and the pause between two looks it is no more than `rendering.IDLE_TIMEOUT`."""

Action = Literal["submit", "keep", "replace"]
SourceState = Literal["absent", "down", "up"]


def decide(found: Sequence[JobSummary], fingerprint: str, wanted: str) -> Action:
    """What to do about one job.

    Args:
        found: the jobs of its name that are not over, the youngest first.
        fingerprint: what the youngest was made from.
        wanted: what it should be made from.
    """
    if not found:
        return "submit"
    return "keep" if fingerprint == wanted else "replace"


def source_state(summaries: Sequence[JobSummary], source: Job) -> SourceState:
    """Of a job that another one reads from: not there, there without all its tasks, or running."""
    found = next((job for job in summaries if job.name == source.name and not job.is_over), None)
    if found is None:
        return "absent"
    return "up" if found.all_tasks_run else "down"


def is_starved(source: SourceState, starved_s: float) -> bool:
    """Whether a job has to be taken down because the one it reads from does not run.

    Once all its partitions have been silent for `rendering.IDLE_TIMEOUT`, none of them holds back the
    watermark, so the first that has data again would make the trades of all others late. Started again from
    its checkpoint, the job waits for each of them.

    Args:
        source: the other job.
        starved_s: for how long this one has been running while the other was down.
    """
    return source == "absent" or (source == "down" and starved_s >= STARVED_AFTER_S)


def backoff_s(attempts: int) -> float:
    """Seconds to wait before another submission after `attempts` that brought no checkpoint."""
    return 0.0 if attempts == 0 else min(MAX_BACKOFF_S, 2.0**attempts)


@dataclass(frozen=True, slots=True)
class Health:
    """What the last look found about one job. Ages in seconds; `since_checkpoint_s` counts from its start
    before the first checkpoint."""

    id: str = ""
    state: str = "MISSING"
    tasks_running: int = 0
    tasks_total: int = 0
    checkpoints: int = 0
    checkpoint_age_s: float | None = None
    since_checkpoint_s: float = 0.0
    restarts: int = 0
    pending_records: int | None = None
    late_records: int | None = None
    duplicate_records: int | None = None
    submissions: int = 0
    error: str = ""


def is_ready(health: Health, job: Job) -> bool:
    """Every task runs, and checkpoints come as often as they should."""
    limit = 3 * job.checkpoint_interval_ms / 1000 + CHECKPOINT_GRACE_S
    all_run = health.state == "RUNNING" and 0 < health.tasks_total == health.tasks_running
    return all_run and health.since_checkpoint_s < limit


def observed(summary: JobSummary, checkpoints: Checkpoints, now_s: float, before: Health) -> Health:
    """The health that follows from two answers of the cluster."""
    age = checkpoints.age_s(now_s)
    return replace(
        before,
        id=summary.id,
        state=summary.state,
        tasks_running=summary.tasks.get("running", 0),
        tasks_total=summary.tasks.get("total", 0),
        checkpoints=checkpoints.counts.completed,
        checkpoint_age_s=age,
        since_checkpoint_s=summary.duration / 1000 if age is None else age,
        error="" if summary.state == "RUNNING" else before.error,
    )


@dataclass(slots=True)
class _Memory:
    """What a look has to know about earlier ones: attempts without a checkpoint, when to try again, since
    when the job has been running while the one it reads from was down."""

    attempts: int = 0
    next_attempt: float = 0.0
    starved_since: float | None = None
    known_id: str = ""
    failed_id: str = ""
    fingerprint: str = ""


@dataclass(slots=True)
class Watcher:
    """The service's loop.

    Args:
        settings: gives the folders of the jobs' state.
        flink: the client.
        wanted: each job and the fingerprint it should have.
        submit: submits jobs (`streaming.flink.submit.run`); raises PlatformError.
        metrics: where the looks are recorded.
    """

    settings: Settings
    flink: FlinkRest
    wanted: Mapping[Job, str]
    submit: Callable[[Sequence[Job]], list[Submitted]]
    metrics: Metrics
    clock: Callable[[], float] = time.monotonic
    cluster_up: bool = False
    health: dict[str, Health] = field(default_factory=dict)
    _memory: dict[str, _Memory] = field(default_factory=dict)
    _slow_at: float = 0.0

    def __post_init__(self) -> None:
        for job in self.wanted:
            self.health[job.key] = Health()
            self._memory[job.key] = _Memory()

    def run(self, stop: threading.Event) -> None:
        """Look every two seconds until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(INTERVAL_S)

    def look(self) -> None:
        """See what runs, submit what does not, replace what is outdated, record all of it."""
        try:
            overview = self.flink.overview()
            summaries = self.flink.jobs()
            slow = self.clock() >= self._slow_at
            due = [job for job in self.wanted if self._look_at(job, summaries, slow)]
            due = [job for job in due if self._may_start(job, due, summaries)]
            if slow:
                self._slow_at = self.clock() + SLOW_INTERVAL_S
        except FlinkUnavailableError as error:
            self._lost(error)
            return
        except FlinkRequestError as error:  # a job that ended between two requests, or an unknown answer
            structlog.get_logger().warning("look abandoned", reason=str(error))
            return
        if not self.cluster_up:
            structlog.get_logger().info(
                "flink is up", slots=overview.slots_total, version=overview.flink_version
            )
            self.cluster_up = True
        if due and self._has_slots(overview, len(due)):
            self._submit(due)

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether every job is ready, with the details of each."""
        details: dict[str, object] = {
            job.key: {name: getattr(self.health[job.key], name) for name in Health.__dataclass_fields__}
            for job in self.wanted
        }
        ready = self.cluster_up and all(is_ready(self.health[job.key], job) for job in self.wanted)
        return ready, {"cluster_up": self.cluster_up, "flink": self.flink.url, "jobs": details}

    def stop_jobs(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop every job with a savepoint, all at once; one that fails keeps its retained checkpoints."""
        with ThreadPoolExecutor(len(self.wanted)) as pool:
            for job in self.wanted:
                pool.submit(contextvars.copy_context().run, self._stop, job, timeout_s)

    def _has_slots(self, overview: Overview, wanted: int) -> bool:
        """Whether a submission would find its slots; a cluster of somebody else's may make them on demand."""
        return overview.slots_available >= wanted or not self.settings.uses_local_flink

    def _stop(self, job: Job, timeout_s: float) -> None:
        log = structlog.get_logger().bind(job=job.name)
        try:
            for summary in self.flink.running(job.name):
                folder = jobs.savepoint_folder(self.settings, job).as_uri()
                location = self.flink.stop_with_savepoint(summary.id, folder, timeout_s)
                log.info("job stopped", id=summary.id, savepoint=location)
        except PlatformError as error:
            log.warning("job not stopped with a savepoint, its checkpoints stay", reason=str(error))

    def _lost(self, error: FlinkUnavailableError) -> None:
        if self.cluster_up:
            structlog.get_logger().warning("flink does not answer", reason=str(error))
        self.cluster_up = False
        for job in self.wanted:
            self.health[job.key] = replace(
                self.health[job.key], state="UNKNOWN", tasks_running=0, error=str(error)
            )
            self.metrics.up.labels(job.key).set(0)

    def _look_at(self, job: Job, summaries: Sequence[JobSummary], slow: bool) -> bool:
        """Record one job; say whether it has to be submitted now."""
        memory = self._memory[job.key]
        found = [summary for summary in summaries if summary.name == job.name and not summary.is_over]
        for extra in found[1:]:
            structlog.get_logger().warning("second job of a name cancelled", job=job.name, id=extra.id)
            self.flink.cancel(extra.id)
        if found and memory.known_id != found[0].id:
            memory.known_id = found[0].id
            memory.fingerprint = self.flink.parameters(found[0].id).get(jobs.FINGERPRINT, "")
        if found and self._is_starved(job, found[0], summaries):
            self._take_down(job, found[0])
            found = []
        action = decide(found, memory.fingerprint, self.wanted[job])
        if action == "replace":
            structlog.get_logger().info("job is outdated, replacing it", job=job.name, id=found[0].id)
            if found[0].all_tasks_run:
                self._stop(job, STOP_TIMEOUT_S)
            else:  # no savepoint is possible; its retained checkpoints do as well
                self.flink.cancel(found[0].id)
            return False
        if action == "submit":
            last = next((summary for summary in summaries if summary.name == job.name), None)
            state = last.state if last and last.is_over else "MISSING"
            self.health[job.key] = replace(self.health[job.key], id="", state=state, tasks_running=0)
            if last and state == "FAILED" and last.id != memory.failed_id:
                memory.failed_id = last.id
                self._explain_failure(job, last.id)
            self.metrics.up.labels(job.key).set(0)
            return self.clock() >= memory.next_attempt
        self._record(job, found[0], memory, slow)
        return False

    def _source_state(self, job: Job, summaries: Sequence[JobSummary]) -> SourceState:
        """That of the job this one reads from; one that another service keeps is not ours to judge by."""
        if job.reads_from is None or job.reads_from not in self.wanted:
            return "up"
        return source_state(summaries, job.reads_from)

    def _is_starved(self, job: Job, summary: JobSummary, summaries: Sequence[JobSummary]) -> bool:
        memory = self._memory[job.key]
        source = self._source_state(job, summaries)
        if source == "up" or not summary.all_tasks_run:
            memory.starved_since = None
        elif memory.starved_since is None:
            memory.starved_since = self.clock()
        starved_s = 0.0 if memory.starved_since is None else self.clock() - memory.starved_since
        return is_starved(source, starved_s)

    def _take_down(self, job: Job, summary: JobSummary) -> None:
        if summary.state == "CANCELLING":
            return
        structlog.get_logger().warning(
            "job taken down until the one it reads from runs",
            job=job.name,
            id=summary.id,
            reads_from=job.reads_from.name if job.reads_from else None,
        )
        self.flink.cancel(summary.id)

    def _may_start(self, job: Job, due: Sequence[Job], summaries: Sequence[JobSummary]) -> bool:
        """Whether what the job reads from runs, or starts together with it."""
        return job.reads_from in due or self._source_state(job, summaries) == "up"

    def _record(self, job: Job, summary: JobSummary, memory: _Memory, slow: bool) -> None:
        checkpoints = self.flink.checkpoints(summary.id)
        health = observed(summary, checkpoints, time.time(), self.health[job.key])
        if slow:
            health = replace(
                health,
                restarts=self.flink.restarts(summary.id),
                pending_records=self.flink.pending_records(summary.id),
                late_records=self.flink.late_records(summary.id),
                duplicate_records=self.flink.duplicates(summary.id),
            )
        self.health[job.key] = health
        if health.checkpoints:
            memory.attempts = 0
            if slow:
                recovery.prune(self.settings, job, summary.id)
                self._publish_compression(job, summary.id)
        gauges = self.metrics
        gauges.up.labels(job.key).set(1 if summary.all_tasks_run else 0)
        gauges.restarts.labels(job.key).set(health.restarts)
        gauges.pending.labels(job.key).set(health.pending_records or 0)
        gauges.late.labels(job.key).set(health.late_records or 0)
        gauges.duplicates.labels(job.key).set(health.duplicate_records or 0)
        if health.checkpoint_age_s is not None:
            gauges.checkpoint_age.labels(job.key).set(health.checkpoint_age_s)
        latest = checkpoints.latest.completed
        if latest is not None:
            gauges.checkpoint_duration.labels(job.key).set(latest.duration / 1000)
            gauges.checkpoint_size.labels(job.key).set(latest.size)

    def _explain_failure(self, job: Job, job_id: str) -> None:
        """Say why a life of the job ended, which is how a state that it cannot take over shows."""
        found = self.flink.exceptions(job_id)
        reason = root_cause(found[0].stacktrace) if found else "no reason given"
        structlog.get_logger().error("job failed", job=job.name, id=job_id, reason=reason)
        self.health[job.key] = replace(self.health[job.key], error=reason)

    def _publish_compression(self, job: Job, job_id: str) -> None:
        if job.tickers_source is not None:
            self._publish_traffic("in", self.flink.read_by(job_id, job.tickers_source))
        if job.quote_bars_sink is not None:
            self._publish_traffic("out", self.flink.written_by(job_id, job.quote_bars_sink))

    def _publish_traffic(self, direction: str, traffic: Traffic) -> None:
        self.metrics.quote_records.labels(direction).set(traffic.records)
        self.metrics.quote_bytes.labels(direction).set(traffic.bytes)

    def _submit(self, due: Sequence[Job]) -> None:
        log = structlog.get_logger()
        for job in due:
            memory = self._memory[job.key]
            memory.attempts += 1
            # A tenth of chance keeps two services that wait for one cluster from trying in step.
            memory.next_attempt = self.clock() + backoff_s(memory.attempts) * random.uniform(1.0, 1.1)
        started = self.clock()
        try:
            outcomes = self.submit(due)
        except PlatformError as error:
            log.error("submission failed", jobs=[job.name for job in due], reason=str(error))
            for job in due:
                self.health[job.key] = replace(self.health[job.key], error=str(error))
            return
        seconds = round(self.clock() - started, 1)
        for outcome in outcomes:
            health = self.health[outcome.job]
            self.health[outcome.job] = replace(health, submissions=health.submissions + outcome.submitted)
            self.metrics.submissions.labels(outcome.job).inc(int(outcome.submitted))
            log.info(
                "job submitted",
                job=outcome.job,
                id=outcome.id,
                restored_from=outcome.restored_from,
                seconds=seconds,
            )
