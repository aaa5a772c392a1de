"""Measuring Flink's jobs: Kafka in, every rule and window, Kafka out.

What belongs here: the phases of the measurement and its result. What does not: the messages
(`flink_messages`), starting brokers and Flink (`infra.local.scratch_flink`).

Phases: a first million trades fill the state; a second lot is sent as fast as the line takes it, for records
per core-second; then two steady rates, for latency and memory. A message's latency is the time from before it
is handed to the producer to when a consumer of the clean topic has it, by one clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from confluent_kafka import Producer, TopicPartition

from streaming import kafka, records, topics
from streaming.bench import processes
from streaming.bench.flink_messages import EXCHANGE, TICKER_EVERY, Messages
from streaming.errors import PlatformError
from streaming.flink import jobs
from streaming.flink.rest import FlinkRest
from streaming.pairs import partition_count
from streaming.settings import Settings

KEYS: Final = 1_000_000
RATES: Final = (1_000, 10_000)
NOMINAL_US: Final = 100
"""Exchange time between two messages of the fast phases: as if they came at 10,000 a second."""
MOST_AHEAD: Final = 200_000
"""Messages in flight in the fast phases: enough to keep every operator busy, few enough for a small disk."""
MOST_S: Final = 60.0
DRAIN_S: Final = 180.0
SETTLE_S: Final = 5.0
SAMPLE_S: Final = 1.0
POLL_S: Final = 0.2
_MARK: Final = b'"receive_time_ns":'
CLEAN: Final = (topics.CLEAN_TRADES, topics.CLEAN_TICKERS)


class BenchError(PlatformError):
    """The line did not do its work, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from Kafka through Flink to a consumer, at a steady rate of messages a second."""

    rate: int
    messages: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class FlinkResult:
    """One measurement. Processor seconds are those of the JobManager and the TaskManagers; memory is the
    highest sum of the TaskManagers' resident memory at the highest rate, in MiB."""

    keys: int
    records: int
    cpu_seconds: float
    records_per_core_second: float
    wall_rate: float
    latencies: tuple[Latency, ...]
    taskmanagers_mb: float
    restarts: int
    findings: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Line:
    """The running jobs and the clients on both sides of them.

    Args:
        settings: where Kafka and Flink are; the topics exist and the jobs run.
        pids: the JobManager's and TaskManagers' processes by service name.
        say: told about each phase.
    """

    def __init__(self, settings: Settings, pids: Mapping[str, int], say: Callable[[str], None]) -> None:
        self._settings = settings
        self._pids = pids
        self._say = say
        self._messages = Messages(list(settings.partitions))
        self._sent = 0
        self._begin_us = time.time_ns() // 1000
        self._producer: Producer = kafka.producer(
            settings, linger_ms=2, acks="all", queue_buffering_max_messages=MOST_AHEAD * 2
        )
        self._consumer = kafka.consumer(settings, "bench", fetch_wait_max_ms=5)
        self._first = self._ends()

    def close(self) -> None:
        self._consumer.close()

    def measure(self, seconds: float, keys: int, rates: Sequence[int]) -> FlinkResult:
        """Run all phases; each steady rate lasts `seconds`, all but the last at most a minute.

        Raises:
            BenchError: messages do not come out, or a job restarted.
        """
        total = keys * TICKER_EVERY // (TICKER_EVERY - 1)
        self._say(f"Filling the state with {keys:,} trades …")
        self._flood(total)
        self._say("Measuring the rate …")
        before, begun = self._cpu(), time.monotonic()
        measured = total // 2
        self._flood(measured)
        cpu, wall = self._cpu() - before, time.monotonic() - begun
        latencies = []
        memory = 0.0
        for rate in rates:
            length = seconds if rate == rates[-1] else min(seconds, MOST_S)
            self._say(f"Measuring latency at {rate:,} messages a second for {length:.0f} s …")
            latency, memory = self._steady(rate, length)
            latencies.append(latency)
        restarts = self._restarts()
        if restarts:
            raise BenchError(f"The jobs restarted {restarts} times during the measurement.")
        return FlinkResult(
            keys=keys,
            records=measured,
            cpu_seconds=round(cpu, 2),
            records_per_core_second=round(measured / cpu),
            wall_rate=round(measured / wall),
            latencies=tuple(latencies),
            taskmanagers_mb=round(memory),
            restarts=restarts,
            findings=sum(self._end(topics.ANOMALIES)),
        )

    def _flood(self, count: int) -> None:
        """Send `count` messages as fast as they come out again, and wait until every job has read them."""
        target = self._sent + count
        while self._sent < target:
            batch = min(5_000, target - self._sent)
            for _ in range(batch):
                self._send(self._begin_us + self._sent * NOMINAL_US, time.time_ns())
            self._producer.poll(0)
            while self._sent - self._through() > MOST_AHEAD:
                self._producer.poll(0.05)
        if self._producer.flush(DRAIN_S):
            raise BenchError("Kafka does not take the messages.")
        self._drain()

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_S
        while self._through() < self._sent or self._pending():
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{self._through():,} of {self._sent:,} messages came out in {DRAIN_S:.0f} s."
                )
            time.sleep(POLL_S)

    def _steady(self, rate: int, seconds: float) -> tuple[Latency, float]:
        """Latency, and the highest memory of the TaskManagers together."""
        # Exchange time goes on from where the fast phases left it, so that no window is closed already.
        offset_us = self._begin_us + self._sent * NOMINAL_US - time.time_ns() // 1000
        found: list[float] = []
        stop = threading.Event()
        reader = threading.Thread(target=self._read, args=(found, stop), daemon=True)
        reader.start()
        begin = time.monotonic()
        done, memory, sampled = 0, 0.0, begin
        total = int(rate * (SETTLE_S + seconds))
        while done < total:
            due = min(total, int((time.monotonic() - begin) * rate))
            while done < due:
                now = time.time_ns()
                self._send(now // 1000 + offset_us, now)
                done += 1
            self._producer.poll(0.001)
            if time.monotonic() - sampled > SAMPLE_S:
                sampled = time.monotonic()
                memory = max(memory, sum(processes.rss_mb(pid) for pid in self._taskmanagers()))
        self._producer.flush(DRAIN_S)
        self._drain()
        time.sleep(POLL_S)
        stop.set()
        reader.join()
        ms = np.array(found[int(rate * SETTLE_S) :]) / 1e6
        if not len(ms):
            raise BenchError("No message came out.")
        p50, p95, p99 = (round(float(value), 1) for value in np.quantile(ms, (0.5, 0.95, 0.99)))
        return Latency(rate, len(ms), p50, p95, p99), memory

    def _read(self, found: list[float], stop: threading.Event) -> None:
        """Collect the latency (ns) of everything that comes out from now on."""
        consumer = kafka.consumer(self._settings, "bench-latency", fetch_wait_max_ms=5)
        places = [
            TopicPartition(topic, partition, end)
            for topic in CLEAN
            for partition, end in enumerate(self._end(topic))
        ]
        consumer.assign(places)
        while not stop.is_set():
            for message in consumer.consume(1_000, 0.01):
                value = message.value()
                assert value is not None
                at = value.index(_MARK) + len(_MARK)
                found.append(time.time_ns() - int(value[at : at + 19]))
        consumer.close()

    def _send(self, exchange_time_us: int, receive_time_ns: int) -> None:
        is_ticker, pair, value = self._messages.next(exchange_time_us, receive_time_ns)
        self._producer.produce(
            topics.TICKERS if is_ticker else topics.TRADES,
            value,
            records.key_of(EXCHANGE, pair),
            self._settings.partitions[pair],
        )
        self._sent += 1

    def _end(self, topic: str) -> list[int]:
        partitions = partition_count(self._settings.partitions)
        return [end for _, end in kafka.watermarks(self._consumer, topic, range(partitions)).values()]

    def _ends(self) -> int:
        return sum(sum(self._end(topic)) for topic in CLEAN)

    def _through(self) -> int:
        return self._ends() - self._first

    def _taskmanagers(self) -> list[int]:
        return [pid for name, pid in self._pids.items() if "taskmanager" in name]

    def _cpu(self) -> float:
        return processes.cpu_seconds(list(self._pids.values()))

    def _running(self, flink: FlinkRest) -> list[str]:
        return [found.id for job in jobs.JOBS.values() for found in flink.running(job.name)]

    def _pending(self) -> int:
        with FlinkRest(self._settings.flink_url) as flink:
            return sum(flink.pending_records(job) for job in self._running(flink))

    def _restarts(self) -> int:
        with FlinkRest(self._settings.flink_url) as flink:
            return sum(flink.restarts(job) for job in self._running(flink))


def run(
    settings: Settings,
    pids: Mapping[str, int],
    seconds: float,
    say: Callable[[str], None],
    *,
    keys: int = KEYS,
    rates: Sequence[int] = RATES,
) -> FlinkResult:
    """One measurement on a line that runs.

    Args:
        settings: where Kafka and Flink are; the topics exist and the jobs run.
        pids: the JobManager's and TaskManagers' processes by service name.
        seconds: length of each steady rate.
        say: told about each phase.
        keys: trades in the state when the rate is measured.
        rates: the steady rates, messages a second; memory is that at the last one.

    Raises:
        BenchError: messages do not come out, or a job restarted.
    """
    line = Line(settings, pids, say)
    try:
        return line.measure(seconds, keys, rates)
    finally:
        line.close()
