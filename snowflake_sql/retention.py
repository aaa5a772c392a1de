"""Prunes old rows by policy, each day's rows exported to a Parquet file first.

What belongs here: what is kept for how long, and the order of export and deletion. What does not: files
(`snowflake_sql.extract`), when it runs (Dagster, or `crypto-platform retention`).

A day is deleted in one transaction that must delete exactly the rows that the file has; else it is rolled
back. The rollups that read a table are run for a day before its rows go. Bars are never pruned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import structlog
from snowflake.connector import SnowflakeConnection

from snowflake_sql import catalog, extract
from streaming import warehouse
from streaming.errors import PlatformError, SettingsError
from streaming.topics import RETENTION_HOURS

LEAST_DAYS: Final = RETENTION_HOURS // 24 + 1
"""Kafka may be read again for that long, and the loader knows a trade by its row."""
DAY: Final = timedelta(days=1)

log = structlog.get_logger(__name__)


class RetentionError(PlatformError):
    """A day could not be pruned as it was exported; its rows are still there."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rows of `table` whose `time_column` is older than `keep_days` full days are pruned."""

    table: str
    time_column: str
    keep_days: int


TIME_COLUMNS: Final = {
    "RAW.TRADES": "EXCHANGE_TIME",
    "RAW.TICKERS": "EXCHANGE_TIME",
    "RAW.DEAD_LETTERS": "LOADED_AT",
    "MARKET.QUOTE_BARS_1S": "WINDOW_START",
    "MARKET.ANOMALIES": "EXCHANGE_TIME",
    "OPS.LATE_TRADES": "EXCHANGE_TIME",
    "OPS.LATENCIES": "WINDOW_START",
    "OPS.COSTS": "WINDOW_START",
    "OPS.AUDITS": "AUDITED_AT",
}
"""The tables that may be pruned."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """A day of a table that was, or would be, exported and deleted."""

    table: str
    day: datetime
    rows: int
    path: Path


def policies(text: str) -> tuple[Policy, ...]:
    """The policies of a setting such as `RAW.TRADES=30,RAW.TICKERS=8` (days).

    Raises:
        SettingsError: a table that is not pruned, or a time that is too short.
    """
    found: list[Policy] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        table, _, days = part.partition("=")
        if table not in TIME_COLUMNS or not days.isdigit() or int(days) < LEAST_DAYS:
            raise SettingsError(
                f"CRYPTO_RETENTION has {part!r}.",
                f"Write TABLE=DAYS with at least {LEAST_DAYS} days; tables: {', '.join(TIME_COLUMNS)}.",
            )
        found.append(Policy(table, TIME_COLUMNS[table], int(days)))
    return tuple(found)


def due(connection: SnowflakeConnection, policy: Policy, now: datetime, folder: Path) -> list[Pruned]:
    """The days of a table that are too old at `now` (naive UTC), the oldest first."""
    before = now.replace(hour=0, minute=0, second=0, microsecond=0) - policy.keep_days * DAY
    # Names come from our own code, never from data, so they may stand in the text.
    query = (
        f"SELECT DATE_TRUNC('DAY', {policy.time_column}), COUNT(*) FROM {policy.table} "
        f"WHERE {policy.time_column} < %(before)s GROUP BY 1 ORDER BY 1"
    )
    return [
        Pruned(policy.table, day, int(rows), folder / policy.table / f"{day:%Y-%m-%d}.parquet")
        for day, rows in warehouse.rows(connection, query, {"before": before})
    ]


def prune(
    connection: SnowflakeConnection,
    wanted: Iterable[Policy],
    now: datetime,
    folder: Path,
    *,
    dry_run: bool = False,
) -> list[Pruned]:
    """Export and delete what is too old at `now` (naive UTC); return it, a day each.

    Running it again after a failure goes on where it stopped; a file of rows that are still there is written
    anew, beside one of the same day that was pruned before.

    Raises:
        RetentionError: a day changed between its export and its deletion.
        SettingsError: the folder cannot be written to.
    """
    done: list[Pruned] = []
    for policy in wanted:
        for day in due(connection, policy, now, folder):
            done.append(day if dry_run else _prune_day(connection, policy, day))
    return done


def _prune_day(connection: SnowflakeConnection, policy: Policy, day: Pruned) -> Pruned:
    span = {"from_time": day.day, "to_time": day.day + DAY}
    inside = (
        f"{policy.table} WHERE {policy.time_column} >= %(from_time)s AND {policy.time_column} < %(to_time)s"
    )
    for rollup in catalog.ROLLUPS:
        if policy.table in rollup.reads and not rollup.corrects:
            with warehouse.transaction(connection):
                connection.cursor().execute(catalog.statement(rollup.name), span)
    path = _unused(day.path)
    rows = extract.to_file(connection, f"SELECT * FROM {inside}", path, span)
    if pq.read_metadata(path).num_rows != rows:
        raise RetentionError(f"{path} does not have the {rows} rows that were read.", "Check the disk.")
    try:
        with warehouse.transaction(connection):
            deleted = connection.cursor().execute(f"DELETE FROM {inside}", span).rowcount
            if deleted != rows:
                raise RetentionError(
                    f"{policy.table} had {deleted} rows of {day.day:%Y-%m-%d}, and {rows} were exported.",
                    "Rows still arrive for that day; run it again later.",
                )
    except RetentionError:
        # Any other error may have come after the COMMIT: then this file is all there is of the rows.
        path.unlink()
        raise
    log.info("pruned", table=policy.table, day=f"{day.day:%Y-%m-%d}", rows=rows, file=str(path))
    return Pruned(policy.table, day.day, rows, path)


def _unused(path: Path) -> Path:
    """`path`, or with a number where a file of rows that were pruned before has that name."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate
