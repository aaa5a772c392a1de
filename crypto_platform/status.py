"""What the platform is doing right now, gathered from every part, and whether that is healthy.

What belongs here: the picture behind `crypto-platform status`, and the pure rule that calls it degraded.
What does not: printing (`crypto_platform.terminal`), judging completeness (`streaming.audit`).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import msgspec
import psutil
from confluent_kafka import KafkaException, TopicPartition

from infra.local.services import Service
from infra.local.stack import Stack
from streaming import topics, warehouse
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.flink.jobs import JOBS
from streaming.flink.rest import FlinkRest
from streaming.kafka import consumer, watermarks
from streaming.loader.rows import loaded_topics
from streaming.settings import Settings

MAX_LAG_RECORDS = 10_000
MAX_CHECKPOINT_AGE_S = 60.0
MAX_TICK_AGE_S = 15.0
KAFKA_TIMEOUT_S = 5.0
TAIL_RECORDS = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One supervised process. `state` is supervisor's, or NOT_READY for one that runs and does not work.

    `cpu_percent` is of one core, the mean since the process started.
    """

    name: str
    state: str
    pid: int
    restarts: int
    rss_mb: float
    uptime_s: float
    cpu_percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture. A value that could not be read is None, and `problems` says why."""

    source: str
    simulated: bool
    services: tuple[ServiceStatus, ...]
    loader_lag_records: Mapping[str, int] | None
    last_checkpoint_age_s: float | None
    open_gaps: int | None
    last_tick_age_s: Mapping[str, float | None]
    problems: tuple[str, ...] = field(default=())

    @property
    def degraded(self) -> bool:
        return bool(self.problems)

    def to_json(self) -> dict[str, Any]:
        """The picture as JSON values, with `degraded` and the resident total."""
        rss = round(sum(service.rss_mb for service in self.services), 1)
        return {"degraded": self.degraded, "rss_mb": rss, **asdict(self)}


def judge(
    services: Sequence[ServiceStatus],
    lag: Mapping[str, int] | None,
    checkpoint_age_s: float | None,
    open_gaps: int | None,
    tick_age_s: Mapping[str, float | None],
) -> list[str]:
    """Every reason to call the platform degraded, as sentences; an empty list means healthy."""
    reasons = [f"{s.name} is {s.state}" for s in services if s.state != "RUNNING"]
    for topic, records in (lag or {}).items():
        if records > MAX_LAG_RECORDS:
            reasons.append(f"the loader is {records} records behind on {topic}")
    if checkpoint_age_s is not None and checkpoint_age_s > MAX_CHECKPOINT_AGE_S:
        reasons.append(f"Flink's last checkpoint is {checkpoint_age_s:.0f} s old")
    if open_gaps:
        reasons.append(f"{open_gaps} gaps are open")
    for pair, age in tick_age_s.items():
        if age is None:
            reasons.append(f"{pair} has no tick yet")
        elif age > MAX_TICK_AGE_S:
            reasons.append(f"{pair} has had no tick for {age:.0f} s")
    return reasons


def read(stack: Stack) -> Status:
    """Ask every part, in parallel and with time limits.

    Raises:
        SupervisorError: the stack does not run.
    """
    settings = stack.settings
    services = _services(stack)
    problems: list[str] = []

    def attempt(what: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except (PlatformError, KafkaException, OSError) as error:
            problems.append(f"{what} cannot be read: {error}")
            return None

    with ThreadPoolExecutor(4) as pool:
        lag = pool.submit(attempt, "loader lag", lambda: loader_lag(settings))
        checkpoint = pool.submit(attempt, "checkpoint age", lambda: checkpoint_age_s(settings))
        gaps = pool.submit(attempt, "gap ledger", lambda: open_gaps(settings))
        ticks = pool.submit(attempt, "last ticks", lambda: tick_ages_s(settings))
    ages = ticks.result() or dict.fromkeys(settings.pair_choice.named)
    reasons = judge(services, lag.result(), checkpoint.result(), gaps.result(), ages)
    return Status(
        source=settings.source,
        simulated=settings.source == "sim",
        services=tuple(services),
        loader_lag_records=lag.result(),
        last_checkpoint_age_s=checkpoint.result(),
        open_gaps=gaps.result(),
        last_tick_age_s=ages,
        problems=(*reasons, *problems),
    )


def _services(stack: Stack) -> list[ServiceStatus]:
    states = stack.states()
    ready = {step.name: step.ready for step in stack.steps() if isinstance(step, Service)}
    running = [name for name, state in states.items() if state.running and name in ready]
    with ThreadPoolExecutor(max(1, len(running))) as pool:
        answers = dict(zip(running, pool.map(lambda name: ready[name](), running), strict=True))
    return [
        ServiceStatus(
            name=name,
            state=state.state if answers.get(name, True) else "NOT_READY",
            pid=state.pid,
            restarts=state.restarts,
            rss_mb=round(_rss_bytes(state.pid) / 2**20, 1),
            uptime_s=round(time.time() - state.since_s, 1) if state.pid else 0.0,
            cpu_percent=_cpu_percent(state.pid),
        )
        for name, state in states.items()
    ]


def _rss_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants."""
    if not pid:
        return 0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _cpu_percent(pid: int) -> float:
    """Processor time of a process since its start, in percent of that time on one core."""
    if not pid:
        return 0.0
    try:
        process = psutil.Process(pid)
        times, lived_s = process.cpu_times(), time.time() - process.create_time()
    except psutil.NoSuchProcess:
        return 0.0
    return round(100 * (times.user + times.system) / lived_s, 1) if lived_s > 0 else 0.0


