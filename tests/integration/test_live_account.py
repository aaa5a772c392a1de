"""The same schema, loader, rollups and checks on a real Snowflake account, in a database of their own.

Skipped, and said so, unless SNOWFLAKE_ACCOUNT and SNOWFLAKE_PRIVATE_KEY_PATH are set; the role must be able
to create a database and use SNOWFLAKE_WAREHOUSE. The database is dropped at the end.

What the emulator cannot show is looked for here: COPY within a transaction, key pairs, Snowpipe Streaming.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from snowflake_sql import catalog, costs, deploy, extract
from streaming import settings as settings_module
from streaming import topics, warehouse
from streaming.loader.batch import gather
from streaming.loader.sink import WarehouseSink
from streaming.loader.snowpipe import SnowpipeSink
from streaming.loader.snowpipe_sdk import SnowpipeSdk
from streaming.loader.transfer import BULK_ROWS
from streaming.settings import Settings
from tests.integration import sink_driver

REQUIRED = ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_PRIVATE_KEY_PATH")
MISSING = [name for name in REQUIRED if not os.environ.get(name)]

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"needs a Snowflake account: set {' and '.join(MISSING)}"),
]

PLACE = sink_driver.PLACE
LETTERS = (topics.DEAD_LETTERS, 0)
DAY = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
SPAN = {"from_time": DAY, "to_time": DAY + timedelta(days=1)}
SUMMARY = "SELECT COUNT(*), COUNT(DISTINCT TRADE_ID), MIN(TRADE_ID), MAX(TRADE_ID) FROM RAW.TRADES"


@pytest.fixture(scope="module")
def account() -> Iterator[Settings]:
    """Settings that lead to a new database with the platform's tables."""
    name = f"CRYPTO_TEST_{uuid.uuid4().hex[:12].upper()}"
    settings = settings_module.load(snowflake_database=name)
    try:
        report = deploy.deploy(settings, account_scripts=False)
        assert set(report.applied) == set(deploy.scripts(deploy.MIGRATIONS))
        yield settings
    finally:
        with warehouse.connect(settings) as connection:
            connection.cursor().execute(f"DROP DATABASE IF EXISTS {name}")


def rows(settings: Settings, statement: str) -> list[warehouse.Row]:
    with warehouse.connect(settings) as connection:
        return warehouse.rows(connection, statement)


def test_a_second_deployment_applies_nothing(account: Settings) -> None:
    applied = deploy.deploy(account, account_scripts=False).applied
    assert [name for name in applied if not name.startswith("A")] == []


def test_small_and_large_batches_are_loaded_once_and_reconciled(account: Settings, tmp_path: Path) -> None:
    sink = WarehouseSink(account)
    sink.open()
    sink.register({PLACE: 0})
    sink.open()
    total = 10 + BULK_ROWS
    for first, count in ((0, 10), (10, BULK_ROWS)):
        start = {PLACE: first}
        sink.write(gather(sink_driver.trades(first, count), start, start))
    assert sink.open() == {PLACE: total}
    again = gather(sink_driver.trades(0, 10), {PLACE: 0}, {PLACE: total})
    again.reached = {PLACE: total}
    assert sink.write(again).duplicates == {"RAW.TRADES": 10}
    sink.close()
    assert rows(account, SUMMARY) == [(total, total, 1, total)]
    with warehouse.connect(account) as connection:
        for rollup in catalog.ROLLUPS:
            with warehouse.transaction(connection):
                connection.cursor().execute(catalog.statement(rollup.name), SPAN)
        for check in catalog.names("checks"):
            assert warehouse.rows(connection, catalog.statement(check), SPAN) == [], check
        assert warehouse.rows(connection, "SELECT SUM(TRADE_COUNT) FROM MARKET.BARS_1D") == [(total,)]
        exported = extract.to_file(connection, "SELECT * FROM RAW.TRADES", tmp_path / "trades.parquet")
        today = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        assert costs.report(connection, account, today).volume.rows["RAW.TRADES"] == total
    assert exported == pq.read_metadata(tmp_path / "trades.parquet").num_rows == total


def test_snowpipe_streaming_appends_each_trade_once_across_a_restart(account: Settings) -> None:
    rows(account, "DELETE FROM RAW.TRADES")

    def opened() -> SnowpipeSink:
        made = SnowpipeSink(account, lambda: [PLACE, LETTERS], SnowpipeSdk())
        stored = made.open()
        made.register({place: 0 for place in (PLACE, LETTERS) if place not in stored})
        return made

    first = opened()
    start = {PLACE: 0}
    assert first.write(gather(sink_driver.trades(0, 100), start, start)).rows == {"RAW.TRADES": 100}
    first.close()
    second = opened()
    start = {PLACE: second.open()[PLACE]}
    assert start == {PLACE: 100}
    second.write(gather(sink_driver.trades(100, 50), start, start))
    second.close()
    assert rows(account, SUMMARY) == [(150, 150, 1, 150)]
