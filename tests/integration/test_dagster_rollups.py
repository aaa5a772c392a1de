"""Dagster's assets, checks and jobs against a real emulator process."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest

from crypto_platform import catalog
from crypto_platform.alerting import delivery, rule
from crypto_platform.defs.rollups import late_bars, partitions, touched
from crypto_platform.defs.rollups.assets import rollups
from crypto_platform.defs.warehouse import checks, drift, official
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from streaming import warehouse
from tests.integration import emulator_process
from tests.integration.emulator_process import Emulator

pytestmark = pytest.mark.stack

HOUR = datetime(2026, 3, 1, 10, tzinfo=UTC).replace(tzinfo=None)
NOON = HOUR + timedelta(hours=2)
(BARS_1H,) = [one for one in rollups if one.key == catalog.table_key("MARKET.BARS_1H")]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator_process.running(tmp_path_factory.mktemp("dagster-warehouse")) as started:
        yield started


@pytest.fixture
def tables(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator["Tables"]:
    """The warehouse with empty tables, and this process's settings leading to it."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    with warehouse.connect(emulator.settings) as connection:
        for table in (
            "RAW.TRADES",
            "OPS.LATE_TRADES",
            "OPS.GAPS",
            "OPS.ALERTS",
            *(bars.table for bars in late_bars.LENGTHS),
        ):
            connection.cursor().execute(f"DELETE FROM {table}")
        yield Tables(connection)


