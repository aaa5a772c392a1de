"""The loop of the loader: read, write, and carry on after anything that fails.

What belongs here: the order of things and when to try again. What does not: Kafka
(`streaming.loader.source`), the warehouse (`streaming.loader.sink`), decoding (`streaming.loader.rows`).

A batch that could not be written is kept while reading pauses. After a reconnect the warehouse's own offsets
say whether it was committed after all: where they equal the batch's end it was, where they equal its start it
was not, and anything else makes the loader start from them again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.loader import garbage
from streaming.loader.batch import Batch, Entry, Identity, TopicPartition, gather
from streaming.loader.engines import Pace
from streaming.loader.metrics import LoaderMetrics
from streaming.loader.rows import Message
from streaming.loader.sink import OffsetConflictError, RowRefusedError, Sink
from streaming.loader.source import DISCOVER_EVERY_S, Source
from streaming.loader.tables import Table

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0
STALLED_AFTER_S: Final = 60.0
LAG_EVERY_S: Final = 1.0
LISTEN_S: Final = 0.5
"""Within this time a loader that collects for minutes hears that it is to stop."""

log = structlog.get_logger(__name__)


def waits(seed: int | None = None) -> Iterator[float]:
    """Seconds before each next try: doubling to a bound, each drawn from the upper half (equal jitter)."""
    chance = random.Random(seed)
    bound = FIRST_WAIT_S
    while True:
        yield bound * (0.5 + chance.random() / 2)
        bound = min(bound * 2, LONGEST_WAIT_S)


class Loader:
    """Loads until it is told to stop.

    Args:
        pace: when a batch is full.
        source: where messages come from.
        sink: where they go.
        metrics: what is counted.
    """

    def __init__(self, pace: Pace, source: Source, sink: Sink, metrics: LoaderMetrics) -> None:
        self._pace = pace
        self._source = source
        self._sink = sink
        self._metrics = metrics
        self._position: dict[TopicPartition, int] = {}
        """Where reading stands once the kept batch is written."""
        self._stored: dict[TopicPartition, int] = {}
        """What the warehouse has; it differs from the position where Kafka lost an offset."""
        self._pending: Batch | None = None
        self._connected = False
        self._trouble: str | None = "starting"
        self._progress_s = time.monotonic()
        self._next_lag_s = 0.0
        self._next_discovery_s = 0.0
        self._garbage = garbage.Between()

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """Whether it loads now, for `/ready`."""
        idle_s = time.monotonic() - self._progress_s
        ok = self._connected and self._source.complaint is None and idle_s < STALLED_AFTER_S
        return ok, {
            "warehouse": "up" if self._connected else "down",
            "trouble": self._trouble or self._source.complaint,
            "seconds_since_progress": round(idle_s, 1),
            "partitions": len(self._position),
        }

    def run(self, stop: threading.Event) -> None:
        """Load until `stop` is set; the batch at hand is written first if the warehouse is there."""
        pauses = waits()
        while not stop.is_set():
            try:
                self._connect()
                pauses = waits()
                while not stop.is_set():
                    self._step(stop)
            except (ServiceUnavailableError, OffsetConflictError) as error:
                self._lose_connection(error)
                stop.wait(next(pauses))
        self._sink.close()
        self._source.close()

    def _connect(self) -> None:
        stored = self._sink.open()
        if self._carries_on(stored):
            self._source.resume()
        else:
            self._start_from(stored)
        self._connected = True
        self._progress_s = time.monotonic()
        self._metrics.warehouse_up.set(1)
        if self._trouble is not None:
            log.info("loading", partitions=len(self._position), after=self._trouble)
            self._trouble = None

    def _carries_on(self, stored: Mapping[TopicPartition, int]) -> bool:
        """Whether reading can go on where it paused, given what the warehouse has; settles the kept batch."""
        batch = self._pending
        read_to = self._position | batch.reached if batch else self._position
        if not read_to or self._source.positions() != read_to:
            return False
        if batch is not None and all(stored.get(place) == end for place, end in batch.reached.items()):
            log.info("the last batch had been committed", rows=batch.rows())
            self._advance(batch)
        return self._stored.items() <= stored.items()

    def _advance(self, batch: Batch) -> None:
        self._position |= batch.reached
        self._stored |= batch.reached
        self._pending = None

    def _start_from(self, stored: Mapping[TopicPartition, int]) -> None:
        self._pending = None
        earliest = self._source.discover()
        new = {place: at for place, at in earliest.items() if place not in stored}
        if new:
            self._sink.register(new)
        self._stored = {place: stored.get(place, at) for place, at in earliest.items()}
        for lost in self._source.assign(self._stored):
            self._metrics.lost_offsets.labels(lost.place[0]).inc()
            log.error(
                "kafka does not have the offset to load next: it dropped messages that were never loaded, or "
                "the topic was made anew",
                topic=lost.place[0],
                partition=lost.place[1],
                wanted=lost.wanted,
                continuing_at=lost.earliest,
            )
        self._position = self._source.positions()
        self._next_discovery_s = time.monotonic() + DISCOVER_EVERY_S

    def _step(self, stop: threading.Event) -> None:
        if self._pending is None:
            messages = self._collect(stop)
            if messages:
                self._pending = gather(messages, self._position, self._stored)
        if self._pending is not None:
            self._write(self._pending)
        self._garbage.tick()
        self._progress_s = time.monotonic()

    def _collect(self, stop: threading.Event) -> list[Message]:
        """Messages until the batch is full, its time is over, or the loader is told to stop."""
        deadline_s = time.monotonic() + self._pace.seconds
        messages: list[Message] = []
        while len(messages) < self._pace.rows and (left_s := deadline_s - time.monotonic()) > 0:
            messages += self._source.read(self._pace.rows - len(messages), min(left_s, LISTEN_S))
            self._observe()
            self._progress_s = time.monotonic()
            if stop.is_set():
                break
        return messages

    def _write(self, batch: Batch) -> None:
        started_s = time.perf_counter()
        while True:
            try:
                written = self._sink.write(batch)
                break
            except RowRefusedError as error:
                self._quarantine(batch, error)
        self._advance(batch)
        self._metrics.count(batch, written, time.perf_counter() - started_s)

    def _quarantine(self, batch: Batch, error: RowRefusedError) -> None:
        """Find the rows the warehouse cannot store, by halves, and move them to the dead letters."""
        suspects = list(batch.entries[error.table].items())
        refused = dict(self._refused(error.table, suspects))
        if not refused:
            raise ServiceUnavailableError(f"{error.what} No single row explains it.") from error
        for identity, reason in refused.items():
            batch.quarantine(error.table, identity, reason)
        log.error(
            "rows refused by the warehouse", table=error.table.name, rows=len(refused), reason=error.reason
        )

    def _refused(self, table: Table, entries: list[tuple[Identity, Entry]]) -> Iterator[tuple[Identity, str]]:
        reason = self._sink.refusal(table, [entry.row for _, entry in entries])
        if reason is None:
            return
        if len(entries) == 1:
            yield entries[0][0], reason
            return
        middle = len(entries) // 2
        yield from self._refused(table, entries[:middle])
        yield from self._refused(table, entries[middle:])

    def _observe(self) -> None:
        """Lag and new partitions, each no more often than it is worth."""
        now_s = time.monotonic()
        if now_s >= self._next_lag_s:
            self._metrics.set_lag(self._source.lag())
            self._next_lag_s = now_s + LAG_EVERY_S
        if now_s >= self._next_discovery_s:
            self._next_discovery_s = now_s + DISCOVER_EVERY_S
            if self._source.partition_count() != len(self._position):
                raise ServiceUnavailableError("The topics have other partitions than before.")

    def _lose_connection(self, error: PlatformError) -> None:
        self._connected = False
        self._metrics.warehouse_up.set(0)
        self._sink.close()
        self._source.pause()
        if self._trouble is None or _stable(self._trouble) != _stable(error.what):
            log.error("loading stopped, trying again until it works", reason=error.what, remedy=error.remedy)
        self._trouble = error.what


def _stable(what: str) -> str:
    """A message without what differs from one try to the next, such as request ids."""
    return what.partition("(")[0]
