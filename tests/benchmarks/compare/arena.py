"""The ground for a comparison: three brokers, the feed, contestants as processes, and what each has used.

What belongs here: starting, stopping, reading CPU time, counting what reached Kafka. What does not: how a
contestant is started (`contestants`), rounds and verdict (`tests.benchmarks.compare_producers`).

A measurement begins and ends with the feed at rest and everything delivered, so the CPU time between the two
readings belongs to exactly the trades between them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from infra.local import kafka as brokers
from infra.local.services import Service, catalogue
from infra.local.stack import Stack
from streaming import kafka, topics
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.settings import LOOPBACK
from tests.benchmarks.compare.contestants import Contestant
from tests.benchmarks.compare.feed import make_certificate, tls_port
from tests.integration.platform_process import REPOSITORY, Platform

TRADE_CHANNELS: Final = ("trades:", "trades-all:")
START_TIMEOUT_S: Final = 60.0
SETTLE_TIMEOUT_S: Final = 60.0
QUIET_S: Final = 1.0
"""Kafka has taken everything when nothing has come for so long; cryptofeed waits 0.5 s for a batch."""
POLL_S: Final = 0.1
STOP_S: Final = 20.0


# A broker learns a moment after the others that it leads a partition.
_until_leaders_are_known = retry(
    retry=retry_if_exception_type(KafkaException),
    stop=stop_after_delay(START_TIMEOUT_S),
    wait=wait_random_exponential(multiplier=0.1, max=2.0),
    reraise=True,
)


class ContestantError(PlatformError):
    """A contestant did not start, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one contestant did with the trades of one interval.

    `trades` is what the feed sent; `lost` of them never reached Kafka, `repeated` messages came on top.
    """

    name: str
    trades: int
    cpu_s: float
    lost: int
    repeated: int
    rss_mib: float

    @property
    def cpu_s_per_thousand(self) -> float:
        """CPU seconds for each thousand trades of the feed."""
        return self.cpu_s * 1000 / self.trades


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant's process."""

    contestant: Contestant
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        """User and system seconds of the process and all its children, dead ones too."""
        total = 0.0
        parent = psutil.Process(self.process.pid)
        for process in (parent, *parent.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def rss_mib(self) -> float:
        parent = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True))) / 2**20

    def require_alive(self) -> None:
        """Raises ContestantError with the end of the log when the process has ended."""
        if self.process.poll() is not None:
            tail = " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
            raise ContestantError(
                f"{self.contestant.name} ended with code {self.process.returncode}: {tail}",
                f"Its log is {self.log}.",
            )


