"""The schema on a real emulator process: applied once, kept, and honest about what was skipped."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from infra.local.emulator_cursor import CONFLICT
from snowflake_sql import catalog
from snowflake_sql.deploy import ACCOUNT, MIGRATIONS, scripts
from streaming import warehouse
from streaming.loader import tables
from tests.integration import emulator_process
from tests.integration.emulator_process import Emulator

pytestmark = pytest.mark.stack


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator_process.running(tmp_path_factory.mktemp("migrations"), migrated=False) as started:
        yield started


def deploy(emulator: Emulator, *options: str) -> list[list[str]]:
    """What the command prints, a list of words a line."""
    return [line.split() for line in emulator.python("-m", "snowflake_sql.deploy", *options).splitlines()]


def conflict_of(connection: SnowflakeConnection, statement: str) -> int | None:
    """The number of the error a statement ends with, or None when it is done."""
    try:
        connection.cursor().execute(statement)
    except ProgrammingError as error:
        return error.errno
    return None


def test_the_first_run_applies_every_script_and_the_second_none(empty: Emulator) -> None:
    account = scripts(ACCOUNT)
    planned = deploy(empty, "--dry-run")
    first = deploy(empty)
    assert [line[:2] for line in planned] == [line[:2] for line in first]
    assert [line[1] for line in first if line[0] == "applied"] == scripts(MIGRATIONS)
    assert [line[1] for line in first if line[0] == "skipped"] == account

    second = deploy(empty)
    assert [line[1] for line in second if line[0] == "unchanged"] == scripts(MIGRATIONS)
    assert [line[1] for line in second if line[0] == "skipped"] == account
    assert not [line for line in second if line[0] == "applied"]

    with warehouse.connect(empty.settings) as connection:
        for table in tables.ALL:
            assert warehouse.rows(connection, f"SELECT COUNT(*) FROM {table.name}") == [(0,)]
        comments = warehouse.rows(
            connection,
            "SELECT TABLE_SCHEMA || '.' || TABLE_NAME, COMMENT FROM INFORMATION_SCHEMA.TABLES "
            "WHERE TABLE_SCHEMA IN ('RAW', 'MARKET', 'OPS') AND TABLE_TYPE = 'BASE TABLE'",
        )
        assert {name for name, comment in comments if comment} >= {table.name for table in tables.ALL}


def test_every_migration_runs_twice_without_harm(empty: Emulator) -> None:
    """Also without schemachange's history: by hand, or after that table was lost."""
    deploy(empty)
    shape = (
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE "
        "FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA IN ('RAW', 'MARKET', 'OPS') ORDER BY 1, 2, 3"
    )
    with warehouse.connect(empty.settings) as connection:
        connection.cursor().execute("INSERT INTO OPS.LOAD_OFFSETS VALUES ('t', 1, 5, '2026-01-01 00:00:00')")
        before = warehouse.rows(connection, shape)
        for name in scripts(MIGRATIONS):
            for statement in catalog.split(catalog.read(f"migrations/{name.removesuffix('.sql')}")):
                connection.cursor().execute(statement)
        assert warehouse.rows(connection, shape) == before
        assert warehouse.rows(connection, "SELECT NEXT_OFFSET FROM OPS.LOAD_OFFSETS") == [(5,)]
        assert warehouse.rows(connection, "SELECT COUNT(*) FROM MARKET.BARS") == [(0,)]


def test_what_the_emulator_skips_is_exactly_this() -> None:
    """Whoever adds to either list must say so here."""
    assert warehouse.EMULATOR_SKIPS == (r"ALTER SESSION\s+(UN)?SET\s+QUERY_TAG\b",)
    assert scripts(ACCOUNT) == ["A__1_warehouses.sql", "A__2_grants.sql", "A__3_streams_and_tasks.sql"]


def test_nothing_in_the_migrations_is_skipped() -> None:
    for name in scripts(MIGRATIONS):
        text = (MIGRATIONS / name).read_text(encoding="utf-8")
        assert not any(re.search(pattern, text, re.I) for pattern in warehouse.EMULATOR_SKIPS), name


def test_committed_rows_survive_a_kill_of_the_emulator(empty: Emulator) -> None:
    deploy(empty)
    statement = "INSERT INTO OPS.LOAD_OFFSETS VALUES ('t', {}, 0, '2026-01-01 00:00:00')"
    with warehouse.connect(empty.settings) as connection:
        with warehouse.transaction(connection):
            connection.cursor().execute(statement.format(1))
        connection.cursor().execute("BEGIN")
        connection.cursor().execute(statement.format(2))
        empty.kill()
    empty.start()
    with warehouse.connect(empty.settings) as connection:
        assert warehouse.rows(connection, "SELECT PARTITION_ID FROM OPS.LOAD_OFFSETS") == [(1,)]
    assert empty.stop() == 0


def test_a_transaction_left_by_a_dead_client_does_not_block_the_next(empty: Emulator) -> None:
    deploy(empty)
    insert = "INSERT INTO OPS.LOAD_OFFSETS VALUES ('t', 1, 0, '2026-01-01 00:00:00')"
    move = "UPDATE OPS.LOAD_OFFSETS SET NEXT_OFFSET = NEXT_OFFSET + 1"
    with warehouse.connect(empty.settings) as connection:
        connection.cursor().execute(insert)
    abandoned = (
        "import os, sys\n"
        "from streaming import settings, warehouse\n"
        "connection = warehouse.open_connection(settings.load())\n"
        "connection.cursor().execute('BEGIN')\n"
        f"connection.cursor().execute({move!r})\n"
        "os._exit(0)\n"
    )
    empty.python("-c", abandoned)
    with warehouse.connect(empty.settings) as connection:
        deadline_s = time.monotonic() + 20
        while conflict_of(connection, move) == CONFLICT:
            assert time.monotonic() < deadline_s, "the abandoned transaction still blocks"
            time.sleep(0.2)
        assert warehouse.rows(connection, "SELECT NEXT_OFFSET FROM OPS.LOAD_OFFSETS") == [(1,)]
