"""What the emulator does differently from plain fakesnow: kept translations, keys, errors, left sessions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import fakesnow.server
import pytest
from snowflake.connector.errors import ProgrammingError

from infra.local import emulator, emulator_cursor
from streaming import settings as settings_module


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[emulator.Sessions]:
    settings = settings_module.load({"CRYPTO_HOME": str(tmp_path)})
    _, sessions = emulator.application(settings)
    yield sessions
    fakesnow.server.sessions.clear()
    fakesnow.server.shared_fs.duck_conn.close()


@pytest.fixture
def connection(sessions: emulator.Sessions) -> Any:
    return fakesnow.server.shared_fs.connect("TEST", None)


def run(connection: Any, statement: str, *binds: Any) -> list[Any]:
    """As the server runs it."""
    cursor = connection.cursor()
    cursor.execute(statement, binding_params=binds or None, server=True)
    cursor._describe_last_sql()
    return list(cursor.fetchall())


def test_a_kept_translation_answers_like_a_fresh_one(connection: Any) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 18), B VARCHAR)")
    insert = (
        "INSERT INTO T SELECT value[0]::NUMBER(38, 18), value[1]::VARCHAR FROM TABLE(FLATTEN(PARSE_JSON(?)))"
    )
    select = "SELECT A, B FROM T WHERE B <> ? ORDER BY A"
    for number in range(3):
        assert run(connection, insert, f'[["{number}.5", "b{number}"]]') == [(1,)]
        expected = [(Decimal(f"{i}.5"), f"b{i}") for i in range(number + 1)]
        assert run(connection, select, "x") == expected
    assert run(connection, select, "b1") == [(Decimal("0.5"), "b0"), (Decimal("2.5"), "b2")]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('["a", 1, null]', ['"a"', "1", None]),
        ('{"x": "a", "y": 2}', ['"a"', "2"]),
        ("[]", []),
        ('[["b", 1], ["c", 2]]', ['["b",1]', '["c",2]']),
    ],
)
def test_flatten_gives_the_same_values_with_and_without_its_other_columns(
    connection: Any, document: str, expected: list[str | None]
) -> None:
    short = run(connection, "SELECT f.VALUE::VARCHAR FROM TABLE(FLATTEN(PARSE_JSON(?))) f", document)
    whole = run(connection, "SELECT VALUE::VARCHAR, INDEX FROM TABLE(FLATTEN(PARSE_JSON(?)))", document)
    assert [row[0] for row in short] == [row[0] for row in whole]
    assert len(short) == len(expected)


def test_a_changed_table_is_seen_by_a_kept_statement(connection: Any) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 0))")
    run(connection, "INSERT INTO T VALUES (1)")
    assert run(connection, "SELECT * FROM T") == [(1,)]
    run(connection, "ALTER TABLE T ADD COLUMN B VARCHAR")
    assert run(connection, "SELECT * FROM T") == [(1, None)]
    run(connection, "CREATE OR REPLACE TABLE T (C VARCHAR)")
    assert run(connection, "SELECT * FROM T") == []


def test_a_kept_statement_means_the_session_s_own_schema(sessions: emulator.Sessions) -> None:
    one, two = (fakesnow.server.shared_fs.connect("TEST", schema) for schema in ("ONE", "TWO"))
    for number, session in enumerate((one, two)):
        run(session, "CREATE TABLE T (A NUMBER(38, 0))")
        run(session, f"INSERT INTO T VALUES ({number})")
    assert run(one, "SELECT * FROM T") == [(0,)]
    assert run(two, "SELECT * FROM T") == [(1,)]


def test_a_primary_key_is_declared_and_not_enforced(connection: Any) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 0) NOT NULL, CONSTRAINT K PRIMARY KEY (A))")
    run(connection, "INSERT INTO T VALUES (1), (1)")
    assert run(connection, "SELECT COUNT(*) FROM T") == [(2,)]


def test_a_merge_works_inside_a_transaction_twice(connection: Any) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 0), B NUMBER(38, 0))")
    merge = (
        "MERGE INTO T t USING (SELECT 1 AS A, 2 AS B) s ON t.A = s.A "
        "WHEN MATCHED THEN UPDATE SET B = t.B + 1 WHEN NOT MATCHED THEN INSERT (A, B) VALUES (s.A, s.B)"
    )
    for statement in ("BEGIN", merge, merge, "COMMIT"):
        run(connection, statement)
    assert run(connection, "SELECT * FROM T") == [(1, 3)]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("INSERT INTO T SELECT 'abc'::NUMBER(38, 18)", 100035),
        ("INSERT INTO T SELECT '1111111111111111111111111'::NUMBER(38, 18)", 100035),
        ("INSERT INTO T VALUES (NULL)", emulator_cursor.NULL_REJECTED),
        ("SELECT * FROM NO_SUCH_TABLE", 2003),
    ],
)
def test_errors_carry_snowflake_s_numbers(connection: Any, statement: str, number: int) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 18) NOT NULL)")
    with pytest.raises(ProgrammingError) as failure:
        run(connection, statement)
    assert failure.value.errno == number


def test_two_transactions_on_one_row_conflict(sessions: emulator.Sessions, connection: Any) -> None:
    other = fakesnow.server.shared_fs.connect("TEST", None)
    run(connection, "CREATE TABLE T (A NUMBER(38, 0))")
    run(connection, "INSERT INTO T VALUES (1)")
    run(connection, "BEGIN")
    run(connection, "UPDATE T SET A = 2")
    with pytest.raises(ProgrammingError) as failure:
        run(other, "UPDATE T SET A = 3")
    assert failure.value.errno == emulator_cursor.CONFLICT


@pytest.mark.parametrize(
    ("idle_s", "begun", "closed"),
    [
        (emulator.ABANDONED_AFTER_S + 1, True, ["transaction rolled back"]),
        (emulator.ABANDONED_AFTER_S - 1, True, []),
        (emulator.ABANDONED_AFTER_S + 1, False, []),
        (emulator.IDLE_SESSION_S + 1, False, ["unused"]),
    ],
)
def test_a_session_that_was_left_is_closed(
    sessions: emulator.Sessions, connection: Any, idle_s: float, begun: bool, closed: list[str]
) -> None:
    run(connection, "CREATE TABLE T (A NUMBER(38, 0))")
    if begun:
        run(connection, "BEGIN")
        run(connection, "INSERT INTO T VALUES (1)")
    fakesnow.server.sessions["token"] = connection
    sessions.seen_s["token"] = 1000.0
    assert sessions.close_left(1000.0 + idle_s) == closed
    assert ("token" in fakesnow.server.sessions) is not bool(closed)
    fresh = fakesnow.server.shared_fs.connect("TEST", None)
    assert run(fresh, "SELECT COUNT(*) FROM T") == [(0,)]


def test_a_session_in_use_is_never_closed(sessions: emulator.Sessions, connection: Any) -> None:
    run(connection, "BEGIN")
    fakesnow.server.sessions["token"] = connection
    sessions.seen_s["token"] = 0.0
    sessions.busy["token"] = 1
    assert sessions.close_left(10**6) == []
