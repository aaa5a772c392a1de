"""`crypto-platform query`, `export`, `costs`, `retention` as processes, on a real emulator."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from snowflake.connector.errors import OperationalError

from snowflake_sql import catalog, costs, extract, retention
from snowflake_sql.retention import Policy, RetentionError
from streaming import topics, warehouse
from streaming.audit import record
from streaming.audit.verdict import PairAudit
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import WarehouseSink
from tests.integration import emulator_process, sink_driver
from tests.integration.emulator_process import REPOSITORY, Emulator
from tests.unit.loader.test_loader_rows import QUOTE_BAR

pytestmark = pytest.mark.stack

TRADES = 50
COMMAND = [sys.executable, "-c", "from crypto_platform.cli import main; main()"]
NOW = datetime.now(UTC).replace(tzinfo=None)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
POLICY = Policy("RAW.TRADES", "EXCHANGE_TIME", 30)


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Fifty trades of the first of January 2026, and a quote bar of four quotes."""
    with emulator_process.running(tmp_path_factory.mktemp("commands")) as started:
        fill(started)
        yield started


def fill(emulator: Emulator) -> None:
    sink = WarehouseSink(emulator.settings)
    start = {sink_driver.PLACE: 0, (topics.QUOTE_BARS_1S, 0): 0}
    sink.open()
    sink.register(start)
    sink.open()
    quote = Message(topics.QUOTE_BARS_1S, 0, 0, json.dumps(QUOTE_BAR).encode())
    sink.write(gather([*sink_driver.trades(0, TRADES), quote], start, start))
    sink.close()


def run(emulator: Emulator, *arguments: str, stdin: str = "") -> Answer:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=emulator_process.inherited() | emulator.environment | {"NO_COLOR": "1", "COLUMNS": "200"},
        cwd=REPOSITORY,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def rows(emulator: Emulator, statement: str) -> list[warehouse.Row]:
    with warehouse.connect(emulator.settings) as connection:
        return warehouse.rows(connection, statement)


def test_a_query_prints_json_with_all_digits(emulator: Emulator) -> None:
    found = run(
        emulator,
        "query",
        "SELECT TRADE_ID, PRICE, EXCHANGE_TIME FROM RAW.TRADES ORDER BY 1 LIMIT 1",
        "--json",
    )
    assert found.json() == [
        {"TRADE_ID": 1, "PRICE": "61234.123456789100000000", "EXCHANGE_TIME": "2026-01-01 00:00:00.123456"}
    ]


def test_a_query_prints_csv_and_a_table_and_says_when_it_cuts(emulator: Emulator) -> None:
    text = "SELECT TRADE_ID, SIDE, RULES FROM RAW.TRADES ORDER BY 1"
    answer = run(emulator, "query", "--csv", "--limit", "2", stdin=text)
    assert list(csv.reader(io.StringIO(answer.out))) == [
        ["TRADE_ID", "SIDE", "RULES"],
        ["1", "sell", ""],
        ["2", "sell", ""],
    ]
    assert "more than 2 rows" in answer.err
    assert "50 rows" in run(emulator, "query", text).out


