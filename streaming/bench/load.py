"""Measuring the loader's engine `batch`: messages in, committed rows out.

What belongs here: the two phases of the measurement and their result. What does not: starting a warehouse
(`infra.local.scratch_emulator`), Kafka, from which the messages come in life (`bench ingest`, `bench flink`).

Phases: large batches as fast as they go, for rows a second, processor time and memory; then micro-batches at
a steady rate, each watched by another session until its last row is visible there. A measurement counts only
if every row is there once at its end.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from snowflake.connector import SnowflakeConnection

from streaming import topics, warehouse
from streaming.bench import processes
from streaming.bench.growth import theil_sen
from streaming.errors import PlatformError
from streaming.loader import garbage
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import NETWORK_TIMEOUT_S, WarehouseSink
from streaming.settings import Settings

PLACE: Final = (topics.CLEAN_TRADES, 0)
PAIRS: Final = tuple(topics.SEED_PARTITIONS)
LARGE_ROWS: Final = 100_000
WARM_ROWS: Final = 20_000
MICRO_EVERY_S: Final = 0.2
"""How long the loader gathers on the emulator (`streaming.loader.engines`)."""
WATCH_S: Final = 30.0
EXCHANGE: Final = "OKX_SIM"


class BenchError(PlatformError):
    """The loader did not do its work, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds of each phase, and rows a second of the second one."""

    seconds: float = 20.0
    micro_rate: int = 1_000
    large_rows: int = LARGE_ROWS


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One measurement.

    `rate` is rows committed per second of the loader's work on large batches: decoding, checking, dropping
    duplicates, writing and committing; making the messages is not in it. `cpu_seconds` is the processor time
    of that work, the emulator's apart. Milliseconds of the micro-batches: from sending COMMIT, and from
    taking the batch, to another session seeing its last row; the watcher asks again as soon as it has its
    answer, so the figures include one question. Memory is in MiB; its growth is the Theil-Sen slope over the
    second half of the large batches: allocators keep what the first ones took.
    """

    rate: float
    rows: int
    seconds: float
    cpu_seconds: float
    emulator_cpu_seconds: float
    rss_mb: dict[str, float]
    rss_growth_mb_per_minute: float
    micro_rate: float
    micro_batches: int
    commit_to_visible_ms: dict[str, float]
    batch_to_visible_ms: dict[str, float]
    micro_cpu_seconds: float
    exact: bool
    load_average_before: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Tape:
    """Trades without end: five pairs in turn, ids and offsets that follow each other, current times."""

    next_offset: int = 0

    def take(self, count: int) -> list[Message]:
        """The next `count` messages, about 330 bytes each."""
        now_us = time.time_ns() // 1000
        first, self.next_offset = self.next_offset, self.next_offset + count
        return [
            Message(*PLACE, offset, _TRADE % (PAIRS[offset % len(PAIRS)].encode(), *_figures(offset, now_us)))
            for offset in range(first, first + count)
        ]


_TRADE: Final = (
    b'{"v":1,"exchange":"OKX_SIM","pair":"%s","first_id":%d,"trade_id":%d,"count":1,"price":"%d.%02d",'
    b'"size":"0.%05d","side":"buy","exchange_time_us":%d,"receive_time_ns":%d,"producer_id":"producer-1",'
    b'"producer_epoch":1,"seq":%d,"source":"ws","simulated":true,"rules":""}'
)


def _figures(offset: int, now_us: int) -> tuple[int, ...]:
    number = offset + 1
    cents, size = 6_000_000 + offset * 7919 % 100_000, 1 + offset * 104_729 % 99_999
    time_us = now_us + offset % 1_000
    return number, number, cents // 100, cents % 100, size, time_us, time_us * 1000 + 25_000_000, number


@dataclass
class _Timed:
    """A connection that notes when COMMIT was sent."""

    real: SnowflakeConnection
    commits_s: list[float]

    def cursor(self) -> Any:
        return self

    def execute(self, statement: str, binds: Any = None) -> Any:
        if statement == "COMMIT":
            self.commits_s.append(time.perf_counter())
        return self.real.cursor().execute(statement, binds)

    def close(self, retry: bool = True) -> None:
        self.real.close(retry=retry)


def run(
    settings: Settings, emulator_pid: int, options: Options, say: Callable[[str], None] = lambda _: None
) -> LoadResult:
    """Measure against the warehouse of `settings`, whose tables must be empty.

    Raises:
        BenchError: a row is not visible within half a minute.
        ServiceUnavailableError: the warehouse does not answer.
    """
    load_before = processes.load_average()
    garbage.only_between_batches()
    commits_s: list[float] = []

    def connect(settings: Settings) -> Any:
        real = warehouse.open_connection(
            settings,
            paramstyle="qmark",
            autocommit=False,
            schema="RAW",
            network_timeout_s=NETWORK_TIMEOUT_S,
        )
        return _Timed(real, commits_s)

    sink, tape = WarehouseSink(settings, connect), Tape()
    sink.open()
    sink.register({PLACE: 0})
    sink.open()
    try:
        _write(sink, tape.take(WARM_ROWS))
        say(f"Large batches for {options.seconds:g} s …")
        large = _large(sink, tape, emulator_pid, options)
        say(f"Micro-batches at {options.micro_rate:,} rows/s for {options.seconds:g} s …")
        micro = _micro(settings, sink, tape, commits_s, options)
    finally:
        gc.enable()
        gc.unfreeze()
        sink.close()
    with warehouse.connect(settings) as connection:
        ((rows, ids, offset),) = warehouse.rows(
            connection,
            "SELECT (SELECT COUNT(*) FROM RAW.TRADES), (SELECT COUNT(DISTINCT TRADE_ID) FROM RAW.TRADES), "
            "(SELECT MAX(NEXT_OFFSET) FROM OPS.LOAD_OFFSETS)",
        )
    return LoadResult(
        **large,
        **micro,
        exact=(rows, ids, offset) == (tape.next_offset,) * 3,
        load_average_before=round(load_before, 2),
    )


