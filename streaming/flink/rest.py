"""A typed client of Flink's REST API, for what the platform asks.

What belongs here: requests, their time limits, and answers as frozen structs. What does not: deciding
anything (`streaming.flink.watcher`), submitting SQL (`streaming.flink.submit`).

Source of paths and fields: Flink 2.2 documentation, Ops > REST API.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import msgspec

from streaming.flink.errors import FlinkRequestError, FlinkUnavailableError, JobNotFoundError, SavepointError

TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.2

_DEDUPLICATION: Final = re.compile(
    r"\[(\d+)\]:OverAggregate\([^<]*<br/>\s*\+- "
    r"\[(\d+)\]:Calc\([^<]*where=\[\(+\$\d+ = 0\) AND \(w0\$o0 = 1\)"
)
"""How Flink describes the counters of a block's places and the filter behind them (21_clean_trades.sql)."""
_NO_WATERMARK: Final = -(2**63)

FINAL_STATES: Final = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})
"""A job in one of these will not run again by itself."""


class Overview(msgspec.Struct, frozen=True, rename="kebab"):
    """The cluster: TaskManagers, their slots, and how many jobs run."""

    taskmanagers: int
    slots_total: int
    slots_available: int
    jobs_running: int
    flink_version: str


class JobSummary(msgspec.Struct, frozen=True):
    """One line of the job list; `tasks` counts tasks by state in lower case, and `total`. Times in ms."""

    id: str = msgspec.field(name="jid")
    name: str
    state: str
    start_time: int = msgspec.field(name="start-time")
    duration: int
    tasks: dict[str, int]

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def all_tasks_run(self) -> bool:
        return self.state == "RUNNING" and 0 < self.tasks["total"] == self.tasks["running"]


class Vertex(msgspec.Struct, frozen=True):
    """A chain of operators that runs as one task a subtask."""

    id: str
    name: str
    parallelism: int
    status: str


class Job(msgspec.Struct, frozen=True):
    """One job with its vertices."""

    id: str = msgspec.field(name="jid")
    name: str
    state: str
    vertices: list[Vertex]


class CheckpointCounts(msgspec.Struct, frozen=True):
    """How many checkpoints of this life of the job have each state."""

    restored: int
    total: int
    in_progress: int
    completed: int
    failed: int


class Checkpoint(msgspec.Struct, frozen=True):
    """A completed checkpoint; times in ms since the epoch, `duration` in ms, `size` in bytes."""

    id: int
    trigger_ms: int = msgspec.field(name="trigger_timestamp")
    acknowledged_ms: int = msgspec.field(name="latest_ack_timestamp")
    duration: int = msgspec.field(name="end_to_end_duration")
    size: int = msgspec.field(name="state_size")
    path: str | None = msgspec.field(name="external_path", default=None)


class Restored(msgspec.Struct, frozen=True):
    """What this life of the job started from, or went back to after its last failure."""

    id: int
    is_savepoint: bool
    restore_ms: int = msgspec.field(name="restore_timestamp")
    path: str | None = msgspec.field(name="external_path", default=None)


class LatestCheckpoints(msgspec.Struct, frozen=True):
    """The latest of each kind."""

    completed: Checkpoint | None = None
    restored: Restored | None = None


