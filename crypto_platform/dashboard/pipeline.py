"""How the platform's parts are: services, lag, checkpoints, gaps, Dagster's runs, ages by stage.

What belongs here: asking each part every few seconds, with time limits, and the picture. What does not: the
warehouse (it is never asked), how the picture looks (`crypto_platform.dashboard.pages` and its script).

A part that does not answer leaves its values empty and is named in `problems`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import httpx
import msgspec
import structlog
from prometheus_client.parser import text_string_to_metric_families

from crypto_platform.dashboard.feed import Feed
from crypto_platform.dashboard.state import MarketState
from infra.local import dagster
from infra.local.supervision import Supervisor
from streaming import topics
from streaming.errors import PlatformError
from streaming.flink.jobs import JOBS
from streaming.flink.rest import FlinkRest
from streaming.settings import Settings

log = structlog.get_logger(__name__)

PERIOD_S: Final = 3.0
TIMEOUT_S: Final = 3.0
RUNS_SHOWN: Final = 8

_RUNS_QUERY = """\
query Runs($limit: Int!) { runsOrError(limit: $limit) { __typename
  ... on Runs { results { runId jobName status startTime endTime } } } }
"""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""The samples of a scrape by name and sorted labels."""

T = TypeVar("T")


class StageAge(msgspec.Struct, frozen=True, kw_only=True):
    """How old records were when they had passed a stage, in ms since the exchange's time: the latest record,
    and the oldest of the last 10 to 20 seconds. `newest_exchange_us` is the exchange time of the newest."""

    name: str
    title: str
    last_ms: float | None
    max_ms: float | None
    newest_exchange_us: int | None


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process."""

    name: str
    state: str
    pid: int
    restarts: int
    uptime_s: float


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """One Flink job and its last completed checkpoint."""

    name: str
    running: bool
    url: str | None
    checkpoint_age_s: float | None
    checkpoint_ms: int | None
    checkpoint_bytes: int | None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One of Dagster's runs; times in seconds since the epoch."""

    job: str
    status: str
    started_s: float | None
    ended_s: float | None
    url: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the pipeline page shows."""

    source: str
    simulated: bool
    at_ms: float
    stages: list[StageAge]
    records_per_s: dict[str, float]
    loader_lag: int | None
    flink_lag: int | None
    dashboard_lag: int
    jobs: list[JobState]
    gaps: dict[str, int]
    services: list[ServiceState]
    runs: list[Run]
    dagster_url: str
    flink_url: str
    problems: list[str]


def rates(before: dict[str, int], after: dict[str, int], seconds: float) -> dict[str, float]:
    """Records a second of each topic between two counts."""
    return {
        topic.removeprefix("CryptoCurrency_"): round(max(0, n - before.get(topic, 0)) / seconds, 1)
        for topic, n in sorted(after.items())
        if seconds > 0
    }


def slowest_bucket_ms(before: Samples, after: Samples, histogram: str) -> float | None:
    """The upper bound, in ms, of the highest bucket of a histogram that something fell into between two
    scrapes, over all labels; None if nothing did. What is above all bounds counts as the last of them."""
    totals: dict[float, float] = {}
    for (name, labels), value in after.items():
        if name == f"{histogram}_bucket":
            bound = float(dict(labels)["le"])
            totals[bound] = totals.get(bound, 0.0) + value - before.get((name, labels), 0.0)
    bounds = sorted(totals)
    grown = [
        bound for at, bound in enumerate(bounds) if totals[bound] > (totals[bounds[at - 1]] if at else 0)
    ]
    if not grown:
        return None
    finite = [bound for bound in bounds if not math.isinf(bound)]
    return 1000 * (grown[-1] if not math.isinf(grown[-1]) else finite[-1])


def mean_ms(before: Samples, after: Samples, histogram: str) -> float | None:
    """The mean, in ms, of what a histogram observed between two scrapes, over all labels."""

    def grown(suffix: str) -> float:
        return sum(
            value - before.get(key, 0.0) for key, value in after.items() if key[0] == histogram + suffix
        )

    count = grown("_count")
    return grown("_sum") / count * 1000 if count > 0 else None


def total(samples: Samples, name: str) -> float | None:
    """The sum of a metric over its labels; None if it is not there."""
    values = [value for (found, _), value in samples.items() if found == name]
    return sum(values) if values else None


def scrape(host: str, port: int) -> Samples:
    """The samples of a service of ours. Raises httpx.HTTPError."""
    answer = httpx.get(f"http://{host}:{port}/metrics", timeout=TIMEOUT_S, trust_env=False)
    answer.raise_for_status()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


class Pipeline:
    """Asks in a thread of its own until `stop` is set; `picture` is the latest answer."""

    def __init__(self, settings: Settings, state: MarketState, feed: Feed, stop: threading.Event) -> None:
        self._settings = settings
        self._state = state
        self._feed = feed
        self._stop = stop
        self._supervisor = Supervisor(settings.home)
        self._counted: tuple[float, dict[str, int]] = (time.monotonic(), {})
        self._loader: list[Samples] = []
        self._problems: list[str] = []
        self.picture = self._look_at_ourselves()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended; `stop` must be set."""
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self.picture = self._look()

    def _look_at_ourselves(self) -> Picture:
        """The picture before anybody has been asked."""
        return Picture(
            source=self._settings.source,
            simulated=self._settings.source == "sim",
            at_ms=time.time_ns() / 1e6,
            stages=self._stages(),
            records_per_s={},
            loader_lag=None,
            flink_lag=None,
            dashboard_lag=self._feed.lag,
            jobs=[],
            gaps=dict(self._state.gap_counts()),
            services=[],
            runs=[],
            dagster_url=dagster.page(self._settings),
            flink_url=self._settings.flink_page,
            problems=[],
        )

    def _look(self) -> Picture:
        self._problems = []
        loader = self._attempt("the loader's metrics", self._loader_metrics) or {}
        self._loader = [*self._loader[-5:], loader]
        flink_jobs = self._attempt("Flink's job service", self._flink_jobs_metrics) or {}
        lag, pending = total(loader, "crypto_loader_lag"), total(flink_jobs, "crypto_flink_pending_records")
        services = (self._attempt("the supervisor", self._services) if self._supervised else None) or []
        jobs = self._attempt("Flink", self._jobs) or []
        runs = self._attempt("Dagster", self._runs) or []
        if not self._feed.connected:
            self._problems.append("Kafka cannot be read")
        return msgspec.structs.replace(
            self._look_at_ourselves(),
            records_per_s=self._rates(),
            loader_lag=None if lag is None else int(lag),
            flink_lag=None if pending is None else int(pending),
            services=services,
            jobs=jobs,
            runs=runs,
            problems=self._problems,
        )

    @property
    def _supervised(self) -> bool:
        return self._settings.control_backend == "auto"

    def _loader_metrics(self) -> Samples:
        return scrape(self._settings.host("loader"), self._settings.ports.metrics_loader)

    def _flink_jobs_metrics(self) -> Samples:
        return scrape(self._settings.host("flink-jobs"), self._settings.ports.metrics_flink_jobs)

    def _attempt(self, what: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except (PlatformError, httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
            self._problems.append(f"{what} cannot be read ({type(error).__name__})")
            return None

    def _stages(self) -> list[StageAge]:
        """Exchange to producer, to Kafka, to Flink (each as the record was read here), to the warehouse."""
        titles = {"producer": "Producer", "kafka": "Kafka", "flink": "Flink"}
        ages = [
            StageAge(
                name=name,
                title=title,
                last_ms=round(stage.age_ms, 1) if stage.records else None,
                max_ms=round(stage.max_ms, 1) if stage.records else None,
                newest_exchange_us=stage.newest_exchange_us or None,
            )
            for name, title in titles.items()
            for stage in (self._state.stages[name],)
        ]
        histogram = "crypto_exchange_to_warehouse_seconds"
        before, after = (self._loader[0], self._loader[-1]) if self._loader else ({}, {})
        last, worst = mean_ms(before, after, histogram), slowest_bucket_ms(before, after, histogram)
        commit_s = total(after, "crypto_loader_last_commit_timestamp_seconds")
        return [
            *ages,
            StageAge(
                name="warehouse",
                title="Snowflake",
                last_ms=None if last is None else round(last, 1),
                max_ms=worst,
                newest_exchange_us=int(commit_s * 1e6 - (last or 0) * 1000) if commit_s else None,
            ),
        ]

    def _rates(self) -> dict[str, float]:
        (then_s, before), now_s = self._counted, time.monotonic()
        counts = {
            topic: self._state.counts[topic] for topic in (*topics.ALL_TOPICS,) if topic in self._state.counts
        }
        self._counted = (now_s, counts)
        return rates(before, counts, now_s - then_s)

    def _services(self) -> list[ServiceState]:
        now_s = time.time()
        return [
            ServiceState(
                name=name,
                state=state.state,
                pid=state.pid,
                restarts=state.restarts,
                uptime_s=round(now_s - state.since_s, 0) if state.pid else 0.0,
            )
            for name, state in sorted(self._supervisor.states().items())
        ]

    def _jobs(self) -> list[JobState]:
        now_s = time.time()
        found = []
        with FlinkRest(self._settings.flink_url, timeout_s=TIMEOUT_S) as flink:
            for job in JOBS.values():
                running = flink.running(job.name)
                latest = flink.checkpoints(running[0].id) if running else None
                completed = latest.latest.completed if latest else None
                found.append(
                    JobState(
                        name=job.name,
                        running=bool(running) and running[0].all_tasks_run,
                        url=f"{self._settings.flink_page}/#/job/running/{running[0].id}/overview"
                        if running
                        else None,
                        checkpoint_age_s=latest.age_s(now_s) if latest else None,
                        checkpoint_ms=completed.duration if completed else None,
                        checkpoint_bytes=completed.size if completed else None,
                    )
                )
        return found

    def _runs(self) -> list[Run]:
        answer = httpx.post(
            f"{dagster.url(self._settings)}/graphql",
            json={"query": _RUNS_QUERY, "variables": {"limit": RUNS_SHOWN}},
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        answer.raise_for_status()
        results: list[dict[str, Any]] = answer.json()["data"]["runsOrError"]["results"]
        return [
            Run(
                job=run["jobName"],
                status=run["status"],
                started_s=run["startTime"],
                ended_s=run["endTime"],
                url=f"{dagster.page(self._settings)}/runs/{run['runId']}",
            )
            for run in results
        ]