def _write(sink: WarehouseSink, messages: Sequence[Message]) -> None:
    start = {PLACE: messages[0].offset}
    sink.write(gather(messages, start, start))


def _large(sink: WarehouseSink, tape: Tape, emulator_pid: int, options: Options) -> dict[str, Any]:
    spent_s = cpu_s = 0.0
    rows, between = 0, garbage.Between()
    emulator_before = processes.cpu_seconds([emulator_pid])
    own = os.getpid()
    samples: list[tuple[float, float]] = []
    began_s = time.monotonic()
    while spent_s < options.seconds:
        messages = tape.take(options.large_rows)
        at_s, at_cpu_s = time.perf_counter(), time.process_time()
        _write(sink, messages)
        between.tick()
        spent_s += time.perf_counter() - at_s
        cpu_s += time.process_time() - at_cpu_s
        rows += len(messages)
        del messages
        samples.append((time.monotonic() - began_s, processes.rss_mb(own)))
    later = samples[len(samples) // 2 :]
    growth = theil_sen([at for at, _ in later], [mb for _, mb in later]) * 60
    return {
        "rate": round(rows / spent_s, 1),
        "rows": rows,
        "seconds": round(spent_s, 2),
        "cpu_seconds": round(cpu_s, 3),
        "emulator_cpu_seconds": round(processes.cpu_seconds([emulator_pid]) - emulator_before, 3),
        "rss_mb": {
            name: round(mb, 1)
            for name, (_, mb) in zip(
                ("start", "middle", "end"), (samples[0], samples[len(samples) // 2], samples[-1]), strict=True
            )
        },
        "rss_growth_mb_per_minute": round(growth, 2),
    }


@dataclass
class _Watcher:
    """Another session, which asks for a row until it sees it."""

    settings: Settings
    wanted: int = -1
    seen_s: dict[int, float] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        query = "SELECT COUNT(*) FROM RAW.TRADES WHERE EXCHANGE = ? AND PAIR = ? AND TRADE_ID = ?"
        with warehouse.connect(self.settings, paramstyle="qmark") as connection:
            while not self.stop.is_set():
                with self.changed:
                    if self.wanted in self.seen_s or self.wanted < 0:
                        self.changed.wait(0.05)
                        continue
                    wanted = self.wanted
                binds = (EXCHANGE, PAIRS[(wanted - 1) % len(PAIRS)], wanted)
                if warehouse.rows(connection, query, binds) == [(1,)]:
                    with self.changed:
                        self.seen_s[wanted] = time.perf_counter()
                        self.changed.notify_all()

    def watch(self, trade_id: int) -> None:
        """Begin to ask for this row."""
        with self.changed:
            self.wanted = trade_id
            self.changed.notify_all()

    def seen(self, trade_id: int) -> float:
        """When it was seen. Raises BenchError."""
        with self.changed:
            if not self.changed.wait_for(lambda: trade_id in self.seen_s, WATCH_S):
                raise BenchError(f"Trade {trade_id} was committed and is not visible after {WATCH_S:g} s.")
            return self.seen_s[trade_id]


def _micro(
    settings: Settings, sink: WarehouseSink, tape: Tape, commits_s: list[float], options: Options
) -> dict[str, Any]:
    watcher = _Watcher(settings)
    thread = threading.Thread(target=watcher.run, name="watcher", daemon=True)
    thread.start()
    count = max(1, round(options.micro_rate * MICRO_EVERY_S))
    commit_ms: list[float] = []
    batch_ms: list[float] = []
    began_s, cpu_before_s = time.perf_counter(), time.process_time()
    due_s = began_s
    try:
        while time.perf_counter() - began_s < options.seconds:
            messages = tape.take(count)
            due_s = max(due_s + MICRO_EVERY_S, time.perf_counter())
            time.sleep(max(0.0, due_s - time.perf_counter()))
            at_s = time.perf_counter()
            watcher.watch(tape.next_offset)
            _write(sink, messages)
            seen_s = watcher.seen(tape.next_offset)
            commit_ms.append((seen_s - commits_s[-1]) * 1000)
            batch_ms.append((seen_s - at_s) * 1000)
        spent_s = time.perf_counter() - began_s
    finally:
        watcher.stop.set()
        thread.join(timeout=WATCH_S)
    return {
        "micro_rate": round(len(batch_ms) * count / spent_s, 1),
        "micro_batches": len(batch_ms),
        "commit_to_visible_ms": _quantiles(commit_ms),
        "batch_to_visible_ms": _quantiles(batch_ms),
        "micro_cpu_seconds": round(time.process_time() - cpu_before_s, 3),
    }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}