class Checkpoints(msgspec.Struct, frozen=True):
    """The checkpoints of one job."""

    counts: CheckpointCounts
    latest: LatestCheckpoints

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the latest completed checkpoint, None before the first."""
        completed = self.latest.completed
        return None if completed is None else max(0.0, now_s - completed.acknowledged_ms / 1000)


class JobException(msgspec.Struct, frozen=True):
    """One failure of a job: the class of the exception, its text, and when (ms since the epoch)."""

    name: str = msgspec.field(name="exceptionName")
    stacktrace: str
    timestamp_ms: int = msgspec.field(name="timestamp")

    @property
    def first_line(self) -> str:
        return self.stacktrace.partition("\n")[0]


class Backpressure(msgspec.Struct, frozen=True):
    """How a vertex keeps up: `ok`, `low` or `high`; None until Flink has sampled it once."""

    status: str
    level: str | None = msgspec.field(name="backpressureLevel", default=None)


class Watermark(msgspec.Struct, frozen=True):
    """How far a subtask has come in event time (ms since the epoch); None before its first watermark."""

    subtask: int
    time_ms: int | None


class _Metric(msgspec.Struct, frozen=True):
    id: str
    value: str | None = None
    sum: float | None = None


class Traffic(msgspec.Struct, frozen=True):
    """How many records and bytes passed."""

    records: int
    bytes: int


class _Node(msgspec.Struct, frozen=True):
    id: str
    description: str = ""


class _Plan(msgspec.Struct, frozen=True):
    nodes: list[_Node]


class _PlanAnswer(msgspec.Struct, frozen=True):
    plan: _Plan


class _Jobs(msgspec.Struct, frozen=True):
    jobs: list[JobSummary]


class _Entries(msgspec.Struct, frozen=True):
    entries: list[JobException]


class _Exceptions(msgspec.Struct, frozen=True):
    history: _Entries = msgspec.field(name="exceptionHistory")


class _Execution(msgspec.Struct, frozen=True, rename="kebab"):
    user_config: dict[str, str]


class _Configuration(msgspec.Struct, frozen=True, rename="kebab"):
    execution_config: _Execution | None = None


class _Trigger(msgspec.Struct, frozen=True, rename="kebab"):
    request_id: str


class _Status(msgspec.Struct, frozen=True):
    id: str


class _Savepoint(msgspec.Struct, frozen=True, rename="kebab"):
    location: str | None = None
    failure_cause: Any = None


class _SavepointStatus(msgspec.Struct, frozen=True):
    status: _Status
    operation: _Savepoint | None = None


T = TypeVar("T")

_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (
        *(Overview, Job, Checkpoints, Backpressure),
        *(_Jobs, _Configuration, _Exceptions, _PlanAnswer, _Trigger, _SavepointStatus, list[_Metric]),
    )
}
"""Made once, here: jobs are stopped by threads, and a process has been seen to crash in msgspec when two of
them met a type for the first time."""


class FlinkRest:
    """The client. Every method raises FlinkUnavailableError, FlinkRequestError or JobNotFoundError.

    Args:
        url: the base of the REST address, for example `http://127.0.0.1:8081`.
        timeout_s: time limit of each request.
        transport: replaces the network in tests.
    """

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=timeout_s, transport=transport)

    def __enter__(self) -> FlinkRest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def overview(self) -> Overview:
        """TaskManagers, slots and running jobs."""
        return self._get("/overview", Overview)

    def jobs(self) -> list[JobSummary]:
        """Every job the cluster remembers, the youngest first."""
        found = self._get("/jobs/overview", _Jobs).jobs
        return sorted(found, key=lambda job: job.start_time, reverse=True)

    def running(self, name: str) -> list[JobSummary]:
        """The jobs of that name that are not over, the youngest first."""
        return [job for job in self.jobs() if job.name == name and not job.is_over]

    def job(self, job_id: str) -> Job:
        """A job and its vertices."""
        return self._get(f"/jobs/{job_id}", Job)

    def parameters(self, job_id: str) -> dict[str, str]:
        """The job's global parameters (`pipeline.global-job-parameters`)."""
        found = self._get(f"/jobs/{job_id}/config", _Configuration).execution_config
        return {} if found is None else found.user_config

    def checkpoints(self, job_id: str) -> Checkpoints:
        """Counts, the latest completed checkpoint and what was restored."""
        return self._get(f"/jobs/{job_id}/checkpoints", Checkpoints)

    def restarts(self, job_id: str) -> int:
        """How often the job has restarted in this life; 0 while Flink has not measured it yet."""
        found = self._get(f"/jobs/{job_id}/metrics", list[_Metric], get="numRestarts")
        return sum(int(float(metric.value)) for metric in found if metric.value not in (None, "NaN"))

    def pending_records(self, job_id: str) -> int:
        """Kafka records that the job's sources have not read yet."""
        return round(sum(self._vertex_sums(job_id, "pendingRecords", within="Source").values()))

    def late_records(self, job_id: str) -> int:
        """Rows the job's windows dropped because they came behind the watermark."""
        return round(sum(self._vertex_sums(job_id, "numLateRecordsDropped").values()))

    def read_by(self, job_id: str, table: str) -> Traffic:
        """What a source table of the job has read in this life of it."""
        return self._traffic(job_id, f"Source: {table}[", f"Source__{table}[", "numRecordsIn", "numBytesIn")

    def written_by(self, job_id: str, table: str) -> Traffic:
        """What a sink table of the job has written in this life of it."""
        return self._traffic(job_id, table, table, "numRecordsSend", "numBytesSend")

    def duplicates(self, job_id: str) -> int:
        """Copies that the job's de-duplication has dropped in this life of the job."""
        dropped = 0.0
        for node in self._get(f"/jobs/{job_id}/plan", _PlanAnswer).plan.nodes:
            for counters, filtering in _DEDUPLICATION.findall(node.description):
                came, went = f"OverAggregate[{counters}].numRecordsIn", f"Calc[{filtering}].numRecordsOut"
                path = f"/jobs/{job_id}/vertices/{node.id}/subtasks/metrics"
                found = self._get(path, list[_Metric], get=f"{came},{went}", agg="sum")
                sums = {metric.id: metric.sum or 0.0 for metric in found}
                dropped += sums.get(came, 0.0) - sums.get(went, 0.0)
        return max(0, round(dropped))

    def watermarks(self, job_id: str, vertex_id: str) -> list[Watermark]:
        """The event time each subtask of a vertex has reached; empty for a vertex without watermarks."""
        found = self._get(f"/jobs/{job_id}/vertices/{vertex_id}/watermarks", list[_Metric])
        return [
            Watermark(int(metric.id.partition(".")[0]), _watermark_ms(metric.value))
            for metric in found
            if metric.id.endswith(".currentInputWatermark")
        ]

    def exceptions(self, job_id: str) -> list[JobException]:
        """The job's latest failures, the youngest first."""
        return self._get(f"/jobs/{job_id}/exceptions", _Exceptions).history.entries

    def backpressure(self, job_id: str, vertex_id: str) -> Backpressure:
        """Whether a vertex waits for those behind it."""
        return self._get(f"/jobs/{job_id}/vertices/{vertex_id}/backpressure", Backpressure)

    def cancel(self, job_id: str) -> None:
        """Ask the job to stop at once, without a savepoint; its checkpoints stay."""
        self._request("PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})

    def stop_with_savepoint(self, job_id: str, folder: str, timeout_s: float) -> str:
        """Stop the job with a savepoint below `folder` (a URI) and return the savepoint's path.

        Raises:
            SavepointError: it failed or took longer than `timeout_s`; the job then may still run.
        """
        body = {"targetDirectory": folder, "drain": False}
        trigger = self._decode(self._request("POST", f"/jobs/{job_id}/stop", json=body), _Trigger)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self._get(f"/jobs/{job_id}/savepoints/{trigger.request_id}", _SavepointStatus)
            if answer.status.id == "COMPLETED":
                operation = answer.operation or _Savepoint()
                if operation.location is None:
                    raise SavepointError(f"The savepoint of job {job_id} failed: {_cause(operation)}.")
                return operation.location
            time.sleep(POLL_S)
        raise SavepointError(f"The savepoint of job {job_id} was not complete after {timeout_s:.0f} s.")

    def _traffic(self, job_id: str, vertex: str, operator: str, records: str, size: str) -> Traffic:
        found = self._vertex_sums(job_id, records, size, within=vertex)
        own = {name: value for name, value in found.items() if operator in name}
        return Traffic(
            records=round(sum(value for name, value in own.items() if name.endswith(f".{records}"))),
            bytes=round(sum(value for name, value in own.items() if name.endswith(f".{size}"))),
        )

    def _vertex_sums(self, job_id: str, *suffixes: str, within: str = "") -> dict[str, float]:
        """The sum over subtasks of each metric that ends in one of `suffixes`, by vertex and name, of the
        vertices with `within` in their name.

        An operator's metrics carry its name in front, so the names have to be listed first.
        """
        sums: dict[str, float] = {}
        for vertex in self.job(job_id).vertices:
            if within not in vertex.name:
                continue
            path = f"/jobs/{job_id}/vertices/{vertex.id}/subtasks/metrics"
            names = [metric.id for metric in self._get(path, list[_Metric])]
            wanted = [name for name in names if name.rpartition(".")[2] in suffixes]
            if wanted:
                found = self._get(path, list[_Metric], get=",".join(wanted), agg="sum")
                sums |= {f"{vertex.id}.{metric.id}": metric.sum or 0.0 for metric in found}
        return sums

    def _get(self, path: str, kind: type[T], **params: str) -> T:
        return self._decode(self._request("GET", path, params=params), kind)

    def _decode(self, response: httpx.Response, kind: type[T]) -> T:
        try:
            decoded: T = _DECODERS[kind].decode(response.content)
            return decoded
        except msgspec.DecodeError as error:
            path = response.request.url.path
            raise FlinkRequestError(
                f"Flink at {self.url} answered {path} in an unknown form ({error})."
            ) from error

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        try:
            response = self._client.request(method, path, params=dict(params or {}), json=json)
        except httpx.HTTPError as error:
            raise FlinkUnavailableError(
                f"Flink at {self.url} does not answer ({error or type(error).__name__}).",
                "Start it, or set FLINK_REST_URL.",
            ) from error
        if response.is_success:
            return response
        reason = _reason(response)
        if response.status_code == httpx.codes.NOT_FOUND:
            raise JobNotFoundError(f"Flink at {self.url} does not know {path} ({reason}).")
        if response.is_server_error:
            raise FlinkUnavailableError(f"Flink at {self.url} failed on {path} ({reason}).")
        raise FlinkRequestError(f"Flink at {self.url} refused {method} {path} ({reason}).")


def _watermark_ms(value: str | None) -> int | None:
    if value is None or int(value) == _NO_WATERMARK:
        return None
    return int(value)


def _reason(response: httpx.Response) -> str:
    try:
        errors: Iterable[object] = response.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
    lines = (str(error).strip().partition("\n")[0] for error in errors)
    return f"HTTP {response.status_code}: " + "; ".join(lines)


def _cause(operation: _Savepoint) -> str:
    cause = operation.failure_cause
    if isinstance(cause, dict):
        return str(cause.get("stack-trace") or cause.get("class") or cause).partition("\n")[0]
    return str(cause)
