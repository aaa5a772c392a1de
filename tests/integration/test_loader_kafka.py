"""The loader process between real brokers and a real emulator: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from infra.local import jars, kafka
from streaming import kafka as clients
from streaming import topics, warehouse
from streaming.errors import PlatformError
from streaming.loader.tables import ANOMALIES, BARS, DEAD_LETTERS, GAPS, LATE_TRADES, QUOTE_BARS_1S, TICKERS
from streaming.settings import LOOPBACK
from tests.integration import emulator_process, mortal_loader
from tests.integration.emulator_process import REPOSITORY, Emulator
from tests.unit.loader.test_loader_rows import BAR, SAMPLES, TRADE

pytestmark = pytest.mark.stack

PAIRS = tuple(topics.SEED_PARTITIONS)


@dataclass
class Line:
    """Three brokers, an emulator with the schema, and at most one loader."""

    emulator: Emulator
    brokers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    loader: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        wanted = {"CRYPTO_LOADER_RAW_TICKERS": "true"}
        return emulator_process.inherited() | self.emulator.environment | wanted

    def spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.emulator.settings.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=self.environment, cwd=REPOSITORY, stdout=log, stderr=log)

    def start_brokers(self) -> None:
        settings = self.emulator.settings
        kafka.prepare(settings)
        self.brokers += [
            self.spawn(f"kafka-{broker}", kafka.command(settings, broker)) for broker in kafka.BROKERS
        ]
        self.await_that("the topics exist", self._topics_exist)

    def _topics_exist(self) -> bool:
        try:
            clients.create_topics(self.emulator.settings)
        except PlatformError:
            return False
        return True

    def start_loader(self) -> None:
        self.loader = self.spawn("loader", [sys.executable, "-m", "streaming.loader"])

    def end_loader(self, how: signal.Signals) -> int:
        assert self.loader is not None
        self.loader.send_signal(how)
        return self.loader.wait(timeout=20)

    def rows(self, statement: str) -> list[warehouse.Row]:
        with warehouse.connect(self.emulator.settings) as connection:
            return warehouse.rows(connection, statement)

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT COUNT(*) FROM {table}")[0][0])

    def get(self, path: str) -> httpx.Response:
        port = self.emulator.settings.ports.metrics_loader
        return httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=5, trust_env=False)

    def is_ready(self) -> bool:
        try:
            return self.get("/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def lag(self) -> float:
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("crypto_loader_lag{"))

    def await_that(self, what: str, condition: Callable[[], bool], timeout_s: float = 180) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            time.sleep(0.2)


def send(producer: Producer, topic: str, record: dict[str, Any]) -> None:
    producer.produce(
        topic, json.dumps(record).encode(), partition=topics.SEED_PARTITIONS[str(record["pair"])]
    )
    producer.poll(0)


def trade(pair: str, trade_id: int) -> dict[str, Any]:
    now_ns = time.time_ns()
    return TRADE | {
        "pair": pair,
        "first_id": trade_id,
        "trade_id": trade_id,
        "count": 1,
        "seq": trade_id,
        "exchange_time_us": now_ns // 1000,
        "receive_time_ns": now_ns,
    }


@pytest.fixture(scope="module")
def running_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    home: Path = tmp_path_factory.mktemp("line")
    shared = REPOSITORY / ".local"
    jars.fetch(shared)
    (home / "jars").symlink_to(shared / "jars", target_is_directory=True)
    with emulator_process.running(home) as emulator:
        line = Line(emulator)
        try:
            line.start_brokers()
            yield line
        finally:
            for process in line.brokers:
                process.kill()
                process.wait(timeout=10)


@pytest.fixture
def line(running_line: Line) -> Iterator[Line]:
    """The line with a loader that is ready; the loader is gone afterwards."""
    running_line.start_loader()
    running_line.await_that("the loader is ready", running_line.is_ready)
    yield running_line
    assert running_line.loader is not None
    if running_line.loader.poll() is None:
        running_line.end_loader(signal.SIGKILL)


def test_every_topic_arrives_in_its_table_and_sigterm_drains(line: Line) -> None:
    producer = clients.producer(line.emulator.settings)
    tables = {
        table.name for table in (*BARS, ANOMALIES, TICKERS, QUOTE_BARS_1S, LATE_TRADES, GAPS, DEAD_LETTERS)
    }
    before = {table: line.count(table) for table in tables}
    for topic in SAMPLES.keys() - {topics.CLEAN_TRADES, topics.DEAD_LETTERS}:
        send(producer, topic, SAMPLES[topic])
    producer.produce(topics.CLEAN_TRADES, b"{broken", partition=0)
    producer.flush(10)
    line.await_that(
        "one more row in every table", lambda: all(line.count(t) == n + 1 for t, n in before.items())
    )
    line.await_that("no lag is left", lambda: line.lag() == 0, 10)
    for pair in PAIRS:
        send(producer, topics.CLEAN_TRADES, trade(pair, 1))
    producer.flush(10)
    line.await_that("the trades", lambda: line.count("RAW.TRADES") == len(PAIRS))
    assert "crypto_exchange_to_warehouse_seconds_count" in line.get("/metrics").text
    assert line.end_loader(signal.SIGTERM) == os.EX_OK


def test_trades_survive_kills_of_the_loader_once_each(line: Line) -> None:
    """Trades keep coming, one in ten twice, while the loader dies four times."""
    chance = random.Random(5)
    producer = clients.producer(line.emulator.settings)
    last = 10_000
    for _ in range(4):
        for trade_id in range(last, last + 500):
            for pair in PAIRS:
                for _ in range(2 if chance.random() < 0.1 else 1):
                    send(producer, topics.CLEAN_TRADES, trade(pair, trade_id))
        last += 500
        time.sleep(chance.uniform(0.1, 0.6))
        line.end_loader(signal.SIGKILL)
        line.start_loader()
    producer.flush(10)
    expected = [(pair, 2000, 2000, 10_000, last - 1) for pair in sorted(PAIRS)]
    query = (
        "SELECT PAIR, COUNT(*), COUNT(DISTINCT TRADE_ID), MIN(TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES "
        "WHERE TRADE_ID >= 10000 AND TRADE_ID < 20000 GROUP BY PAIR ORDER BY PAIR"
    )
    line.await_that("every trade", lambda: line.rows(query) == expected)


@pytest.mark.parametrize("point", mortal_loader.POINTS)
def test_a_loader_killed_anywhere_in_a_large_batch_loads_each_trade_once(line: Line, point: str) -> None:
    """Kill -9 before PUT, after COPY, before COMMIT and after it; another loader goes on."""
    line.end_loader(signal.SIGKILL)
    first = 40_000 + 1_000 * list(mortal_loader.POINTS).index(point)
    producer = clients.producer(line.emulator.settings)
    for trade_id in range(first, first + 400):
        for pair in PAIRS:
            send(producer, topics.CLEAN_TRADES, trade(pair, trade_id))
    producer.flush(10)
    doomed = line.spawn("mortal", [sys.executable, "-m", "tests.integration.mortal_loader", point])
    assert doomed.wait(timeout=60) == -signal.SIGKILL
    query = (
        "SELECT COUNT(*), COUNT(DISTINCT PAIR || TRADE_ID), MIN(TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES "
        f"WHERE TRADE_ID BETWEEN {first} AND {first + 999}"
    )
    if point != "after_commit":
        assert line.rows(query)[0][0] == 0, "it did not die before its commit"
    line.start_loader()
    expected = [(400 * len(PAIRS), 400 * len(PAIRS), first, first + 399)]
    line.await_that("every trade once", lambda: line.rows(query) == expected)


def test_a_warehouse_that_was_away_gets_everything(line: Line, request: pytest.FixtureRequest) -> None:
    """For some seconds, or as long as `--away-seconds` says; trades keep coming meanwhile."""
    away_s = float(request.config.getoption("--away-seconds"))
    producer = clients.producer(line.emulator.settings)
    line.emulator.kill()
    deadline_s, last = time.monotonic() + away_s, 30_300
    for trade_id in range(30_000, last):
        send(producer, topics.CLEAN_TRADES, trade("BTC-USDT", trade_id))
    producer.flush(10)
    line.await_that("the loader says so", lambda: line.get("/ready").status_code == 503)
    while time.monotonic() < deadline_s:
        send(producer, topics.CLEAN_TRADES, trade("BTC-USDT", last))
        last += 1
        time.sleep(0.1)
    producer.flush(10)
    line.emulator.start()
    query = (
        "SELECT COUNT(*), COUNT(DISTINCT TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES "
        "WHERE TRADE_ID >= 30000 AND TRADE_ID < 40000"
    )
    expected = [(last - 30_000, last - 30_000, last - 1)]
    line.await_that("every trade", lambda: line.rows(query) == expected)
    line.await_that("the loader is ready again", line.is_ready)


def test_bars_of_an_aborted_transaction_are_never_loaded(line: Line) -> None:
    producer = clients.producer(line.emulator.settings, transactional_id="test-bars", linger_ms=0)
    producer.init_transactions(15)
    starts = [BAR["window_start_ms"] + minute * 60_000 for minute in (10, 11)]
    for start, end in zip(starts, (producer.abort_transaction, producer.commit_transaction), strict=True):
        producer.begin_transaction()
        send(producer, topics.BARS_1M, BAR | {"window_start_ms": start, "window_end_ms": start + 60_000})
        producer.flush(10)
        end(15)
    query = (
        "SELECT DATE_PART('minute', WINDOW_START) FROM MARKET.BARS_1M "
        "WHERE WINDOW_START > '2026-01-01 00:05:00'"
    )
    line.await_that("the committed bar", lambda: line.rows(query) == [(11,)], 30)
    line.await_that("markers of transactions are no lag", lambda: line.lag() == 0, 10)
