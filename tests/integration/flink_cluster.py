"""Real Kafka and Flink for tests of the jobs, without the rest of the platform.

What belongs here: starting, killing and asking them. What does not: assertions.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import KafkaException, Producer, TopicPartition

from infra.local import flink, jars, kafka
from streaming import kafka as clients
from streaming import records
from streaming import settings as settings_module
from streaming.errors import PlatformError
from streaming.flink.jobs import Job
from streaming.flink.rest import FlinkRest
from streaming.records import Ticker, Trade
from streaming.settings import Settings

REPOSITORY = Path(__file__).parents[2]
PORT_OFFSET = 11_000
START_TIMEOUT_S = 240


def await_that(what: str, condition: Callable[[], bool], timeout_s: float = 180) -> None:
    """Poll until the condition holds, or fail with its name."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.2)


def trade(
    exchange: str, pair: str, trade_id: int, time_ms: int, price: str = "100", size: str = "1"
) -> Trade:
    """A single fill; simulated if the exchange's name says so."""
    return Trade(
        exchange=exchange,
        pair=pair,
        first_id=trade_id,
        trade_id=trade_id,
        count=1,
        price=price,
        size=size,
        side="buy",
        exchange_time_us=time_ms * 1000,
        receive_time_ns=time.time_ns(),
        producer_id="test",
        producer_epoch=1,
        seq=trade_id,
        source="ws",
        simulated=exchange.endswith(records.SIMULATED_SUFFIX),
    )