def test_a_query_from_a_file_may_be_a_file_of_the_repository(emulator: Emulator) -> None:
    path = catalog.ROOT / "queries" / "load_offsets.sql"
    found = run(emulator, "query", "--file", str(path), "--json").json()
    assert {row["TOPIC"]: row["NEXT_OFFSET"] for row in found} == {
        topics.CLEAN_TRADES: TRADES,
        topics.QUOTE_BARS_1S: 1,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("query", "DELETE FROM RAW.TRADES"), 2, "DELETE is refused"),
        (("query", "SELECT NOPE FROM RAW.TRADES"), 1, "NOPE"),
        (("query", "SELECT 1", "--csv", "--json"), 2, "--csv"),
        (("query", "--file", "/does/not/exist"), 2, "/does/not/exist"),
        (("export", "x.txt", "MARKET.BARS"), 2, ".parquet"),
        (("export", "x.csv"), 2, "--query"),
        (("export", "x.csv", "MARKET.BARS", "--query", "SELECT 1"), 2, "--query"),
        (("export", "x.csv", "MARKET.BARS; DROP TABLE X"), 2, "name of a view"),
        (("export", "x.csv", "MARKET.BARS", "--where", "TRUE; DROP TABLE X"), 2, "one statement"),
        (("export", "/proc/x.csv", "MARKET.BARS"), 2, "cannot be written"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    emulator: Emulator, arguments: tuple[str, ...], code: int, words: str
) -> None:
    answer = run(emulator, *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("error:")
    assert len(answer.err.strip().splitlines()) == 1
    assert words in answer.err
    assert rows(emulator, "SELECT COUNT(*) FROM RAW.TRADES") == [(TRADES,)]


@pytest.mark.parametrize("view", ["RAW.TRADES", "MARKET.BARS", "MARKET.LATEST_PRICE", "OPS.LATENCIES"])
def test_any_view_is_exported_as_it_is(emulator: Emulator, tmp_path: Path, view: str) -> None:
    path = tmp_path / "rows.parquet"
    expected = rows(emulator, f"SELECT * FROM {view}")
    assert run(emulator, "export", str(path), view, "--json").json()["rows"] == len(expected)
    table = pq.read_table(path)
    found = [tuple(row.values()) for row in table.to_pylist()]
    assert sorted(map(str, found)) == sorted(str(tuple(map(_as_pandas, row))) for row in expected)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def _as_pandas(value: Any) -> Any:
    import pandas as pd

    return pd.Timestamp(value) if isinstance(value, datetime) else value


def test_csv_has_the_numbers_of_parquet(emulator: Emulator, tmp_path: Path) -> None:
    text = "SELECT TRADE_ID, PRICE, SIZE, IS_SIMULATED FROM RAW.TRADES ORDER BY 1"
    for name in ("a.csv", "a.parquet"):
        assert run(emulator, "export", str(tmp_path / name), "--query", text).code == 0
    with (tmp_path / "a.csv").open() as file:
        found = [(int(r["TRADE_ID"]), Decimal(r["PRICE"]), Decimal(r["SIZE"])) for r in csv.DictReader(file)]
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert found == [(row["TRADE_ID"], row["PRICE"], row["SIZE"]) for row in table]


def test_bars_of_any_interval_are_exported_by_the_file_of_their_query(
    emulator: Emulator, tmp_path: Path
) -> None:
    with warehouse.connect(emulator.settings) as connection:
        connection.cursor().execute(
            catalog.statement("rollups/bars_1m_recompute"),
            {"from_time": "2026-01-01", "to_time": "2026-01-02"},
        )
    path = tmp_path / "bars.parquet"
    day = ("-p", "from_time=2026-01-01", "-p", "to_time=2026-01-02")
    file = ("--file", str(catalog.ROOT / "queries" / "bars_of_any_interval.sql"))
    found = run(emulator, "export", str(path), *file, *day, "-p", "window_seconds=420", "--json").json()
    rows(emulator, "DELETE FROM MARKET.BARS_1M")
    (bar,) = pq.read_table(path).to_pylist()
    assert (found["rows"], bar["TRADE_COUNT"]) == (1, TRADES)
    assert (bar["WINDOW_END"] - bar["WINDOW_START"]).total_seconds() == 420
    refused = run(emulator, "query", "SELECT 1", "-p", "day=5")
    assert (refused.code, "has no place" in refused.err) == (2, True)
    text = "SELECT COUNT(*) AS N FROM RAW.TRADES WHERE TRADE_ID > :least AND SIDE LIKE 's%'"
    assert run(emulator, "query", text, "-p", "least=45", "--json").json() == [{"N": 5}]


def test_costs_are_measured_estimated_and_kept(emulator: Emulator) -> None:
    found = run(emulator, "costs", "--json").json()
    assert found["rows"] == {"RAW.TRADES": TRADES, "MARKET.QUOTE_BARS_1S": 1}
    assert found["received_rows"] == TRADES + QUOTE_BAR["quote_count"]
    (text,) = rows(
        emulator,
        "SELECT EXCHANGE || PAIR || SIDE || SOURCE || PRODUCER_ID FROM RAW.TRADES WHERE TRADE_ID = 7",
    )
    assert found["bytes"]["RAW.TRADES"] > TRADES * len(text[0])
    assert run(emulator, "costs").code == 0
    kept = rows(emulator, "SELECT CONFIGURATION, IN_USE, CREDITS_PER_DAY FROM OPS.COSTS")
    assert len(kept) == len(found["estimates"]) >= 5
    assert [row for row in kept if row[1]] == [("a transaction every 300 s", True, 4.8)]
    with warehouse.connect(emulator.settings) as connection:
        metadata = costs.report(connection, emulator.settings, TODAY).metadata()
    assert metadata["rows"] == TRADES + 1
    assert metadata["reduction_by_flink"] == round((TRADES + 4) / (TRADES + 1), 2)


def test_what_an_audit_found_is_kept(emulator: Emulator) -> None:
    verdict = PairAudit("OKX_SIM", "BTC-USDT", 1, 50, 50, 2, 0, 0, 1, 0)
    record.store(emulator.settings, [verdict], datetime(2026, 1, 1, tzinfo=UTC))
    assert rows(emulator, "SELECT PAIR, EXPECTED, LOST, LATE, IS_CLEAN, SINCE FROM OPS.AUDITS") == [
        ("BTC-USDT", 50, 2, 1, False, datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    ]


class TestRetention:
    """Last in this module: it takes the trades away."""

    def test_a_dry_run_says_what_is_due_and_changes_nothing(self, emulator: Emulator) -> None:
        found = run(emulator, "retention", "--dry-run", "--json").json()
        assert [(one["table"], one["day"], one["rows"]) for one in found] == [
            ("RAW.TRADES", "2026-01-01", TRADES),
            ("MARKET.QUOTE_BARS_1S", "2026-01-01", 1),
        ]
        assert rows(emulator, "SELECT COUNT(*) FROM RAW.TRADES") == [(TRADES,)]

    def test_a_day_that_changes_meanwhile_is_left_as_it_is(
        self, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really = extract.to_file

        def and_then_one_more(*arguments: Any, **options: Any) -> int:
            count = really(*arguments, **options)
            rows(
                emulator,
                "INSERT INTO RAW.TRADES SELECT * REPLACE (TRADE_ID + 1000 AS TRADE_ID) FROM RAW.TRADES "
                "WHERE TRADE_ID = 1",
            )
            return count

        monkeypatch.setattr(retention.extract, "to_file", and_then_one_more)
        with (
            warehouse.connect(emulator.settings) as connection,
            pytest.raises(RetentionError, match="still arrive"),
        ):
            retention.prune(connection, [POLICY], NOW, tmp_path)
        assert rows(emulator, "SELECT COUNT(*) FROM RAW.TRADES") == [(TRADES + 1,)]
        assert list(tmp_path.rglob("*.parquet")) == []
        rows(emulator, "DELETE FROM RAW.TRADES WHERE TRADE_ID = 1001")

    def test_old_days_are_rolled_up_exported_and_deleted_and_nothing_else_is(
        self, emulator: Emulator, tmp_path: Path
    ) -> None:
        rows(
            emulator,
            "INSERT INTO RAW.TRADES SELECT * REPLACE (TRADE_ID + 2000 AS TRADE_ID, "
            f"'{NOW - timedelta(days=1)}' AS EXCHANGE_TIME) FROM RAW.TRADES WHERE TRADE_ID < 4",
        )
        found = run(emulator, "retention", "--folder", str(tmp_path), "--json").json()
        assert [(one["table"], one["rows"]) for one in found] == [
            ("RAW.TRADES", TRADES),
            ("MARKET.QUOTE_BARS_1S", 1),
        ]
        table = pq.read_table(tmp_path / "RAW.TRADES" / "2026-01-01.parquet")
        assert sorted(table["TRADE_ID"].to_pylist()) == list(range(1, TRADES + 1))
        assert rows(emulator, "SELECT COUNT(*), MIN(TRADE_ID) FROM RAW.TRADES") == [(3, 2001)]
        assert rows(emulator, "SELECT TRADE_COUNT FROM MARKET.BARS_1D") == [(TRADES,)]
        assert run(emulator, "retention", "--folder", str(tmp_path), "--json").json() == []

    def test_an_export_outlives_a_commit_whose_answer_is_lost(
        self, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows(
            emulator,
            "INSERT INTO RAW.TRADES SELECT * REPLACE (TRADE_ID + 4000 AS TRADE_ID, "
            "'2026-01-02' AS EXCHANGE_TIME) FROM RAW.TRADES WHERE TRADE_ID < 2004",
        )
        really = warehouse.transaction

        @contextmanager
        def and_the_line_goes_dead(connection: Any) -> Iterator[Any]:
            with really(connection):
                yield connection
            raise OperationalError("the line went dead")

        monkeypatch.setattr(retention.warehouse, "transaction", and_the_line_goes_dead)
        monkeypatch.setattr(retention.catalog, "ROLLUPS", ())
        with warehouse.open_connection(emulator.settings) as connection, pytest.raises(OperationalError):
            retention.prune(connection, [POLICY], NOW, tmp_path)
        assert rows(emulator, "SELECT COUNT(*) FROM RAW.TRADES WHERE TRADE_ID > 4000") == [(0,)]
        (kept,) = tmp_path.rglob("*.parquet")
        assert pq.read_metadata(kept).num_rows == 3