class Tables:
    """Puts rows into the tables and reads them."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def trade(
        self, trade_id: int, at: datetime, price: str = "100", size: str = "1", loaded_at: datetime = NOON
    ) -> None:
        self.connection.cursor().execute(
            "INSERT INTO RAW.TRADES (EXCHANGE, PAIR, FIRST_ID, TRADE_ID, FILL_COUNT, PRICE, SIZE, SIDE, "
            "EXCHANGE_TIME, RECEIVE_TIME, SOURCE, IS_SIMULATED, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ, "
            "SCHEMA_VERSION, KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT) SELECT 'OKX_SIM', 'BTC-USDT', "
            "%(id)s, %(id)s, 1, %(price)s, %(size)s, "
            "'buy', %(at)s, %(at)s, 'ws', TRUE, 'p', 1, %(id)s, 1, 0, %(id)s, %(loaded)s",
            {"id": trade_id, "price": price, "size": size, "at": at, "loaded": loaded_at},
        )

    def bar_1m(self, start: datetime, price: str, count: int, first_id: int, last_id: int) -> None:
        """The bar of `count` trades of size 1 at one price."""
        self.connection.cursor().execute(
            "INSERT INTO MARKET.BARS_1M (EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, "
            "CLOSE, VOLUME, "
            "QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, IS_SIMULATED, REVISION, "
            "COMPUTED_BY, "
            "KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT) SELECT 'OKX_SIM', 'BTC-USDT', %(start)s, "
            "%(end)s, %(p)s, %(p)s, "
            "%(p)s, %(p)s, %(n)s, %(n)s * %(p)s, %(p)s, %(n)s, %(first)s, %(last)s, TRUE, 0, 'flink', 0, 0, "
            "%(loaded)s",
            {
                "start": start,
                "end": start + timedelta(minutes=1),
                "p": Decimal(price),
                "n": count,
                "first": first_id,
                "last": last_id,
                "loaded": NOON,
            },
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return warehouse.rows(self.connection, statement)


def materialize(
    start: datetime, hours: int = 1, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    keys = [(start + timedelta(hours=index)).strftime("%Y-%m-%d-%H:%M") for index in range(hours)]
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    return dg.materialize(
        [BARS_1H], resources={"warehouse": SnowflakeResource()}, tags=tags, instance=instance
    )


def numbers(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event, *_) = result.asset_materializations_for_node("snowflake__MARKET__BARS_1H")
    return {name: value.value for name, value in event.metadata.items()}


def check(rule: dg.AssetChecksDefinition, hours: float = 24) -> dg.AssetCheckEvaluation:
    (key,) = rule.check_keys
    result = dg.materialize(
        [dg.AssetSpec(key.asset_key), rule],
        selection=dg.AssetSelection.checks(rule),
        resources={"warehouse": SnowflakeResource()},
        run_config=dg.RunConfig({rule.node_def.name: checks.Span(hours=hours)}),
        # A blocking check that fails is an error of its run.
        raise_on_error=False,
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def test_an_hour_of_trades_becomes_one_bar_and_its_figures_are_shown(tables: Tables) -> None:
    tables.trade(1, HOUR + timedelta(minutes=1), "100", "1")
    tables.trade(2, HOUR + timedelta(minutes=2), "130", "1")
    tables.trade(3, HOUR + timedelta(minutes=59), "110", "2")
    tables.trade(4, HOUR + timedelta(minutes=60), "999", "1")

    shown = numbers(materialize(HOUR))

    assert tables.rows("SELECT OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADE_COUNT FROM MARKET.BARS_1H") == [
        (100, 130, 100, 110, 4, Decimal("112.5"), 3)
    ]
    assert (shown["rows_merged"], shown["rows_inserted"], shown["rows_updated"]) == (1, 1, 0)
    assert (shown["dagster/row_count"], shown["dagster/partition_row_count"]) == (1, 1)
    assert (shown["from"], shown["to"]) == ("2026-03-01T10:00:00", "2026-03-01T11:00:00")
    assert shown["query_seconds"] > 0


def test_a_second_run_changes_nothing_and_a_late_trade_raises_the_revision(tables: Tables) -> None:
    tables.trade(1, HOUR + timedelta(minutes=1))
    materialize(HOUR)
    assert numbers(materialize(HOUR))["rows_merged"] == 0
    tables.trade(2, HOUR + timedelta(minutes=3), "120")
    assert numbers(materialize(HOUR))["rows_updated"] == 1
    assert tables.rows("SELECT REVISION, TRADE_COUNT FROM MARKET.BARS_1H") == [(1, 2)]


def test_a_back_fill_of_many_hours_is_one_run(tables: Tables) -> None:
    for hour in range(3):
        tables.trade(hour + 1, HOUR + timedelta(hours=hour, minutes=5))
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(HOUR, hours=3, instance=instance)
        assert numbers(result)["rows_merged"] == 3
        materialized = instance.get_materialized_partitions(catalog.table_key("MARKET.BARS_1H"))
    assert materialized == {"2026-03-01-10:00", "2026-03-01-11:00", "2026-03-01-12:00"}


def test_a_rollup_that_fails_leaves_no_half(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    from crypto_platform import warehouse_sql

    tables.trade(1, HOUR + timedelta(minutes=1))
    good = warehouse_sql.sql_files.statements("rollups/bars_1h")
    monkeypatch.setattr(warehouse_sql.sql_files, "statements", lambda _: (*good, "SELECT * FROM NOT_THERE"))
    span = {"from_time": HOUR, "to_time": NOON}
    with (
        SnowflakeResource().connection("test") as connection,
        pytest.raises(Exception, match=r"(?i)not_there"),
    ):
        warehouse_sql.run(connection, "rollups/bars_1h", span)
    assert tables.rows("SELECT COUNT(*) FROM MARKET.BARS_1H") == [(0,)]


def test_bars_that_equal_the_trades_pass_and_a_wrong_one_is_listed(tables: Tables) -> None:
    for minute in range(5):
        tables.trade(minute + 1, HOUR + timedelta(minutes=minute), "100")
        tables.bar_1m(HOUR + timedelta(minutes=minute), "100", 1, minute + 1, minute + 1)
    assert check(checks.bars_equal_raw_trades).passed

    tables.connection.cursor().execute("UPDATE MARKET.BARS_1M SET HIGH = 101 WHERE FIRST_TRADE_ID = 2")
    evaluation = check(checks.bars_equal_raw_trades)
    assert not evaluation.passed
    assert evaluation.metadata["violations"].value == 1
    (row,) = evaluation.metadata["first_violations"].records
    assert (row.data["WINDOW_START"], row.data["PROBLEM"]) == ("2026-03-01 10:01:00", "different")


def test_a_minute_without_its_bar_is_listed_unless_it_is_too_new_to_have_one(tables: Tables) -> None:
    for minute in range(5):
        tables.trade(minute + 1, HOUR + timedelta(minutes=minute), "100")
    tables.bar_1m(HOUR, "100", 1, 1, 1)
    tables.bar_1m(HOUR + timedelta(minutes=4), "100", 1, 5, 5)
    evaluation = check(checks.bars_equal_raw_trades)
    (row,) = evaluation.metadata["first_violations"].records
    assert (row.data["WINDOW_START"], row.data["PROBLEM"]) == ("2026-03-01 10:01:00", "missing bar")


def test_a_missing_trade_id_is_listed(tables: Tables) -> None:
    for trade_id in (1, 2, 5, 6):
        tables.trade(trade_id, HOUR + timedelta(minutes=trade_id))
    tables.trade(7, HOUR + timedelta(minutes=30))
    evaluation = check(checks.trade_ids_are_contiguous)
    assert not evaluation.passed
    (row,) = evaluation.metadata["first_violations"].records
    assert (row.data["FROM_ID"], row.data["TO_ID"], row.data["MISSING"]) == ("3", "4", "2")


def test_trades_that_stand_once_pass(tables: Tables) -> None:
    tables.trade(1, HOUR)
    tables.trade(2, HOUR)
    evaluation = check(checks.no_trade_stands_twice)
    assert evaluation.passed
    assert evaluation.metadata["to"].value == "2026-03-01T10:01:00"


def test_an_empty_table_has_nothing_to_check_and_says_so(tables: Tables) -> None:
    for judged in checks.sql_checks:
        evaluation = check(judged)
        assert evaluation.passed
        assert "nothing to check" in (evaluation.description or "")


def recompute_late_bars() -> list[dg.AssetMaterialization | None]:
    with dg.DagsterInstance.ephemeral() as instance:
        job = late_bars.recompute_late_bars_job
        job.execute_in_process(resources={"warehouse": SnowflakeResource()}, instance=instance)
        found = instance.fetch_materializations(catalog.table_key("MARKET.BARS_1M"), limit=5).records
        return [record.asset_materialization for record in found]


def late_bars_tick() -> object:
    with dg.build_schedule_context() as context:
        return late_bars.recompute_late_bars_schedule(context, warehouse=SnowflakeResource())


BARS_AND_THEIR_MAKERS = (
    "SELECT WINDOW_START, TRADE_COUNT, REVISION, COMPUTED_BY FROM MARKET.BARS_1M ORDER BY WINDOW_START"
)


def test_a_bar_whose_trade_came_late_is_recomputed(tables: Tables) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    tables.trade(1, HOUR, "100")
    tables.bar_1m(HOUR, "100", 1, 1, 1)
    tables.trade(2, HOUR + timedelta(seconds=30), "100", loaded_at=now)
    tables.trade(3, HOUR + timedelta(seconds=90), "100")
    assert isinstance(late_bars_tick(), dg.RunRequest)
    (materialization,) = recompute_late_bars()
    assert materialization is not None
    assert materialization.metadata["rows_merged"].value == 1
    assert tables.rows(BARS_AND_THEIR_MAKERS) == [(HOUR, 2, 1, "rollup")]
    assert isinstance(late_bars_tick(), dg.SkipReason)


def test_a_minute_whose_trades_all_came_late_gets_its_bar_but_an_open_one_does_not(tables: Tables) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    tables.trade(1, HOUR, "100", loaded_at=now)
    tables.trade(2, HOUR + timedelta(seconds=89), "100", loaded_at=now)
    assert isinstance(late_bars_tick(), dg.SkipReason), "Flink may still be writing the first minute"
    tables.trade(3, HOUR + timedelta(seconds=90), "100", loaded_at=now)
    recompute_late_bars()
    assert tables.rows(BARS_AND_THEIR_MAKERS) == [(HOUR, 1, 0, "rollup")]


def test_the_loaders_offsets_are_read_by_partition(tables: Tables) -> None:
    tables.connection.cursor().execute("DELETE FROM OPS.LOAD_OFFSETS")
    tables.connection.cursor().execute(
        "INSERT INTO OPS.LOAD_OFFSETS SELECT 'clean', 3, 42, '2026-03-01 10:00:00'::TIMESTAMP_NTZ"
    )
    assert SnowflakeResource().loaded_offsets() == {("clean", 3): 42}


def test_every_rollup_of_the_catalogue_runs_over_its_partition_and_then_changes_nothing(
    tables: Tables,
) -> None:
    for number in range(120):
        tables.trade(number + 1, HOUR + timedelta(minutes=number), str(100 + number % 7), "2")
    with dg.DagsterInstance.ephemeral() as instance:
        for definition in (partitions.hours, partitions.days):
            chosen = [one for one in rollups if one.partitions_def is definition]
            assert chosen
            key = HOUR.strftime(definition.fmt.replace("%H:%M", "%H:00"))
            run = {"resources": {"warehouse": SnowflakeResource()}, "instance": instance}
            assert dg.materialize(chosen, partition_key=key, **run).success
            again = dg.materialize(chosen, partition_key=key, **run)
            for event in again.get_asset_materialization_events():
                merged = event.step_materialization_data.materialization.metadata["rows_merged"].value
                assert merged == 0, event.asset_key
    (day,) = tables.rows("SELECT TRADE_COUNT FROM MARKET.BARS_1D")
    assert day == (120,)


def test_late_trades_request_exactly_the_hours_and_days_they_touched(tables: Tables) -> None:
    loaded = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=10)
    for trade_id, at in enumerate((HOUR, HOUR + timedelta(hours=1), HOUR + timedelta(hours=7)), start=1):
        tables.connection.cursor().execute(
            "INSERT INTO OPS.LATE_TRADES (EXCHANGE, PAIR, FIRST_ID, TRADE_ID, EXCHANGE_TIME, RECEIVE_TIME, "
            "SOURCE, IS_SIMULATED, KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT) SELECT "
            "'OKX_SIM', 'BTC-USDT', %(id)s, %(id)s, %(at)s, %(at)s, 'rest', TRUE, 0, %(id)s, %(loaded)s",
            {"id": trade_id, "at": at, "loaded": loaded},
        )

    def tick(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(cursor=cursor) as context:
            result = touched.late_trades_touched_rollups_sensor(context, warehouse=SnowflakeResource())
        assert isinstance(result, dg.SensorResult)
        return result

    first = tick(None)
    asked = [
        (one.job_name, one.tags[partitions.RANGE_START], one.tags[partitions.RANGE_END])
        for one in first.run_requests or []
    ]
    assert asked == [
        ("roll_up_hours_job", "2026-03-01-10:00", "2026-03-01-11:00"),
        ("roll_up_hours_job", "2026-03-01-17:00", "2026-03-01-17:00"),
        ("roll_up_days_job", "2026-03-01", "2026-03-01"),
    ]
    assert not tick(first.cursor).run_requests


def test_the_ledger_and_what_was_refused_are_counted(tables: Tables) -> None:
    assert SnowflakeResource().gaps() == ({}, None)
    tables.connection.cursor().execute(
        "INSERT INTO OPS.GAPS (EXCHANGE, PAIR, FROM_ID, TO_ID, CAUSE, DETECTED_AT, FILLED_AT, STATUS, "
        "IS_SIMULATED, SCHEMA_VERSION, KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT) SELECT 'OKX_SIM', "
        "'BTC-USDT', 1, 2, 'restart', DATEADD('SECOND', -500, SYSDATE()), NULL, 'open', TRUE, 1, 0, 0, "
        "SYSDATE()"
    )
    counts, oldest_s = SnowflakeResource().gaps()
    assert counts == {"open": 1}
    assert oldest_s is not None
    assert 490 < oldest_s < 600
    assert SnowflakeResource().refused(timedelta(hours=1)) == {}


def test_every_table_has_the_columns_that_the_migrations_declare(tables: Tables) -> None:
    keys = [key.asset_key for key in drift.schema_drift.check_keys]
    result = dg.materialize(
        [*(dg.AssetSpec(key) for key in keys), drift.schema_drift],
        selection=dg.AssetSelection.checks(drift.schema_drift),
        resources={"warehouse": SnowflakeResource()},
    )
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == len(drift.TABLES)
    assert [one.description for one in evaluations if not one.passed] == []


def test_a_column_that_is_missing_or_unknown_is_named() -> None:
    assert drift.differences({"A.B": {"X", "Y"}}, {"A.B": {"Y", "Z"}}, "A.B") == {
        "missing": ["X"],
        "unknown": ["Z"],
    }


def test_an_alert_is_written_when_it_fires_and_its_end_is_noted(tables: Tables) -> None:
    condition = rule.Condition("check a", "check", "error", "a/b", "It's wrong; 100 %.")
    memory, written = rule.Memory(), None
    for now_s, holding in ((1_000_000.5, [condition]), (1_000_060.0, []), (1_000_090.0, [])):
        _, memory = rule.judge(memory, holding, [], now_s)
        memory, error = delivery.write_history(memory, lambda new: delivery.merge(tables.connection, new))
        assert error == ""
    written = tables.rows("SELECT FINGERPRINT, FIRED_AT, CLEARED_AT, SUMMARY, WAS_SENT FROM OPS.ALERTS")
    fired, cleared = datetime(1970, 1, 12, 13, 46, 40, 500_000), datetime(1970, 1, 12, 13, 47, 40)  # noqa: DTZ001
    assert written == [("check a", fired, cleared, "It's wrong; 100 %.", True)]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("UPDATE RAW.TRADES SET SIDE = 'up' WHERE TRADE_ID = 2", "values_are_in_range"),
        ("UPDATE RAW.TRADES SET PRICE = 0 WHERE TRADE_ID = 2", "values_are_in_range"),
        ("UPDATE RAW.TRADES SET IS_SIMULATED = FALSE WHERE TRADE_ID = 2", "values_are_in_range"),
        ("UPDATE MARKET.BARS_1M SET HIGH = 99 WHERE FIRST_TRADE_ID = 2", "prices_are_ordered"),
        ("UPDATE MARKET.BARS_1M SET VWAP = 101 WHERE FIRST_TRADE_ID = 2", "prices_are_ordered"),
        ("UPDATE RAW.TRADES SET KAFKA_OFFSET = 77 WHERE TRADE_ID = 2", "rows_reconcile_with_offsets"),
        ("UPDATE RAW.TRADES SET KAFKA_OFFSET = 3 WHERE TRADE_ID = 2", "rows_reconcile_with_offsets"),
        ("DELETE FROM MARKET.BARS_1M WHERE FIRST_TRADE_ID > 1", "the_latest_closed_minute_has_its_bar"),
        ("UPDATE MARKET.BARS_15M SET VOLUME = 14", "longer_bars_equal_their_minutes"),
    ],
)
def test_a_check_is_green_on_what_is_right_and_red_on_what_is_not(
    tables: Tables, change: str, name: str
) -> None:
    for number in range(1, 31):
        at = HOUR + timedelta(minutes=number - 1)
        tables.trade(number, at)
        tables.bar_1m(at, "100", 1, number, number)
    materialized = [one for one in rollups if one.key == catalog.table_key("MARKET.BARS_15M")]
    resources = {"warehouse": SnowflakeResource()}
    assert dg.materialize(materialized, partition_key="2026-03-01-10:00", resources=resources).success
    cursor = tables.connection.cursor()
    cursor.execute("DELETE FROM OPS.LOAD_OFFSETS")
    cursor.execute("INSERT INTO OPS.LOAD_OFFSETS SELECT 'CryptoCurrency_clean_trades', 0, 31, SYSDATE()")
    (judged,) = [one for one in checks.sql_checks if one.check_key.name == name]
    assert check(judged).passed
    cursor.execute(change)
    evaluation = check(judged)
    assert not evaluation.passed, evaluation.description


@pytest.fixture
def candles(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, list[str]]]:
    """An exchange's candles by their start in ms, served as OKX serves them; the settings lead there."""
    rows: dict[int, list[str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            wanted = [at for at in rows if int(query["before"]) < at < int(query["after"])]
            data = [[str(at), *rows[at], "1"] for at in sorted(wanted, reverse=True)[:2]]
            body = json.dumps({"code": "0", "msg": "", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("CRYPTO_SOURCE", "okx")
    monkeypatch.setenv("CRYPTO_PAIRS", "BTC-USDT")
    monkeypatch.setenv("CRYPTO_OKX_WS_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("CRYPTO_OKX_REST_URL", f"http://127.0.0.1:{server.server_port}")
    yield rows
    server.shutdown()
    server.server_close()
    thread.join()


def test_bars_are_compared_with_the_exchanges_own_candles(
    tables: Tables, candles: dict[int, list[str]]
) -> None:
    for minute in range(10):
        at = HOUR + timedelta(minutes=minute)
        tables.bar_1m(at, "100", 1, minute, minute)
        candles[int(at.replace(tzinfo=UTC).timestamp() * 1000)] = [
            "100",
            "100.0",
            "100",
            "100",
            "1",
            "100",
            "100",
        ]

    def judged() -> dg.AssetCheckEvaluation:
        rule = official.bars_equal_official_candles
        (key,) = rule.check_keys
        result = dg.materialize(
            [dg.AssetSpec(key.asset_key), rule],
            selection=dg.AssetSelection.checks(rule),
            resources={"warehouse": SnowflakeResource()},
        )
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation

    right = judged()
    assert right.passed, right.metadata
    assert right.metadata["minutes_compared"].value == 5
    candles[min(candles) + 120_000][4] = "1.5"
    wrong = judged()
    assert not wrong.passed
    assert wrong.metadata["differences"].value == 1
    assert "volume: ours 1" in str(wrong.metadata["first_differences"].value)
