"""Runs the files of `snowflake_sql` over an open connection and says what they did.

What belongs here: execution, row counts and time. What does not: SQL, opening connections
(`defs/warehouse/resources.py`), and Dagster. The connector is imported when it is needed: it takes 1.5 s.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from snowflake_sql import catalog as sql_files

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from streaming.warehouse import Row


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file changed: rows inserted and updated over all its statements, and how long they took."""

    rows_inserted: int
    rows_updated: int
    seconds: float

    @property
    def rows_merged(self) -> int:
        return self.rows_inserted + self.rows_updated


def utc_naive(moment: datetime) -> datetime:
    """A moment as TIMESTAMP_NTZ holds it: in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def run(connection: SnowflakeConnection, name: str, parameters: Mapping[str, Any]) -> Outcome:
    """Run every statement of the file `name` in one transaction: all of it happens, or nothing.

    Raises:
        snowflake.connector.errors.Error: a statement fails; everything is rolled back.
    """
    from streaming import warehouse

    inserted = updated = 0
    began_s = time.monotonic()
    with warehouse.transaction(connection):
        for statement in sql_files.statements(name):
            cursor = connection.cursor()
            cursor.execute(statement, parameters)
            counts = _dml_counts([column.name for column in cursor.description or ()], cursor.fetchall())
            inserted, updated = inserted + counts[0], updated + counts[1]
            cursor.close()
    return Outcome(inserted, updated, time.monotonic() - began_s)


def _dml_counts(columns: list[str], rows: list[Any]) -> tuple[int, int]:
    """Snowflake answers DML with one row of counts, named `number of rows inserted` and `… updated`."""
    if len(rows) != 1:
        return 0, 0
    by_name = dict(zip((column.lower() for column in columns), rows[0], strict=True))
    return (
        int(by_name.get("number of rows inserted") or 0),
        int(by_name.get("number of rows updated") or 0),
    )


def offenders(
    connection: SnowflakeConnection, name: str, parameters: Mapping[str, Any]
) -> tuple[list[str], list[Row]]:
    """The columns and rows of a check, which returns what violates it and nothing when all is well."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql_files.statement(name), parameters)
        return [column.name for column in cursor.description], [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()


def row_counts(
    connection: SnowflakeConnection, table: str, time_column: str, span: Mapping[str, datetime]
) -> tuple[int, int]:
    """Rows of `table` in all, and those whose `time_column` is in [from_time, to_time)."""
    from streaming import warehouse

    # Names come from our own code, never from data, so they may stand in the text.
    inside = f"{time_column} >= %(from_time)s AND {time_column} < %(to_time)s"
    statement = f"SELECT COUNT(*), COUNT_IF({inside}) FROM {table}"
    ((total, in_span),) = warehouse.rows(connection, statement, span)
    # The emulator counts nothing in an empty table, not zero.
    return int(total), int(in_span or 0)


def newest(connection: SnowflakeConnection, table: str, time_column: str) -> datetime | None:
    """The latest `time_column` of `table` (naive UTC), None if the table is empty."""
    from streaming import warehouse

    # The emulator answers a missing time with 1970, so the rows are counted too.
    ((count, latest),) = warehouse.rows(connection, f"SELECT COUNT(*), MAX({time_column}) FROM {table}")
    return cast("datetime", latest) if count else None


SETTLING: Final = timedelta(seconds=30)
"""A window that ended this long before the newest trade has been closed by Flink and its bar loaded."""


def touched_windows(connection: SnowflakeConnection, query: str, lookback: timedelta) -> list[datetime]:
    """The starts (naive UTC) of the windows whose bars miss a trade that was loaded within `lookback`, once
    a pair.

    Args:
        connection: to the warehouse.
        query: the file that asks for windows of one length, `queries/touched_bars_…`.
        lookback: how long ago the trade may have been loaded.
    """
    from streaming import warehouse

    now = datetime.now(UTC).replace(tzinfo=None)
    # Rows carry the clock of the loader's machine, which may be ahead of ours.
    span: dict[str, Any] = {
        "from_time": now - lookback,
        "to_time": now + timedelta(minutes=5),
        "settling_seconds": int(SETTLING.total_seconds()),
    }
    return [start for _, _, start in warehouse.rows(connection, sql_files.statement(query), span)]
