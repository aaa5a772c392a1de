"""One contract for both engines of the loader: each record once, whatever fails in between.

The engine `batch` runs against the emulator, the engine `streaming` against a double of Snowpipe Streaming
that keeps its rows in the same emulator, so that both answer to the same questions in SQL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from snowflake.connector.errors import OperationalError

from streaming import topics, warehouse
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.loader import tables
from streaming.loader.batch import TopicPartition, gather
from streaming.loader.rows import Message
from streaming.loader.sink import OffsetConflictError, RowRefusedError, Sink, WarehouseSink, Written
from streaming.loader.snowpipe import SnowpipeSink, channel_name
from streaming.settings import Settings
from tests.integration import emulator_process, sink_driver
from tests.integration.emulator_process import Emulator
from tests.integration.snowpipe_double import DoubleSdk, Server
from tests.unit.loader.test_loader_rows import LATE_TRADE, TICKER, TRADE

pytestmark = pytest.mark.stack

PLACE = sink_driver.PLACE
TICKERS = (topics.CLEAN_TICKERS, 0)
LATE = (topics.LATE_TRADES, 0)
LETTERS = (topics.DEAD_LETTERS, 0)
PLACES = (PLACE, TICKERS, LATE, LETTERS)
SUMMARY = "SELECT COUNT(*), COUNT(DISTINCT TRADE_ID), MIN(TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES"
"""Tables with rows, and the offsets that are asked for."""


class Failing:
    """A connection that fails at one statement, before or after the warehouse has done it."""

    def __init__(self, real: Any, engine: BatchEngine) -> None:
        self._real, self._engine = real, engine

    def cursor(self) -> Any:
        return self

    def execute(self, statement: str, binds: Any = None) -> Any:
        fails, self._engine.fails = (
            (self._engine.fails, "") if self._engine.fails[:6] == statement else ("", self._engine.fails)
        )
        if self._engine.away or fails == "COMMIT before":
            raise OperationalError("connection broken")
        result = self._real.cursor().execute(statement, binds)
        if fails == "COMMIT after":
            raise OperationalError("the answer was lost")
        return result

    def close(self, *arguments: Any, **options: Any) -> None:
        self._real.close(*arguments, **options)


@dataclass
class BatchEngine:
    """The engine `batch` and how it is made to fail."""

    settings: Settings
    fails: str = ""
    away: bool = False
    made: list[Sink] = field(default_factory=list)

    def sink(self) -> Sink:
        def connect(settings: Settings) -> Any:
            if self.away:
                raise ServiceUnavailableError("The warehouse is away.")
            real = warehouse.open_connection(settings, paramstyle="qmark", autocommit=False, schema="RAW")
            return Failing(real, self)

        self.made.append(WarehouseSink(self.settings, connect))
        return self.made[-1]

    def fail_before_commit(self) -> None:
        self.fails = "COMMIT before"

    def fail_after_commit(self) -> None:
        self.fails = "COMMIT after"

    def rewind(self, place: TopicPartition, offset: int) -> None:
        execute(
            self.settings,
            f"UPDATE OPS.LOAD_OFFSETS SET NEXT_OFFSET = {offset} "
            f"WHERE TOPIC = '{place[0]}' AND PARTITION_ID = {place[1]}",
        )


@dataclass
class StreamingEngine:
    """The engine `streaming` over the double and how it is made to fail."""

    settings: Settings
    made: list[Sink] = field(default_factory=list)
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = Server(self.settings)

    @property
    def away(self) -> bool:
        return self.server.away

    @away.setter
    def away(self, value: bool) -> None:
        self.server.away = value

    def sink(self) -> Sink:
        self.made.append(SnowpipeSink(self.settings, lambda: PLACES, DoubleSdk(self.server)))
        return self.made[-1]

    def fail_before_commit(self) -> None:
        self.server.dies_after_append = True

    def fail_after_commit(self) -> None:
        self.server.dies_after_commit = True

    def rewind(self, place: TopicPartition, offset: int) -> None:
        table = {PLACE: tables.TRADES, TICKERS: tables.TICKERS}[place]
        self.server.rewind(table, channel_name(place), str(offset - 1) if offset else None)


Engine = BatchEngine | StreamingEngine


def execute(settings: Settings, statement: str) -> None:
    with warehouse.connect(settings) as connection:
        connection.cursor().execute(statement)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator_process.running(tmp_path_factory.mktemp("engines")) as started:
        yield started


@pytest.fixture(params=[BatchEngine, StreamingEngine], ids=["batch", "streaming"])
def engine(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Engine]:
    """An engine over empty tables."""
    with warehouse.connect(emulator.settings) as connection:
        for table in (*(table.name for table in tables.ALL), "OPS.LOAD_OFFSETS"):
            connection.cursor().execute(f"DELETE FROM {table}")
    made: Engine = request.param(emulator.settings)
    yield made
    for sink in made.made:
        sink.close()


@pytest.fixture
def sink(engine: Engine) -> Sink:
    """A sink that is connected and knows every partition from offset 0 on."""
    return opened(engine)


def opened(engine: Engine) -> Sink:
    made = engine.sink()
    stored = made.open()
    made.register({place: 0 for place in PLACES if place not in stored})
    made.open()
    return made


def rows(engine: Engine, statement: str) -> list[warehouse.Row]:
    with warehouse.connect(engine.settings) as connection:
        return warehouse.rows(connection, statement)


def write(sink: Sink, messages: list[Message]) -> Written:
    """Write messages that start where their partitions stand, and quarantine what is refused, as the loader
    does."""
    first = {(m.topic, m.partition): m.offset for m in reversed(messages)}
    batch = gather(messages, first, first)
    while True:
        try:
            return sink.write(batch)
        except RowRefusedError as error:
            for identity, entry in list(batch.entries[error.table].items()):
                if (reason := sink.refusal(error.table, [entry.row])) is not None:
                    batch.quarantine(error.table, identity, reason)


def message(place: TopicPartition, offset: int, record: dict[str, Any]) -> Message:
    return Message(*place, offset, json.dumps(record).encode())


def next_offset(engine: Engine, place: TopicPartition) -> int:
    return engine.sink().open().get(place, 0)


def test_rows_arrive_with_their_figures_and_the_offsets_follow(engine: Engine, sink: Sink) -> None:
    written = write(
        sink,
        [
            *sink_driver.trades(0, 3),
            message(TICKERS, 0, TICKER),
            message(LATE, 0, LATE_TRADE),
        ],
    )
    assert written.rows == {"RAW.TRADES": 3, "RAW.TICKERS": 1, "OPS.LATE_TRADES": 1}
    found = rows(
        engine,
        "SELECT TRADE_ID, PRICE::VARCHAR, SIZE::VARCHAR, EXCHANGE_TIME, IS_SIMULATED, RULES, KAFKA_OFFSET "
        "FROM RAW.TRADES ORDER BY 1",
    )
    assert [(row[0], row[4], row[5], row[6]) for row in found] == [(n, True, None, n - 1) for n in (1, 2, 3)]
    assert (found[0][1].rstrip("0"), found[0][2].rstrip("0")) == ("61234.1234567891", "0.00012345")
    assert (next_offset(engine, PLACE), next_offset(engine, TICKERS), next_offset(engine, LATE)) == (3, 1, 1)


def test_offsets_rewound_by_hand_and_replayed_change_nothing(engine: Engine, sink: Sink) -> None:
    tape = sink_driver.trades(0, 50)
    write(sink, tape[:30])
    write(sink, tape[30:])
    before = rows(engine, "SELECT * FROM RAW.TRADES ORDER BY TRADE_ID")
    for offset in (0, 17, 49):
        engine.rewind(PLACE, offset)
        again = opened(engine)
        assert again.open().get(PLACE, 0) == offset
        written = write(again, tape[offset:])
        assert (written.rows, written.duplicates["RAW.TRADES"]) == ({}, 50 - offset)
        again.close()
    assert rows(engine, "SELECT * FROM RAW.TRADES ORDER BY TRADE_ID") == before


def test_a_trade_that_comes_again_at_another_offset_is_dropped_and_counted(
    engine: Engine, sink: Sink
) -> None:
    write(sink, sink_driver.trades(0, 10))
    written = write(sink, sink_driver.trades(10, 4, ids=[9, 10, 11, 4]))
    assert (written.rows, written.duplicates) == ({"RAW.TRADES": 1}, {"RAW.TRADES": 3})
    assert rows(engine, SUMMARY) == [(11, 11, 1, 11)]
    assert sink.open()[PLACE] == 14


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_loader_that_fails_around_its_commit_goes_on_with_each_trade_once(
    engine: Engine, sink: Sink, moment: str
) -> None:
    tape = sink_driver.trades(0, 20)
    write(sink, tape[:10])
    (engine.fail_before_commit if moment == "before" else engine.fail_after_commit)()
    with pytest.raises(PlatformError):
        write(sink, tape[10:])
    sink.close()
    again = opened(engine)
    reached = again.open()[PLACE]
    assert reached == (10 if moment == "before" else 20)
    deadline_s = time.monotonic() + 30
    while reached < 20:
        try:
            write(again, tape[reached:])
        except ServiceUnavailableError:
            # The transaction that was cut off still holds the offsets, until the warehouse gives it up.
            assert time.monotonic() < deadline_s
            time.sleep(0.5)
        reached = again.open()[PLACE]
    assert rows(engine, SUMMARY) == [(20, 20, 1, 20)]


def test_a_warehouse_that_is_away_is_an_outage_and_then_takes_everything(engine: Engine, sink: Sink) -> None:
    write(sink, sink_driver.trades(0, 5))
    engine.away = True
    with pytest.raises(ServiceUnavailableError):
        write(sink, sink_driver.trades(5, 5))
    with pytest.raises(ServiceUnavailableError):
        sink.open()
    engine.away = False
    assert sink.open()[PLACE] == 5
    write(sink, sink_driver.trades(5, 5))
    assert rows(engine, SUMMARY) == [(10, 10, 1, 10)]


BAD_INPUT: dict[str, tuple[dict[str, Any], str]] = {
    "a price that is no number": ({"price": "a string"}, "price"),
    "a price that is a JSON number": ({"price": 1.5}, "Expected `str`"),
    "a key without a value": ({"trade_id": None}, "Expected `int`"),
    "a number of 80 digits": ({"price": "9" * 80}, "does not fit"),
    "an id of 80 digits": ({"trade_id": int("9" * 80), "first_id": 1}, "trade_id"),
    "a time in the future": ({"exchange_time_us": 4_102_444_800_000_000}, "in the future"),
    "another version of the schema": ({"v": 2}, "schema version"),
    "a field that is gone": ({"size": ...}, "missing required field `size`"),
}


def test_bad_rows_are_quarantined_before_they_are_sent_and_the_rest_is_loaded(
    engine: Engine, sink: Sink
) -> None:
    good = sink_driver.trades(0, 3)
    bad = [
        message(PLACE, 3 + i, {k: v for k, v in (TRADE | change).items() if v is not ...})
        for i, (change, _) in enumerate(BAD_INPUT.values())
    ]
    bad.append(Message(*PLACE, 3 + len(bad), b"{broken"))
    assert write(sink, good).rows == {"RAW.TRADES": 3}
    assert write(sink, bad).rows == {"RAW.DEAD_LETTERS": len(bad)}
    letters = rows(
        engine, "SELECT KAFKA_OFFSET, REASON, SOURCE_TOPIC, RAW_TEXT FROM RAW.DEAD_LETTERS ORDER BY 1"
    )
    assert [row[0] for row in letters] == [m.offset for m in bad]
    assert [row[3] for row in letters] == [m.value.decode() for m in bad]
    for (_, reason, source, _), (_, expected) in zip(letters, BAD_INPUT.values(), strict=False):
        assert expected in reason
        assert source == topics.CLEAN_TRADES
    # A restart replays what is behind the stored offset; its letters are there already.
    write(sink, [*bad[sink.open()[PLACE] - 3 :], *sink_driver.trades(3 + len(bad), 1, ids=[4])])
    assert sink.open()[PLACE] == 4 + len(bad)
    assert rows(engine, "SELECT COUNT(*) FROM RAW.DEAD_LETTERS") == [(len(bad),)]


def test_a_value_that_only_the_warehouse_refuses_is_a_dead_letter_too(engine: Engine, sink: Sink) -> None:
    tape = sink_driver.trades(0, 6)
    start = {PLACE: 0}
    batch = gather(tape, start, start)
    price = tables.TRADES.index("PRICE")
    for trade_id in (2, 5):
        batch.entries[tables.TRADES]["OKX_SIM", "BTC-USDT", trade_id].row[price] = "1" * 40
    while True:
        try:
            written = sink.write(batch)
            break
        except RowRefusedError as error:
            for identity, entry in list(batch.entries[error.table].items()):
                if (reason := sink.refusal(error.table, [entry.row])) is not None:
                    batch.quarantine(error.table, identity, reason)
    assert batch.quarantined + sum(written.dropped.values()) == 2
    assert written.rows["RAW.TRADES"] == 4
    assert [row[0] for row in rows(engine, "SELECT TRADE_ID FROM RAW.TRADES ORDER BY 1")] == [1, 3, 4, 6]
    assert [row[0] for row in rows(engine, "SELECT KAFKA_OFFSET FROM RAW.DEAD_LETTERS ORDER BY 1")] == [1, 4]
    assert sink.open()[PLACE] == 6


def test_two_loaders_never_write_the_same_messages(engine: Engine, sink: Sink) -> None:
    other = opened(engine)
    write(other, sink_driver.trades(0, 5))
    with pytest.raises(OffsetConflictError):
        write(sink, sink_driver.trades(0, 4, ids=[901, 902, 903, 904]))
    assert rows(engine, SUMMARY) == [(5, 5, 1, 5)]


def test_a_first_offset_above_zero_is_kept(engine: Engine) -> None:
    sink = engine.sink()
    sink.open()
    sink.register({PLACE: 1000})
    assert sink.open()[PLACE] == 1000
    write(sink, sink_driver.trades(1000, 2))
    assert sink.open()[PLACE] == 1002


def test_a_large_batch_arrives_as_a_small_one_does(engine: Engine, sink: Sink) -> None:
    many = 21_000
    written = write(sink, sink_driver.trades(0, many))
    assert written.rows == {"RAW.TRADES": many}
    assert rows(engine, SUMMARY) == [(many, many, 1, many)]
    assert rows(
        engine,
        "SELECT COUNT(DISTINCT (PRICE, SIZE, EXCHANGE_TIME, RECEIVE_TIME, IS_SIMULATED)) FROM RAW.TRADES",
    ) == [(1,)]
    assert sink.open()[PLACE] == many
