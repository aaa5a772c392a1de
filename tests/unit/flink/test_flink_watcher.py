"""The rules of the job service, with a cluster made of recorded states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from infra.local import flink
from streaming import settings as settings_module
from streaming.flink import jobs, rendering, watcher
from streaming.flink.errors import FlinkUnavailableError, SubmissionError
from streaming.flink.jobs import BARS, TICK, Job
from streaming.flink.metrics import Metrics
from streaming.flink.rest import (
    Checkpoint,
    CheckpointCounts,
    Checkpoints,
    FlinkRest,
    JobException,
    JobSummary,
    LatestCheckpoints,
    Overview,
    Traffic,
)
from streaming.flink.submit import Submitted
from streaming.flink.watcher import (
    Health,
    SourceState,
    Watcher,
    backoff_s,
    decide,
    is_ready,
    is_starved,
    observed,
)


def summary(job_id: str, job: Job = TICK, state: str = "RUNNING", running: int = 3) -> JobSummary:
    return JobSummary(
        id=job_id,
        name=job.name,
        state=state,
        start_time=1,
        duration=4_000,
        tasks={"running": running, "total": 3},
    )


def checkpoints(completed: int, ack_ms: int = 0) -> Checkpoints:
    latest = (
        Checkpoint(id=1, trigger_ms=ack_ms, acknowledged_ms=ack_ms, duration=50, size=9)
        if completed
        else None
    )
    counts = CheckpointCounts(restored=0, total=completed, in_progress=0, completed=completed, failed=0)
    return Checkpoints(counts=counts, latest=LatestCheckpoints(completed=latest))


@dataclass
class Cluster:
    """Answers like Flink, and remembers what was asked of it."""

    found: list[JobSummary] = field(default_factory=list)
    slots: int = 8
    up: bool = True
    completed: int = 1
    fingerprint: str = "new"
    url: str = "http://flink"
    cancelled: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def overview(self) -> Overview:
        if not self.up:
            raise FlinkUnavailableError("down")
        return Overview(
            taskmanagers=2, slots_total=8, slots_available=self.slots, jobs_running=0, flink_version="2.2.1"
        )

    def jobs(self) -> list[JobSummary]:
        return self.found

    def running(self, name: str) -> list[JobSummary]:
        return [job for job in self.found if job.name == name and not job.is_over]

    def parameters(self, job_id: str) -> dict[str, str]:
        return {jobs.FINGERPRINT: self.fingerprint}

    def checkpoints(self, job_id: str) -> Checkpoints:
        return checkpoints(self.completed, 10**15)

    def restarts(self, job_id: str) -> int:
        return 1

    def pending_records(self, job_id: str) -> int:
        return 2

    def duplicates(self, job_id: str) -> int:
        return 4

    def late_records(self, job_id: str) -> int:
        return 3

    def read_by(self, job_id: str, table: str) -> Traffic:
        return Traffic(records=50, bytes=5_000)

    def written_by(self, job_id: str, table: str) -> Traffic:
        return Traffic(records=5, bytes=900)

    def exceptions(self, job_id: str) -> list[JobException]:
        trace = "org.apache.flink.X: no\n\tat y\nCaused by: java.lang.Y: the state does not fit\n\tat z"
        return [JobException(name="X", stacktrace=trace, timestamp_ms=1)]

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    def stop_with_savepoint(self, job_id: str, folder: str, timeout_s: float) -> str:
        self.stopped.append(job_id)
        return folder


@dataclass
class Bench:
    """A watcher over a made-up cluster, with its own time."""

    watcher: Watcher
    cluster: Cluster
    submitted: list[str]
    now: list[float]
    fail: list[bool]


def made(folder: Path, *wanted: Job) -> Bench:
    """A bench whose watcher keeps these jobs."""
    cluster, submitted, now, fail = Cluster(), list[str](), [100.0], [False]

    def submit(due: Sequence[Job]) -> list[Submitted]:
        submitted.extend(job.key for job in due)
        if fail[0]:
            raise SubmissionError("refused")
        return [Submitted(job.key, "new-life", submitted=True, restored_from=None) for job in due]

    made_up = Watcher(
        settings_module.load({}, home=folder),
        cast(FlinkRest, cast(Any, cluster)),
        dict.fromkeys(wanted, "new"),
        submit,
        Metrics(),
        clock=lambda: now[0],
    )
    return Bench(made_up, cluster, submitted, now, fail)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return made(tmp_path, TICK)


@pytest.fixture
def both(tmp_path: Path) -> Bench:
    return made(tmp_path, TICK, BARS)


def test_what_to_do_about_a_job() -> None:
    assert decide([], "", "new") == "submit"
    assert decide([summary("a")], "new", "new") == "keep"
    assert decide([summary("a")], "old", "new") == "replace"


def test_attempts_that_bring_no_checkpoint_wait_longer_up_to_a_minute() -> None:
    assert [backoff_s(n) for n in range(8)] == [0, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    ("health", "ready"),
    [
        (Health(state="RUNNING", tasks_running=3, tasks_total=3, since_checkpoint_s=59), True),
        (Health(state="RUNNING", tasks_running=3, tasks_total=3, since_checkpoint_s=61), False),
        (Health(state="RUNNING", tasks_running=2, tasks_total=3), False),
        (Health(state="RUNNING", tasks_running=0, tasks_total=0), False),
        (Health(state="RESTARTING", tasks_running=3, tasks_total=3), False),
        (Health(), False),
    ],
    ids=["runs", "no checkpoints", "a task is missing", "no tasks yet", "restarts", "is not there"],
)
def test_a_job_is_ready_when_it(health: Health, ready: bool) -> None:
    assert is_ready(health, TICK) is ready


def test_before_its_first_checkpoint_a_job_is_as_old_as_its_start() -> None:
    assert observed(summary("a"), checkpoints(0), 50.0, Health()).since_checkpoint_s == 4.0
    assert observed(summary("a"), checkpoints(1, 40_000), 50.0, Health()).since_checkpoint_s == 10.0


def test_a_missing_job_is_submitted(bench: Bench) -> None:
    bench.watcher.look()
    assert bench.submitted == ["tick"]
    assert bench.watcher.health["tick"].submissions == 1


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "FINISHED", "SUSPENDED"])
def test_a_job_that_is_over_is_submitted_again(bench: Bench, state: str) -> None:
    bench.cluster.found = [summary("a", state=state, running=0)]
    bench.watcher.look()
    assert bench.submitted == ["tick"]


@pytest.mark.parametrize(
    "state", ["CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "FAILING", "CANCELLING"]
)
def test_a_job_on_its_way_is_left_alone(bench: Bench, state: str) -> None:
    bench.cluster.found = [summary("a", state=state, running=0)]
    bench.watcher.look()
    assert bench.submitted == []
    assert bench.watcher.health["tick"].state == state


def test_a_job_that_failed_says_why_until_it_runs(bench: Bench) -> None:
    bench.cluster.found = [summary("a", state="FAILED", running=0)]
    bench.watcher.look()
    assert bench.watcher.health["tick"].error == "java.lang.Y: the state does not fit"
    bench.cluster.found = [summary("b")]
    bench.watcher.look()
    assert bench.watcher.health["tick"].error == ""


def test_a_running_job_is_reported_in_full(bench: Bench) -> None:
    bench.cluster.found = [summary("a")]
    bench.watcher.look()
    ready, details = bench.watcher.readiness()
    assert ready
    assert details["cluster_up"] is True
    health = bench.watcher.health["tick"]
    assert (health.id, health.restarts, health.pending_records, health.late_records) == ("a", 1, 2, 3)
    assert health.duplicate_records == 4
    published = bench.watcher.metrics.registry.get_sample_value
    assert published("crypto_flink_job_up", {"job": "tick"}) == 1
    assert published("crypto_flink_quote_records", {"direction": "in"}) == 50


def test_without_free_slots_nothing_is_submitted(bench: Bench) -> None:
    bench.cluster.slots = 0
    bench.watcher.look()
    assert bench.submitted == []


def test_a_cluster_that_is_gone_is_not_ready_and_gets_its_job_back_when_it_returns(bench: Bench) -> None:
    bench.cluster.found = [summary("a")]
    bench.watcher.look()
    bench.cluster.up = False
    bench.watcher.look()
    assert bench.watcher.readiness()[0] is False
    assert bench.submitted == []
    bench.cluster.up, bench.cluster.found = True, []
    bench.watcher.look()
    assert bench.submitted == ["tick"]


@pytest.mark.parametrize(
    ("source", "starved_s", "starved"),
    [("up", 0, False), ("down", 4.9, False), ("down", 5, True), ("absent", 0, True)],
)
def test_a_job_is_starved_when_what_it_reads_from(
    source: SourceState, starved_s: float, starved: bool
) -> None:
    assert is_starved(source, starved_s) is starved


def test_a_starved_job_is_taken_down_before_its_partitions_count_as_silent() -> None:
    idle_s = float(rendering.IDLE_TIMEOUT.removesuffix(" s"))
    noticed_s = flink.HEARTBEAT_TIMEOUT_MS / 1000
    assert noticed_s + watcher.STARVED_AFTER_S + watcher.INTERVAL_S <= idle_s


def test_the_bars_are_taken_down_and_come_back_together_with_ticks_that_are_gone(both: Bench) -> None:
    both.cluster.found = [summary("bars", BARS), summary("ticks", state="CANCELED", running=0)]
    both.watcher.look()
    assert both.cluster.cancelled == ["bars"]
    assert both.submitted == ["tick", "bars"]
    assert both.watcher.readiness()[0] is False
    both.cluster.found[0] = summary("bars", BARS, "CANCELLING", 0)
    both.watcher.look()
    assert both.cluster.cancelled == ["bars"], "what is on its way out was cancelled again"


def test_bars_whose_ticks_restart_are_taken_down_only_after_a_while_and_wait_for_them(both: Bench) -> None:
    restarting = summary("ticks", state="RESTARTING", running=0)
    both.cluster.found = [summary("bars", BARS), restarting]
    for _ in range(3):
        both.watcher.look()
        both.now[0] += 2
    assert (both.cluster.cancelled, both.submitted) == ([], [])
    both.watcher.look()
    both.cluster.found = [summary("bars", BARS, "CANCELLING", 0), restarting]
    both.watcher.look()
    assert both.cluster.cancelled == ["bars"]
    both.cluster.found = [summary("bars", BARS, "CANCELED", 0), restarting]
    both.watcher.look()
    assert both.submitted == []
    both.cluster.found = [summary("bars", BARS, "CANCELED", 0), summary("ticks")]
    both.watcher.look()
    assert both.submitted == ["bars"]


def test_bars_that_start_together_with_their_ticks_are_left_alone(both: Bench) -> None:
    both.watcher.look()
    assert both.submitted == ["tick", "bars"]
    for state, running in (("INITIALIZING", 0), ("RUNNING", 1), ("RUNNING", 3)):
        both.now[0] += 20
        both.cluster.found = [summary("bars", BARS, state, running), summary("ticks", TICK, state, running)]
        both.watcher.look()
    assert both.cluster.cancelled == []


def test_bars_whose_ticks_another_service_keeps_are_left_alone(tmp_path: Path) -> None:
    bench = made(tmp_path, BARS)
    bench.cluster.found = [summary("bars", BARS)]
    bench.watcher.look()
    assert bench.cluster.cancelled == []


def test_the_second_job_of_a_name_is_cancelled(bench: Bench) -> None:
    bench.cluster.found = [summary("young"), summary("old")]
    bench.watcher.look()
    assert bench.cluster.cancelled == ["old"]


def test_an_outdated_job_is_stopped_with_a_savepoint_and_then_submitted(bench: Bench) -> None:
    bench.cluster.found, bench.cluster.fingerprint = [summary("a")], "old"
    bench.watcher.look()
    assert bench.cluster.stopped == ["a"]
    assert bench.submitted == []
    bench.cluster.found = []
    bench.watcher.look()
    assert bench.submitted == ["tick"]


def test_an_outdated_job_that_cannot_take_a_savepoint_is_cancelled(bench: Bench) -> None:
    bench.cluster.found, bench.cluster.fingerprint = [summary("a", state="RESTARTING", running=0)], "old"
    bench.watcher.look()
    assert (bench.cluster.cancelled, bench.cluster.stopped) == (["a"], [])


def test_a_submission_that_fails_is_tried_again_after_a_pause_that_grows(bench: Bench) -> None:
    bench.fail[0] = True
    for _ in range(100):
        bench.watcher.look()
        bench.now[0] += 1
    assert 4 <= len(bench.submitted) <= 6
    assert bench.watcher.health["tick"].error == "refused"


def test_a_checkpoint_ends_the_pauses(bench: Bench) -> None:
    bench.fail[0] = True
    for _ in range(40):
        bench.watcher.look()
        bench.now[0] += 1
    bench.fail[0], bench.cluster.found = False, [summary("a")]
    bench.watcher.look()
    bench.cluster.found, bench.submitted[:] = [], []
    bench.now[0] += 60
    bench.watcher.look()
    bench.now[0] += 3
    bench.watcher.look()
    assert bench.submitted == ["tick", "tick"]


def test_stopping_leaves_a_savepoint_of_every_job(both: Bench) -> None:
    both.cluster.found = [summary("a"), summary("b", BARS), summary("c", BARS, "FAILED")]
    both.watcher.stop_jobs()
    assert sorted(both.cluster.stopped) == ["a", "b"]
