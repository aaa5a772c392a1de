"""The loader's transactions on a real emulator process: each record once, whatever dies in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from streaming import topics, warehouse
from streaming.errors import ServiceUnavailableError
from streaming.loader import tables
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import OffsetConflictError, RowRefusedError, WarehouseSink, Written
from streaming.loader.transfer import BULK_ROWS
from streaming.settings import Settings
from tests.integration import emulator_process, sink_driver
from tests.integration.emulator_process import Emulator
from tests.unit.loader.test_loader_rows import (
    ANOMALY,
    BAR,
    DEAD_LETTER,
    GAP,
    LATE_TRADE,
    NEW_FIGURES,
    QUOTE_BAR,
    TICKER,
)

pytestmark = pytest.mark.stack

TRADES = (topics.CLEAN_TRADES, 0)
PLACES = [
    (topic, 0)
    for topic in (
        *(topics.CLEAN_TRADES, topics.CLEAN_TICKERS, topics.BARS_1M, topics.BARS_1H),
        *(topics.QUOTE_BARS_1S, topics.LATE_TRADES, topics.GAPS),
    )
]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator_process.running(tmp_path_factory.mktemp("loader")) as started:
        yield started


@pytest.fixture
def sink(emulator: Emulator) -> Iterator[WarehouseSink]:
    """A sink over empty tables, connected, with offset 0 for every topic."""
    with warehouse.connect(emulator.settings) as connection:
        for table in (*(table.name for table in tables.ALL), "OPS.LOAD_OFFSETS"):
            connection.cursor().execute(f"DELETE FROM {table}")
    made = WarehouseSink(emulator.settings)
    made.open()
    made.register(dict.fromkeys([*PLACES, (topics.ANOMALIES, 0), (topics.DEAD_LETTERS, 0)], 0))
    made.open()
    yield made
    made.close()


def rows(emulator: Emulator, statement: str) -> list[warehouse.Row]:
    with warehouse.connect(emulator.settings) as connection:
        return warehouse.rows(connection, statement)


def write(sink: WarehouseSink, messages: list[Message]) -> Written:
    """Write messages that start where their partitions stand."""
    first = {(m.topic, m.partition): m.offset for m in reversed(messages)}
    return sink.write(gather(messages, first, first))


def message(topic: str, offset: int, record: dict[str, Any]) -> Message:
    return Message(topic, 0, offset, json.dumps(record).encode())


def test_rows_and_offsets_of_all_tables_arrive_together(emulator: Emulator, sink: WarehouseSink) -> None:
    written = write(
        sink,
        [
            *sink_driver.trades(0, 3),
            message(topics.CLEAN_TICKERS, 0, TICKER),
            message(topics.BARS_1M, 0, BAR),
            message(topics.GAPS, 0, GAP),
            message(topics.DEAD_LETTERS, 0, DEAD_LETTER),
        ],
    )
    assert written.rows == {
        "RAW.TRADES": 3,
        "RAW.TICKERS": 1,
        "MARKET.BARS_1M": 1,
        "OPS.GAPS": 1,
        "RAW.DEAD_LETTERS": 1,
    }
    assert dict(rows(emulator, "SELECT TOPIC, NEXT_OFFSET FROM OPS.LOAD_OFFSETS WHERE NEXT_OFFSET > 0")) == {
        topics.CLEAN_TRADES: 3,
        topics.CLEAN_TICKERS: 1,
        topics.BARS_1M: 1,
        topics.GAPS: 1,
        topics.DEAD_LETTERS: 1,
    }
    (ticker,) = rows(emulator, "SELECT ASK_PRICE, BASE_VOLUME_24H, QUOTE_VOLUME_24H FROM RAW.TICKERS")
    assert ticker == (None, Decimal("98765432109876543210.5"), Decimal("0.000000000000000001"))
    assert rows(emulator, "SELECT QUOTE_VOLUME FROM MARKET.BARS_1M") == [(Decimal("15.000000000000000001"),)]


def test_the_whole_tape_again_from_offset_zero_changes_nothing(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    tape = sink_driver.trades(0, 50)
    write(sink, tape[:30])
    write(sink, tape[30:])
    before = rows(emulator, "SELECT * FROM RAW.TRADES ORDER BY TRADE_ID")
    rows(emulator, "UPDATE OPS.LOAD_OFFSETS SET NEXT_OFFSET = 0")
    sink.open()
    written = write(sink, tape)
    assert (written.rows, written.duplicates) == ({}, {"RAW.TRADES": 50})
    assert rows(emulator, "SELECT * FROM RAW.TRADES ORDER BY TRADE_ID") == before


def test_a_late_trade_below_the_highest_id_is_loaded_and_its_copies_are_not(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    tape = sink_driver.trades(0, 20, ids=[*range(1, 10), *range(12, 21), 10, 11])
    write(sink, tape[:18])
    copies = sink_driver.trades(18, 6, ids=[10, 11, 5, 6, 20, 21])
    written = write(sink, copies)
    assert (written.rows, written.duplicates) == ({"RAW.TRADES": 3}, {"RAW.TRADES": 3})
    assert [row[0] for row in rows(emulator, "SELECT TRADE_ID FROM RAW.TRADES ORDER BY 1")] == list(
        range(1, 22)
    )


def test_a_repeated_ticker_is_dropped(emulator: Emulator, sink: WarehouseSink) -> None:
    write(sink, [message(topics.CLEAN_TICKERS, i, TICKER | {"seq": i + 1}) for i in range(3)])
    written = write(sink, [message(topics.CLEAN_TICKERS, i, TICKER | {"seq": i}) for i in (3, 4)])
    assert (written.rows, written.duplicates) == ({"RAW.TICKERS": 1}, {"RAW.TICKERS": 1})
    restarted = write(sink, [message(topics.CLEAN_TICKERS, 5, TICKER | {"producer_epoch": 9, "seq": 1})])
    assert restarted.rows == {"RAW.TICKERS": 1}


def test_a_large_batch_goes_by_file_and_equals_a_small_one(emulator: Emulator, sink: WarehouseSink) -> None:
    small = sink_driver.trades(0, 5)
    large = sink_driver.trades(5, BULK_ROWS + 5, ids=[*range(3, 6), *range(6, BULK_ROWS + 8)])
    write(sink, small)
    written = write(sink, large)
    assert (written.rows, written.duplicates) == ({"RAW.TRADES": BULK_ROWS + 2}, {"RAW.TRADES": 3})
    figures = "PRICE, SIZE, SIDE, EXCHANGE_TIME, RECEIVE_TIME, IS_SIMULATED, SCHEMA_VERSION"
    by_bind, by_file = (
        rows(emulator, f"SELECT {figures} FROM RAW.TRADES WHERE TRADE_ID = {trade_id}") for trade_id in (5, 6)
    )
    assert by_bind == by_file
    assert rows(emulator, "SELECT COUNT(*), COUNT(DISTINCT TRADE_ID) FROM RAW.TRADES") == [
        (BULK_ROWS + 7,) * 2
    ]


def test_a_later_state_replaces_an_earlier_one_and_an_old_one_does_not(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    write(sink, [message(topics.BARS_1M, 0, BAR), message(topics.GAPS, 0, GAP)])
    filled = GAP | {"status": "filled", "filled_at_us": 1_767_225_700_000_000}
    write(sink, [message(topics.BARS_1M, 1, BAR | {"close": "1.75"}), message(topics.GAPS, 1, filled)])
    expected = ([(Decimal("1.75"), 1, 1)], [("filled", 1)])
    bars, gaps = (
        "SELECT CLOSE, REVISION, KAFKA_OFFSET FROM MARKET.BARS_1M",
        "SELECT STATUS, KAFKA_OFFSET FROM OPS.GAPS",
    )
    assert (rows(emulator, bars), rows(emulator, gaps)) == expected
    rows(emulator, "UPDATE OPS.LOAD_OFFSETS SET NEXT_OFFSET = 0")
    write(sink, [message(topics.BARS_1M, 0, BAR), message(topics.GAPS, 0, GAP)])
    assert (rows(emulator, bars), rows(emulator, gaps)) == expected


def test_a_finding_that_is_repeated_after_a_failure_stands_there_once(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    again = ANOMALY | {"score": 44.25, "exchange_time_us": 1_767_225_600_523_456}
    other = ANOMALY | {"subject_id": "10", "price": "61000.10"}
    write(sink, [message(topics.ANOMALIES, 0, ANOMALY)])
    write(sink, [message(topics.ANOMALIES, 1, again), message(topics.ANOMALIES, 2, other)])
    found = rows(emulator, "SELECT SUBJECT_ID, SCORE, PRICE FROM MARKET.ANOMALIES ORDER BY SCORE")
    assert found == [("9", 44.25, Decimal("61234.5")), ("10", 45.5, Decimal("61000.1"))]


def test_a_bar_that_a_rollup_corrected_is_not_overwritten(emulator: Emulator, sink: WarehouseSink) -> None:
    write(sink, [message(topics.BARS_1M, 0, BAR)])
    rows(emulator, "UPDATE MARKET.BARS_1M SET COMPUTED_BY = 'rollup', REVISION = 1, CLOSE = 1.25")
    write(sink, [message(topics.BARS_1M, 1, BAR | {"close": "1.75"})])
    assert rows(emulator, "SELECT CLOSE, REVISION, COMPUTED_BY FROM MARKET.BARS_1M") == [
        (Decimal("1.25"), 1, "rollup")
    ]


def test_an_hour_that_a_rollup_began_gets_only_its_spread_from_the_stream(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    hour = BAR | NEW_FIGURES | {"window_end_ms": BAR["window_start_ms"] + 3_600_000}
    rows(
        emulator,
        "INSERT INTO MARKET.BARS_1H (EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, "
        "VOLUME, "
        "QUOTE_VOLUME, VWAP, TRADE_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY, LOADED_AT) SELECT 'OKX', "
        "'BTC-USDT', '2026-01-01', '2026-01-01 01:00:00', 7, 7, 7, 7, 7, 49, 7, 7, TRUE, 4, 'rollup', "
        "'2026-01-01'",
    )
    names = "CLOSE, TRADE_COUNT, FLAGGED_COUNT, SPREAD, QUOTED_MS, REVISION, COMPUTED_BY"
    for offset in (0, 1):
        write(sink, [message(topics.BARS_1H, offset, hour)])
        assert rows(emulator, f"SELECT {names} FROM MARKET.BARS_1H") == [
            (7, 7, None, Decimal("0.1"), 59_000, 5, "rollup")
        ]


def test_quote_bars_and_late_trades_stand_once_however_often_they_come(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    for offset in (0, 1):
        write(
            sink,
            [
                message(topics.QUOTE_BARS_1S, offset, QUOTE_BAR),
                message(topics.LATE_TRADES, offset, LATE_TRADE),
            ],
        )
    assert rows(emulator, "SELECT BID_LOW, ASK_LOW, QUOTE_COUNT FROM MARKET.QUOTE_BARS_1S") == [
        (Decimal("1.5"), None, 4)
    ]
    assert rows(emulator, "SELECT TRADE_ID, SOURCE FROM OPS.LATE_TRADES") == [(9, "ws")]


def test_two_loaders_never_write_the_same_messages(emulator: Emulator, sink: WarehouseSink) -> None:
    other = WarehouseSink(emulator.settings)
    other.open()
    write(other, sink_driver.trades(0, 5))
    with pytest.raises(OffsetConflictError):
        write(sink, sink_driver.trades(0, 4, ids=[901, 902, 903, 904]))
    other.close()
    assert rows(emulator, "SELECT COUNT(*), MAX(TRADE_ID) FROM RAW.TRADES") == [(5, 5)]


def test_a_value_the_warehouse_cannot_store_is_told_from_an_outage(
    emulator: Emulator, sink: WarehouseSink
) -> None:
    tape = sink_driver.trades(0, 3)
    start = {TRADES: 0}
    batch = gather(tape, start, start)
    second = list(batch.entries[tables.TRADES].values())[1]
    second.row[tables.TRADES.index("PRICE")] = "1" * 40
    with pytest.raises(RowRefusedError):
        sink.write(batch)
    assert sink.refusal(tables.TRADES, [second.row]) is not None
    assert sink.refusal(tables.TRADES, [batch.entries[tables.TRADES]["OKX_SIM", "BTC-USDT", 1].row]) is None
    assert rows(emulator, "SELECT COUNT(*) FROM RAW.TRADES") == [(0,)]


def impatient(settings: Settings) -> SnowflakeConnection:
    return warehouse.open_connection(
        settings, paramstyle="qmark", autocommit=False, schema="RAW", network_timeout_s=2
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the connector's own
def test_a_dead_warehouse_is_an_outage_and_the_sink_recovers(tmp_path: Path) -> None:
    with emulator_process.running(tmp_path) as emulator:
        sink = WarehouseSink(emulator.settings, impatient)
        sink.open()
        sink.register({TRADES: 0})
        write(sink, sink_driver.trades(0, 3))
        emulator.kill()
        with pytest.raises(ServiceUnavailableError):
            write(sink, sink_driver.trades(3, 3))
        with pytest.raises(ServiceUnavailableError):
            sink.open()
        emulator.start()
        assert sink.open() == {TRADES: 3}
        write(sink, sink_driver.trades(3, 3))
        sink.close()
        assert rows(emulator, "SELECT COUNT(*), MAX(TRADE_ID) FROM RAW.TRADES") == [(6, 6)]


def test_a_large_batch_is_loaded_after_a_restart_of_the_emulator(tmp_path: Path) -> None:
    """Its file goes through the stage, which the first start made."""
    with emulator_process.running(tmp_path, migrated=False) as emulator:
        emulator.python("-m", "snowflake_sql.deploy")
        emulator.kill()
        emulator.start()
        sink = WarehouseSink(emulator.settings)
        sink.open()
        sink.register({TRADES: 0})
        write(sink, sink_driver.trades(0, BULK_ROWS))
        sink.close()
        assert rows(emulator, "SELECT COUNT(*), MAX(TRADE_ID) FROM RAW.TRADES") == [(BULK_ROWS, BULK_ROWS)]


@pytest.mark.parametrize("statements", range(1, 7))
def test_a_loader_killed_between_any_two_statements_loads_each_trade_once(
    emulator: Emulator, sink: WarehouseSink, statements: int
) -> None:
    """A batch is three statements, the third is the commit: each run dies after one more of two batches."""
    sink.close()
    driver = [sys.executable, "-m", "tests.integration.sink_driver"]
    environment = emulator_process.inherited() | emulator.environment
    killed = subprocess.run(
        [*driver, str(statements)], env=environment, cwd=emulator_process.REPOSITORY, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    finished = subprocess.run(
        driver, env=environment, cwd=emulator_process.REPOSITORY, timeout=60, check=False
    )
    assert finished.returncode == os.EX_OK
    expected = sink_driver.BATCHES * sink_driver.BATCH_ROWS
    assert rows(emulator, "SELECT COUNT(*), COUNT(DISTINCT TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES") == [
        (expected,) * 3
    ]
    assert rows(
        emulator, f"SELECT NEXT_OFFSET FROM OPS.LOAD_OFFSETS WHERE TOPIC = '{topics.CLEAN_TRADES}'"
    ) == [(expected,)]