def loader_lag(settings: Settings) -> dict[str, int]:
    """Records that stand in each loaded topic and have not been committed to the warehouse."""
    with warehouse.connect(settings) as connection:
        rows = warehouse.rows(connection, "SELECT TOPIC, PARTITION_ID, NEXT_OFFSET FROM OPS.LOAD_OFFSETS")
    loaded = {(topic, int(partition)): int(offset) for topic, partition, offset in rows}
    client = consumer(settings, f"status-{uuid.uuid4()}")
    try:
        known = client.list_topics(timeout=KAFKA_TIMEOUT_S).topics
        lag: dict[str, int] = {}
        for topic in loaded_topics(raw_tickers=settings.loader_raw_tickers):
            if topic not in known:
                raise ServiceUnavailableError(
                    f"Kafka has no topic {topic}.", "`crypto-platform up` creates it."
                )
            ends = watermarks(client, topic, known[topic].partitions)
            lag[topic] = sum(high - max(low, loaded.get((topic, p), low)) for p, (low, high) in ends.items())
        return lag
    finally:
        client.close()


def checkpoint_age_s(settings: Settings) -> float | None:
    """Age of the older of the jobs' last completed checkpoints; None before the first ones."""
    now_s = time.time()
    ages: list[float] = []
    with FlinkRest(settings.flink_url) as flink:
        for job in JOBS.values():
            running = flink.running(job.name)
            if not running:
                raise ServiceUnavailableError(
                    f"Flink runs no job {job.name}.", "`crypto-platform logs flink-jobs`."
                )
            age = flink.checkpoints(running[0].id).age_s(now_s)
            if age is not None:
                ages.append(age)
    return max(ages, default=None)


def open_gaps(settings: Settings) -> int:
    """Gaps of the ledger in the warehouse that are neither filled nor given up."""
    with warehouse.connect(settings) as connection:
        ((total,),) = warehouse.rows(connection, "SELECT COUNT(*) FROM OPS.GAPS WHERE STATUS = 'open'")
    return int(total)


class _Tick(msgspec.Struct):
    pair: str
    exchange_time_us: int


def tick_ages_s(settings: Settings) -> dict[str, float | None]:
    """Seconds since the exchange time of each pair's newest ticker or trade in Kafka, on whichever exchange;
    None for a named pair that the last records of every partition do not show."""
    client = consumer(settings, f"status-{uuid.uuid4()}")
    decoder = msgspec.json.Decoder(_Tick)
    newest: dict[str, int] = {}
    try:
        for topic in (topics.TICKERS, topics.TRADES):
            known = client.list_topics(topic, timeout=KAFKA_TIMEOUT_S).topics[topic].partitions
            ends = watermarks(client, topic, known)
            waiting = {p: high for p, (low, high) in ends.items() if high > low}
            client.assign(
                [
                    TopicPartition(topic, p, max(ends[p][0], high - TAIL_RECORDS))
                    for p, high in waiting.items()
                ]
            )
            deadline = time.monotonic() + KAFKA_TIMEOUT_S
            while waiting and time.monotonic() < deadline:
                for message in client.consume(TAIL_RECORDS * len(waiting), timeout=0.5):
                    if message.error():
                        continue
                    tick = decoder.decode(message.value())
                    newest[tick.pair] = max(newest.get(tick.pair, 0), tick.exchange_time_us)
                    if message.offset() + 1 >= waiting.get(message.partition(), 0):
                        waiting.pop(message.partition(), None)
    finally:
        client.close()
    now_us = time.time_ns() // 1000
    return {
        pair: round((now_us - newest[pair]) / 1e6, 3) if pair in newest else None
        for pair in settings.pair_choice.of(newest)
    }