class Arena:
    """Brokers and feed run; contestants are started and measured. Made by `open_arena`."""

    def __init__(self, platform: Platform, certificate: Path) -> None:
        self.platform = platform
        self.certificate = certificate
        settings = platform.settings
        self.ws_url = f"wss://{LOOPBACK}:{tls_port(settings)}"
        self.rest_url = settings.simulator_url
        self._feed = httpx.Client(base_url=self.rest_url, timeout=10)
        self._consumer = kafka.consumer(settings, "benchmark")
        self._admin: AdminClient = kafka.admin(settings)

    def close(self) -> None:
        self._consumer.close()
        self._feed.close()

    def answers(self) -> bool:
        """Whether the feed is up."""
        try:
            self._feed.get("/truth/summary")
        except httpx.TransportError:
            return False
        return True

    def control(self, action: str, **values: Any) -> None:
        """Pause, resume or pace the feed."""
        self._feed.post(f"/control/{action}", json=values).raise_for_status()

    def create_topics(self, contestants: Sequence[Contestant]) -> None:
        """Create what the contestants write to, three copies each, as the brokers do not by themselves."""
        kafka.create_topics(self.platform.settings)
        expected = {name: n for c in contestants for name, n in (*c.topics.items(), *c.other_topics.items())}
        new = [
            NewTopic(name, num_partitions=n, replication_factor=topics.REPLICATION_FACTOR)
            for name, n in expected.items()
            if name not in topics.ALL_TOPICS
        ]
        for future in self._admin.create_topics(new).values() if new else ():
            future.result(timeout=kafka.TIMEOUT_S)

        def have_leaders() -> bool:
            known = self._admin.list_topics(timeout=kafka.TIMEOUT_S).topics
            return all(
                name in known
                and len(known[name].partitions) == partitions
                and all(partition.leader >= 0 for partition in known[name].partitions.values())
                for name, partitions in expected.items()
            )

        wait_until("every partition has a leader", have_leaders)
        # A client keeps for a while what it learned about a topic before the topic had leaders.
        self._admin = kafka.admin(self.platform.settings)
        for contestant in contestants:
            self._ends(contestant)

    @_until_leaders_are_known
    def _ends(self, contestant: Contestant) -> dict[tuple[str, int], int]:
        """The next offset of each partition the contestant writes trades to."""
        wanted = {
            TopicPartition(topic, partition): OffsetSpec.latest()
            for topic, partitions in contestant.topics.items()
            for partition in range(partitions)
        }
        futures = self._admin.list_offsets(wanted, request_timeout=kafka.TIMEOUT_S)
        return {(at.topic, at.partition): future.result().offset for at, future in futures.items()}

    def _last_ids(self) -> dict[str, int]:
        pairs = self._feed.get("/truth/summary").raise_for_status().json()["pairs"]
        return {pair: totals["last_id"] for pair, totals in pairs.items() if totals}

    def _subscriptions(self) -> int:
        state = self._feed.get("/control/state").raise_for_status().json()
        return sum(
            topic.startswith(TRADE_CHANNELS) for c in state["connections"] for topic in c["subscriptions"]
        )

    @_until_leaders_are_known
    def _empty(self, names: Sequence[str]) -> None:
        known = self._admin.list_topics(timeout=kafka.TIMEOUT_S).topics
        # -1 is the end of the partition.
        ends = [TopicPartition(name, n, -1) for name in names for n in known[name].partitions]
        for future in self._admin.delete_records(ends).values():
            future.result(timeout=kafka.TIMEOUT_S)

    @contextmanager
    def running(self, contestants: Sequence[Contestant]) -> Iterator[list[Running]]:
        """Start contestants while the feed rests; all have subscribed when this yields. Ended by SIGTERM.

        Raises:
            ContestantError: one ended, or did not subscribe in time.
        """
        self.control("pause")
        started: list[Running] = []
        try:
            for contestant in contestants:
                self._empty(contestant.emptied)
                started.append(self._start(contestant))
            wanted = len(contestants) * len(self.platform.settings.partitions)

            def subscribed() -> bool:
                for running in started:
                    running.require_alive()
                return self._subscriptions() == wanted

            wait_until(f"{', '.join(c.name for c in contestants)} subscribed", subscribed)
            yield started
        finally:
            for running in started:
                running.process.send_signal(signal.SIGTERM)
            for running in started:
                _end(running.process)
            wait_until("the feed has no client", lambda: self._subscriptions() == 0)

    def _start(self, contestant: Contestant) -> Running:
        log = self.platform.home / f"{contestant.name.replace(' ', '-')}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                list(contestant.command),
                env=dict(contestant.environment)
                | {"SSL_CERT_FILE": str(self.certificate), "PYTHONPATH": ""}
                | ({"PYTHONPATH": str(REPOSITORY)} if "-m" in contestant.command else {}),
                cwd=self.platform.home,
                stdout=file,
                stderr=file,
            )
        return Running(contestant, process, log)

    def trade_for(self, seconds: float) -> None:
        """Let the feed trade, then rest."""
        self.control("resume")
        time.sleep(seconds)
        self.control("pause")

    def settle(self, running: Sequence[Running]) -> None:
        """Wait until nothing has reached Kafka for `QUIET_S`.

        Raises:
            ContestantError: a process has ended, or writes on and on.
        """
        ends = [self._ends(r.contestant) for r in running]
        quiet_since = began = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            if time.monotonic() - began > SETTLE_TIMEOUT_S:
                names = ", ".join(r.contestant.name for r in running)
                raise ContestantError(
                    f"{names} still wrote {SETTLE_TIMEOUT_S:.0f} s after the last trade.", ""
                )
            time.sleep(POLL_S)
            for r in running:
                r.require_alive()
            now = [self._ends(r.contestant) for r in running]
            if now != ends:
                ends, quiet_since = now, time.monotonic()

    def measure(self, running: Sequence[Running], seconds: float) -> list[Measurement]:
        """What each used for the trades of the next `seconds`. The feed must be at rest and Kafka settled."""
        first = self._last_ids()
        begins = [self._ends(r.contestant) for r in running]
        cpu_before = [r.cpu_s() for r in running]
        self.trade_for(seconds)
        self.settle(running)
        cpu_after = [r.cpu_s() for r in running]
        rss = [r.rss_mib() for r in running]
        last = self._last_ids()
        expected = {(pair, n) for pair in last for n in range(first[pair] + 1, last[pair] + 1)}
        found = []
        for r, begin, before, after, mib in zip(running, begins, cpu_before, cpu_after, rss, strict=True):
            trades = self._trades(r.contestant, begin)
            distinct = expected.intersection(trades)
            found.append(
                Measurement(
                    r.contestant.name,
                    len(expected),
                    after - before,
                    len(expected) - len(distinct),
                    len(trades) - len(distinct),
                    mib,
                )
            )
        return found

    def _trades(self, contestant: Contestant, begins: dict[tuple[str, int], int]) -> list[tuple[str, int]]:
        """The trades in the contestant's topics from `begins` to their ends."""
        trades: list[tuple[str, int]] = []
        for (topic, partition), end in self._ends(contestant).items():
            offset = begins[topic, partition]
            if offset == end:
                continue
            self._consumer.assign([TopicPartition(topic, partition, offset)])
            while offset < end:
                batch = self._consumer.consume(min(5000, end - offset), timeout=kafka.TIMEOUT_S)
                if not batch:
                    raise ServiceUnavailableError(
                        f"{topic} [{partition}] ends at {offset}, not at {end}.", "Look at the brokers' logs."
                    )
                for message in batch:
                    trade = contestant.trade(message.value())
                    if trade is not None:
                        trades.append(trade)
                offset = batch[-1].offset() + 1
        return trades


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
    """Poll until the condition holds. Raises ServiceUnavailableError with `what` did not come about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceUnavailableError(f"Not within {timeout_s:.0f} s: {what}.", "Look at the logs.")
        time.sleep(POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)


@contextmanager
def open_arena(platform: Platform) -> Iterator[Arena]:
    """Three brokers and the feed, at rest; nothing of them is left afterwards."""
    settings = platform.settings
    certificate = make_certificate(platform.home)
    brokers.prepare(settings)
    steps = [step for step in catalogue(settings) if isinstance(step, Service) and "kafka-" in step.name]
    stack = Stack(settings, steps)
    stack.up()
    try:
        with (platform.home / "feed.log").open("ab") as log:
            feed = subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.compare.feed", str(platform.home)],
                env=platform.process_environment() | {"CRYPTO_SIM_TICKERS_PER_SECOND": "0"},
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )
        arena = Arena(platform, certificate)
        try:
            wait_until("the feed answers", arena.answers)
            arena.trade_for(1.0)
            yield arena
        finally:
            arena.close()
            os.kill(feed.pid, signal.SIGTERM)
            _end(feed)
    finally:
        stack.down()
