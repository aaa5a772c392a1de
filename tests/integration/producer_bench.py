"""Real Kafka, the simulated exchange and producer processes for a test, on their own ports.

What belongs here: starting, stopping and asking them. What does not: assertions about behaviour.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from confluent_kafka import Message, TopicPartition

from infra.local import kafka as brokers
from infra.local.services import Service, catalogue
from infra.local.stack import Stack
from streaming import kafka, topics
from streaming.records import Gap, Trade
from tests.integration.platform_process import REPOSITORY, Platform, prepare

TRUTH_ROWS = 10_000
SETTLE_S = 90
_Record = TypeVar("_Record")


@dataclass
class Bench:
    """Kafka and the simulated exchange run; producers are started by the test."""

    platform: Platform
    stack: Stack
    http: httpx.Client
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Run `python -m module`, logging into the platform's home."""
        with (self.platform.home / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=self.platform.process_environment() | environment,
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @contextmanager
    def producer(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A producer that is ready; ended by SIGTERM if the test has not ended it."""
        process = self.start("streaming.producer", *arguments, **environment)
        try:
            self.platform.await_that(
                "the producer is ready", lambda: self.status()["ready"] or process.poll() is not None
            )
            assert process.poll() is None, self.log("streaming.producer")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)

    def log(self, module: str) -> str:
        return (self.platform.home / f"{module}.log").read_text(encoding="utf-8")

    def stop_simulator(self) -> None:
        """End the simulated exchange in an orderly way."""
        simulator = next(p for p in self.processes if p.poll() is None and "streaming.simulator" in p.args)
        simulator.send_signal(signal.SIGTERM)
        simulator.wait(20)

    def status(self, port: int | None = None, timeout_s: float = 5.0) -> dict[str, Any]:
        """What /ready says; not ready when nobody answers."""
        port = port or self.platform.settings.ports.metrics_producers[0]
        try:
            answer: dict[str, Any] = self.http.get(f"http://127.0.0.1:{port}/ready", timeout=timeout_s).json()
        except httpx.TransportError:
            return {"ready": False}
        return answer

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry `labels`."""
        port = self.platform.settings.ports.metrics_producers[0]
        text = self.http.get(f"http://127.0.0.1:{port}/metrics").text
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(w in line for w in wanted))

    def exchange_state(self) -> dict[str, Any]:
        """What /control/state of the simulated exchange says."""
        answer: dict[str, Any] = self.http.get(f"{self.platform.settings.simulator_url}/control/state").json()
        return answer

    def kill_broker(self, name: str) -> None:
        """kill -9 a broker (`kafka-1`); return when the supervisor has started it again and it answers."""
        pid = self.stack.states()[name].pid
        os.kill(pid, signal.SIGKILL)
        self.platform.await_that(f"{name} starts", lambda: self.stack.states()[name].pid not in (0, pid))
        self.start_broker(name)

    def start_broker(self, name: str) -> None:
        """Start a broker unless it runs; return when it answers."""
        [service] = [step for step in self.stack.steps() if isinstance(step, Service) and step.name == name]
        self.stack.supervisor.start(name)
        self.platform.await_that(f"{name} answers", service.ready, service.ready_within_s)

    def records(
        self, topic: str, kind: type[_Record], partitions: Iterable[int] | None = None
    ) -> list[_Record]:
        """Everything in a topic or some of its partitions, one by one, in Kafka's order."""
        decoder = msgspec.json.Decoder(kind)
        return [decoder.decode(message.value()) for message in self.messages(topic, partitions)]

    def messages(self, topic: str, partitions: Iterable[int] | None = None) -> list[Message]:
        consumer = kafka.consumer(self.platform.settings, "test")
        found: list[Message] = []
        try:
            if partitions is None:
                partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            for partition in partitions:
                low, high = kafka.watermarks(consumer, topic, [partition])[partition]
                position = TopicPartition(topic, partition, low)
                if low == high:
                    continue
                consumer.assign([position])
                while high > low:
                    batch = consumer.consume(min(5000, high - low), timeout=10)
                    assert batch, f"{topic} [{partition}] ends at {low}, not at {high}"
                    found += batch
                    low = batch[-1].offset() + 1
        finally:
            consumer.close()
        return found

    def trades(self, pair: str) -> list[Trade]:
        """The tape of a pair, in Kafka's order."""
        partition = self.platform.settings.partitions[pair]
        return [t for t in self.records(topics.TRADES, Trade, [partition]) if t.pair == pair]

    def gaps(self) -> dict[tuple[str, int], Gap]:
        """The gap ledger: the latest state of each gap."""
        return {(gap.pair, gap.from_id): gap for gap in self.records(topics.GAPS, Gap)}

    def truth(self, pair: str, first_id: int, last_id: int) -> list[dict[str, Any]]:
        """What the exchange really traded."""
        rows: list[dict[str, Any]] = []
        while first_id <= last_id:
            page = self.platform.truth(
                "trades", pair=pair, from_id=first_id, to_id=last_id, limit=TRUTH_ROWS
            )["trades"]
            rows += page
            first_id = page[-1]["id"] + 1
        return rows


@contextmanager
def bench(home: Path, offset: int, **environment: str) -> Iterator[Bench]:
    """Kafka and the simulated exchange in `home`; nothing of it is left afterwards."""
    platform = prepare(home, offset, **environment)
    settings = platform.settings
    brokers.prepare(settings)
    steps = [step for step in catalogue(settings) if isinstance(step, Service) and "kafka-" in step.name]
    stack = Stack(settings, steps)
    stack.up()
    result = Bench(platform, stack, httpx.Client(timeout=5))
    try:
        result.start("streaming.simulator")
        platform.await_that(
            "the exchange answers", lambda: _answers(f"{settings.simulator_url}/truth/summary")
        )
        yield result
    finally:
        for process in result.processes:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
        stack.down()
        result.http.close()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.TransportError:
        return False
    return True


def await_live(running: Bench) -> None:
    """Wait until every pair has brought a live trade: whatever was missed before stands in the ledger now."""
    running.platform.await_that(
        "every pair is live",
        lambda: all(
            running.metric("crypto_producer_trades_total", pair=pair, source="ws") > 0
            for pair in running.platform.settings.partitions
        ),
    )


def settle(running: Bench) -> None:
    """Pause the market and wait until the producer has caught up."""
    pairs = running.platform.settings.partitions
    running.platform.await_that("the producer is connected", lambda: running.status()["ready"])
    running.platform.control("pause")
    # The last trades may have been lost with a connection; only a further trade can reveal that.
    for pair in pairs:
        last = running.exchange_state()["pairs"][pair]["next_id"] - 1
        price = running.truth(pair, last, last)[0]["price"]
        running.platform.control("trade", pair=pair, price=price, size="0.1", side="buy")
    running.platform.await_that("every gap is closed", lambda: has_everything(running), SETTLE_S)


def has_everything(running: Bench) -> bool:
    """Whether the paused exchange's last trade of each pair has been seen and no gap is open."""
    status = running.status()
    desks = running.exchange_state()["pairs"]
    return status.get("gaps_open") == 0 and all(
        state["last_trade_id"] == desks[pair]["next_id"] - 1 for pair, state in status["pairs"].items()
    )