@dataclass
class FlinkCluster:
    """Three brokers, a JobManager, two TaskManagers and the job service, each a process of its own."""

    home: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return settings_module.load(self.environment)

    @cached_property
    def producer(self) -> Producer:
        return clients.producer(self.settings)

    @property
    def rest(self) -> FlinkRest:
        return FlinkRest(self.settings.flink_url)

    def start(self) -> None:
        """Start the brokers and the cluster, wait for them, create the topics."""
        flink.write_config(self.settings, flink.configuration_folder(self.settings))
        kafka.prepare(self.settings)
        for broker in kafka.BROKERS:
            self.spawn(f"kafka-{broker}", kafka.command(self.settings, broker), {})
        self.start_jobmanager()
        for index in flink.TASKMANAGERS:
            self.start_taskmanager(index)
        await_that("Flink has its slots", lambda: self._slots() == 8, START_TIMEOUT_S)
        await_that("Kafka has its topics", self._topics_exist, START_TIMEOUT_S)

    def start_jobmanager(self) -> None:
        command = flink.jobmanager_command(self.settings)
        self.spawn("jobmanager", command, flink.environment(self.settings))

    def start_taskmanager(self, index: int) -> None:
        command = flink.taskmanager_command(self.settings, index)
        self.spawn(f"taskmanager-{index}", command, flink.environment(self.settings))

    def start_jobs(self) -> None:
        """Start the job service in place of one that runs; wait until it is ready."""
        if "flink-jobs" in self.processes:
            assert self.terminate("flink-jobs") == 0
        self.spawn("flink-jobs", [sys.executable, "-m", "streaming.flink"], {})
        self.await_ready()

    def ensure_jobs(self) -> None:
        """Start the job service unless it runs."""
        if "flink-jobs" not in self.processes:
            self.start_jobs()

    def await_ready(self, timeout_s: float = 240) -> None:
        await_that("the job service is ready", lambda: self.readiness().get("ready") is True, timeout_s)

    def readiness(self) -> dict[str, Any]:
        """What `/ready` of the job service answers; empty while it does not."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.environment['CRYPTO_METRICS_PORT']}/ready", timeout=2)
        except httpx.HTTPError:
            return {}
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def taskmanager_of(self, job: Job) -> int:
        """The TaskManager that runs the job's tasks."""
        with self.rest as rest:
            (running,) = rest.running(job.name)
        base = self.settings.flink_url
        vertices = httpx.get(f"{base}/jobs/{running.id}").json()["vertices"]
        found = httpx.get(f"{base}/jobs/{running.id}/vertices/{vertices[0]['id']}/taskmanagers").json()
        return int(found["taskmanagers"][0]["taskmanager-id"].rpartition("-")[2])

    def inherited_environment(self) -> dict[str, str]:
        """This process's environment with the cluster's settings in place of the platform's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CRYPTO_", "KAFKA_", "FLINK_"))}
        return kept | self.environment

    def spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=self.inherited_environment() | environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes.pop(name).wait(10)

    def terminate(self, name: str, timeout_s: float = 120) -> int:
        """SIGTERM, and the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout_s)

    def stop(self) -> None:
        """Stop everything that still runs, by force after ten seconds."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.processes.clear()

    def produce(self, topic: str, messages: list[tuple[int, bytes, bytes]]) -> None:
        """Write (partition, key, value) in that order and wait for the acknowledgements."""
        producer = self.producer
        for partition, key, value in messages:
            producer.produce(topic, value, key, partition)
            producer.poll(0)
        assert producer.flush(30) == 0

    def trades(self, trades: list[Trade]) -> list[tuple[int, bytes, bytes]]:
        """Trades as messages for `produce`, on the partition of their pair."""
        return [
            (self.settings.partitions[t.pair], records.key_of(t.exchange, t.pair), records.encode(t))
            for t in trades
        ]

    def tickers(self, tickers: list[Ticker]) -> list[tuple[int, bytes, bytes]]:
        """Tickers as messages for `produce`, on the partition of their pair."""
        return [
            (self.settings.partitions[t.pair], records.key_of(t.exchange, t.pair), records.encode(t))
            for t in tickers
        ]

    def read(self, topic: str) -> list[tuple[int, dict[str, Any]]]:
        """Every committed message of a topic, as (partition, JSON)."""
        return [(partition, value) for partition, _, value in self._read(topic)]

    def read_timed(self, topic: str) -> list[tuple[float, dict[str, Any]]]:
        """Every committed message of a topic, as (time it was made in s since the epoch, JSON)."""
        return [(at, value) for _, at, value in self._read(topic)]

    def _read(self, topic: str) -> list[tuple[int, float, dict[str, Any]]]:
        consumer = clients.consumer(self.settings, "test")
        try:
            partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            ends = clients.watermarks(consumer, topic, partitions)
            waiting = {partition for partition, (low, high) in ends.items() if low < high}
            consumer.assign([TopicPartition(topic, partition, 0) for partition in waiting])
            found = []
            deadline = time.monotonic() + 20
            while waiting and time.monotonic() < deadline:
                for message in consumer.consume(500, 0.2):
                    value, partition = message.value(), message.partition()
                    assert value is not None
                    assert partition is not None
                    found.append((partition, message.timestamp()[1] / 1000, json.loads(value)))
                # A transaction's end marker takes an offset too, so the position tells, not the last message.
                waiting = {
                    p.partition
                    for p in consumer.position([TopicPartition(topic, p) for p in waiting])
                    if p.offset < ends[p.partition][1]
                }
            return found
        finally:
            consumer.close()

    def _slots(self) -> int:
        try:
            with self.rest as rest:
                return rest.overview().slots_total
        except PlatformError:
            return 0

    def _topics_exist(self) -> bool:
        try:
            clients.create_topics(self.settings)
        except (PlatformError, KafkaException):
            return False
        return True


@contextmanager
def running(home: Path) -> Iterator[FlinkCluster]:
    """A cluster in `home`; the Java archives are shared with the checkout's own data folder."""
    shared = REPOSITORY / ".local"
    jars.fetch(shared)
    home.mkdir(parents=True, exist_ok=True)
    (home / "jars").symlink_to(shared / "jars", target_is_directory=True)
    cluster = FlinkCluster(
        home,
        {
            "CRYPTO_HOME": str(home),
            "CRYPTO_PORT_OFFSET": str(PORT_OFFSET),
            "CRYPTO_FLINK_PROMETHEUS": "true",
            # The silences of the labelled market are short, so that its test is.
            "CRYPTO_ANOMALY_STALE_MIN_S": "1.5",
            "CRYPTO_METRICS_PORT": str(settings_module.Ports(PORT_OFFSET).metrics_flink_jobs),
        },
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
