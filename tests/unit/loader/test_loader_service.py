"""The loop against a source and a sink in memory: what it does when either fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import pytest

from streaming import topics
from streaming.errors import ServiceUnavailableError
from streaming.loader import service, tables
from streaming.loader.batch import Batch, TopicPartition
from streaming.loader.engines import Pace
from streaming.loader.metrics import LoaderMetrics
from streaming.loader.rows import Message, Row
from streaming.loader.service import FIRST_WAIT_S, LONGEST_WAIT_S, Loader, waits
from streaming.loader.sink import OffsetConflictError, RowRefusedError, Written
from streaming.loader.source import LostOffsets
from streaming.loader.tables import Mode, Table
from tests.unit.loader.test_loader_batch import trade

PLACE = (topics.CLEAN_TRADES, 0)


class MemorySource:
    """Partitions as lists of messages; `first` is the earliest offset that is kept."""

    complaint: str | None = None

    def __init__(self, logs: Mapping[TopicPartition, list[Message]], first: int = 0) -> None:
        self.logs = {place: list(messages) for place, messages in logs.items()}
        self.first = first
        self.at: dict[TopicPartition, int] = {}
        self.paused = False
        self.failures: list[Exception] = []
        self.when_empty: Callable[[], None] = lambda: None

    def partition_count(self) -> int:
        return len(self.logs)

    def discover(self) -> dict[TopicPartition, int]:
        return dict.fromkeys(self.logs, self.first)

    def assign(self, position: Mapping[TopicPartition, int]) -> list[LostOffsets]:
        self.paused = False
        lost = []
        self.at = {}
        for place, wanted in position.items():
            kept = self.first <= wanted <= self.first + len(self.logs[place])
            self.at[place] = wanted if kept else self.first
            if not kept:
                lost.append(LostOffsets(place, wanted, self.first))
        return lost

    def read(self, rows: int, seconds: float) -> list[Message]:
        assert not self.paused
        messages = [
            message
            for place, log in self.logs.items()
            for message in log
            if message.offset >= self.at.get(place, 0)
        ][:rows]
        for message in messages:
            self.at[message.topic, message.partition] = message.offset + 1
        if self.failures:
            raise self.failures.pop(0)
        if not messages:
            self.when_empty()
        return messages

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self.at)

    def lag(self) -> dict[TopicPartition, int]:
        return {place: self.first + len(log) - self.at[place] for place, log in self.logs.items()}

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.at = {}


@dataclass
class MemorySink:
    """A warehouse in memory. `failures` are raised by the next writes; `after_commit` ones after storing."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    stored: list[Row] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    after_commit: list[Exception] = field(default_factory=list)
    refuses: Callable[[Row], bool] = lambda _: False
    opened: int = 0
    writes: int = 0

    def open(self) -> dict[TopicPartition, int]:
        self.opened += 1
        return dict(self.offsets)

    def register(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.offsets |= offsets

    def refusal(self, table: Table, rows: list[Row]) -> str | None:
        return "refused" if any(self.refuses(row) for row in rows) else None

    def write(self, batch: Batch) -> Written:
        self.writes += 1
        if self.failures:
            raise self.failures.pop(0)
        if any(self.offsets[place] != at for place, at in batch.expected.items()):
            raise OffsetConflictError("moved")
        for table, entries in batch.entries.items():
            if any(self.refuses(entry.row) for entry in entries.values()) and table.mode is Mode.APPEND:
                raise RowRefusedError(table, "refused")
        self.offsets |= batch.reached
        self.stored += [e.row for e in batch.entries.get(tables.TRADES, {}).values()]
        self.letters += [e.row for e in batch.entries.get(tables.DEAD_LETTERS, {}).values()]
        if self.after_commit:
            raise self.after_commit.pop(0)
        return Written({"RAW.TRADES": len(batch.entries.get(tables.TRADES, {}))}, {}, 1)

    def close(self) -> None: ...

    def ids(self) -> list[object]:
        return [row[3] for row in self.stored]


@dataclass
class Run:
    """One loader over memory, run until the source is empty."""

    source: MemorySource
    sink: MemorySink
    loader: Loader
    stop: threading.Event

    def to_the_end(self) -> None:
        self.source.when_empty = self.stop.set
        worker = threading.Thread(target=self.loader.run, args=(self.stop,), daemon=True)
        worker.start()
        worker.join(timeout=10)
        assert not worker.is_alive(), "the loader did not come to the end of its messages"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(service, "LONGEST_WAIT_S", 0.002)


@pytest.fixture
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    def make(messages: list[Message], sink: MemorySink | None = None, first: int = 0, rows: int = 3) -> Run:
        source, sink = MemorySource({PLACE: messages}, first), sink or MemorySink()
        return Run(source, sink, Loader(Pace(rows, 0.2), source, sink, LoaderMetrics()), threading.Event())

    return make


TEN = [trade(offset, 100 + offset) for offset in range(10)]
AWAY = ServiceUnavailableError("The warehouse is away.")


def test_everything_is_loaded_once_and_in_order(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN)
    run.to_the_end()
    assert run.sink.ids() == list(range(100, 110))
    assert run.sink.offsets == {PLACE: 10}
    assert run.sink.writes == 4


def test_an_empty_poll_writes_nothing(make_run: Callable[..., Run]) -> None:
    run = make_run([])
    run.to_the_end()
    assert (run.sink.writes, run.sink.offsets) == (0, {PLACE: 0})


def test_a_batch_is_kept_while_the_warehouse_is_away(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN, MemorySink(failures=[AWAY, AWAY, AWAY]))
    run.to_the_end()
    assert run.sink.ids() == list(range(100, 110))
    assert run.sink.opened == 4


def test_a_commit_whose_answer_was_lost_is_not_repeated(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN, MemorySink(after_commit=[AWAY, AWAY]))
    run.to_the_end()
    assert run.sink.ids() == list(range(100, 110))


def test_messages_that_a_failed_read_swallowed_are_read_again(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN)
    run.source.failures = [ServiceUnavailableError("Kafka is away.")]
    run.to_the_end()
    assert run.sink.ids() == list(range(100, 110))


def test_a_restarted_loader_goes_on_where_the_warehouse_is(make_run: Callable[..., Run]) -> None:
    sink = MemorySink(offsets={PLACE: 7})
    run = make_run(TEN, sink)
    run.to_the_end()
    assert sink.ids() == [107, 108, 109]


def test_another_loader_moving_the_offsets_is_obeyed(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN)
    write, moved = run.sink.write, threading.Event()

    def interfere(batch: Batch) -> Written:
        if not moved.is_set():
            moved.set()
            run.sink.offsets[PLACE] = 8
        return write(batch)

    run.sink.write = interfere  # type: ignore[method-assign]
    run.to_the_end()
    assert run.sink.ids() == [108, 109]


def test_offsets_that_kafka_dropped_are_counted_and_loading_goes_on(make_run: Callable[..., Run]) -> None:
    kept = [trade(offset, 100 + offset) for offset in range(50, 55)]
    run = make_run(kept, MemorySink(offsets={PLACE: 20}), first=50)
    metrics = run.loader._metrics
    run.to_the_end()
    assert run.sink.ids() == [150, 151, 152, 153, 154]
    assert run.sink.offsets == {PLACE: 55}
    assert metrics.lost_offsets.labels(topics.CLEAN_TRADES)._value.get() == 1


def test_a_topic_that_was_made_anew_is_loaded_from_its_start(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN, MemorySink(offsets={PLACE: 5000}))
    run.to_the_end()
    assert run.sink.ids() == list(range(100, 110))
    assert run.sink.offsets == {PLACE: 10}


def test_rows_the_warehouse_refuses_are_found_and_the_rest_is_loaded(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN, MemorySink(refuses=lambda row: row[3] in (103, 105, 109)), rows=10)
    run.to_the_end()
    assert run.sink.ids() == [100, 101, 102, 104, 106, 107, 108]
    assert [letter[-1] for letter in run.sink.letters] == [3, 5, 9]
    assert run.sink.offsets == {PLACE: 10}


def test_it_is_ready_only_while_it_loads(make_run: Callable[..., Run]) -> None:
    run = make_run(TEN)
    assert run.loader.ready()[0] is False
    run.to_the_end()
    assert run.loader.ready()[0] is True
    run.source.complaint = "all brokers are down"
    ok, details = run.loader.ready()
    assert (ok, details["trouble"]) == (False, "all brokers are down")


def test_waits_grow_to_a_bound_and_never_vanish() -> None:
    drawn = list(islice(waits(seed=1), 30))
    assert all(service.FIRST_WAIT_S / 2 <= wait <= service.LONGEST_WAIT_S for wait in drawn)
    assert FIRST_WAIT_S < LONGEST_WAIT_S
    assert len(set(drawn)) > 20
