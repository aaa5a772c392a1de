"""Writes batches to the warehouse, each in one transaction with its offsets.

What belongs here: the transaction, duplicates of stored rows, and which errors mean what. What does not: when
to try again (`streaming.loader.service`), how rows travel (`streaming.loader.transfer`).

`Sink` is all the service knows. This is the engine `batch`; the other one is `streaming.loader.snowpipe`.

A small batch travels as one JSON bind a table, a large one as a Parquet file that COPY reads. The file is
unique and COPY is part of the transaction, so that a loader that dies leaves at most a file, never a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from streaming import warehouse
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.loader import tables
from streaming.loader.batch import Batch, TopicPartition
from streaming.loader.rows import Row, timestamp_text
from streaming.loader.stored import StoredRows
from streaming.loader.tables import Mode, Table
from streaming.loader.transfer import BULK_ROWS, staged_file
from streaming.settings import Settings

NETWORK_TIMEOUT_S: Final = 15

DATA_ERRORS: Final = range(100_000, 101_000)
"""Snowflake's numbers for a value it cannot store (100035 time, 100038 number, 100132 range, ...)."""


class OffsetConflictError(PlatformError):
    """Another loader moved the offsets this batch starts from; nothing was written."""


class RowRefusedError(PlatformError):
    """The warehouse cannot store a value of this table's rows."""

    def __init__(self, table: Table, reason: str) -> None:
        super().__init__(f"{table.name} refuses a row: {reason}")
        self.table = table
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction did. `duplicates` were in the table already; all count rows by table name.

    `dropped` are rows that the warehouse left out although it was told to store them; they are in the dead
    letters instead.
    """

    rows: Mapping[str, int]
    duplicates: Mapping[str, int]
    committed_at_ns: int
    dropped: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """Where batches go. Every method raises ServiceUnavailableError when the warehouse cannot be reached."""

    def open(self) -> dict[TopicPartition, int]:
        """Connect anew; return the next offset of every partition ever loaded."""
        ...

    def register(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note partitions that are new, with the offset their loading starts at."""
        ...

    def write(self, batch: Batch) -> Written:
        """Write all of a batch or nothing.

        Raises:
            OffsetConflictError: someone else moved the offsets.
            RowRefusedError: a value cannot be stored; nothing was written.
        """
        ...

    def refusal(self, table: Table, rows: list[Row]) -> str | None:
        """Why the warehouse would refuse one of `rows`, or None. Writes nothing."""
        ...

    def close(self) -> None:
        """Give up the connection; an open transaction is rolled back."""
        ...


class WarehouseSink:
    """The sink that speaks SQL, to Snowflake or to the emulator.

    Args:
        settings: where the warehouse is.
        connect: opens a connection with server-side binds and without autocommit.
    """

    def __init__(
        self, settings: Settings, connect: Callable[[Settings], SnowflakeConnection] | None = None
    ) -> None:
        self._settings = settings
        self._connect = connect or _connect
        self._connection: SnowflakeConnection | None = None
        self._stored = StoredRows(self._query)

    def open(self) -> dict[TopicPartition, int]:
        self.close()
        self._connection = self._connect(self._settings)
        self._stored.refresh()
        offsets = {(row[0], int(row[1])): int(row[2]) for row in self._query(tables.SELECT_OFFSETS)}
        self._end("ROLLBACK")
        return offsets

    def register(self, offsets: Mapping[TopicPartition, int]) -> None:
        now = timestamp_text(time.time_ns())
        rows = [[topic, partition, offset, now] for (topic, partition), offset in offsets.items()]
        self._change(tables.INSERT_OFFSETS, _json(rows))
        self._end("COMMIT")

    def write(self, batch: Batch) -> Written:
        try:
            return self._write(batch)
        except ServiceUnavailableError:
            # Asking a warehouse that is away to roll back would wait for it; it does so by itself.
            self.close()
            raise
        except (OffsetConflictError, RowRefusedError):
            self._abandon()
            raise

    def refusal(self, table: Table, rows: list[Row]) -> str | None:
        try:
            self._change(table.insert, _json(_stamped(rows, timestamp_text(time.time_ns()))), table=table)
        except RowRefusedError as error:
            return error.reason
        finally:
            self._abandon()
        return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close(retry=False)
            self._connection = None

    def _write(self, batch: Batch) -> Written:
        now = timestamp_text(time.time_ns())
        written: dict[str, int] = {}
        duplicates: dict[str, int] = {}
        for table, entries in batch.entries.items():
            rows = [entry.row for entry in entries.values()]
            if table.mode is Mode.APPEND:
                known = self._stored.known(table, entries)
                rows = [entry.row for identity, entry in entries.items() if identity not in known]
                duplicates[table.name] = len(known)
            if not rows:
                continue
            if table.mode is Mode.UPSERT:
                written[table.name] = self._upsert(table, _stamped(rows, now))
            else:
                self._append(table, _stamped(rows, now))
                written[table.name] = len(rows)
        self._move_offsets(batch, now)
        self._end("COMMIT")
        for table, entries in batch.entries.items():
            if table.mode is Mode.APPEND:
                self._stored.add(table, entries)
        return Written(written, duplicates, time.time_ns())

    def _append(self, table: Table, rows: list[Row]) -> None:
        if len(rows) < BULK_ROWS:
            self._change(table.insert, _json(rows), table=table)
            return
        with staged_file(table, rows) as path:
            self._change(f"PUT 'file://{path}' @RAW.LOADER AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
            self._change(table.copy(path.name), table=table)

    def _upsert(self, table: Table, rows: list[Row]) -> int:
        """Rows replaced and inserted, in binds of bounded size."""
        bound, changed = table.index(table.prune), 0
        for start in range(0, len(rows), BULK_ROWS):
            part = rows[start : start + BULK_ROWS]
            values: list[Any] = [row[bound] for row in part]
            binds = (_json(part), min(values), max(values))
            changed += self._change(table.update_later, *binds, table=table)
            changed += self._change(table.insert_missing, *binds, table=table)
        return changed

    def _move_offsets(self, batch: Batch, now: str) -> None:
        moves = [
            [*partition, batch.expected[partition], end, now] for partition, end in batch.reached.items()
        ]
        moved = self._change(tables.MOVE_OFFSETS, _json(moves))
        if moved != len(moves):
            raise OffsetConflictError(
                f"{moved} of {len(moves)} load offsets stood where this loader left them.",
                "Run one loader for each database.",
            )

    def _change(self, statement: str, *binds: Any, table: Table | None = None) -> int:
        return int(self._execute(statement, binds, table).rowcount or 0)

    def _query(self, statement: str, binds: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._execute(statement, binds, None).fetchall()]

    def _end(self, statement: str) -> None:
        self._execute(statement, (), None)

    def _execute(self, statement: str, binds: tuple[Any, ...], table: Table | None) -> Any:
        if self._connection is None:
            raise ServiceUnavailableError("The loader is not connected to the warehouse.")
        try:
            return self._connection.cursor().execute(statement, binds or None)
        except Error as error:
            if table is not None and error.errno in DATA_ERRORS:
                raise RowRefusedError(table, str(error.msg)) from error
            raise warehouse.unavailable(self._settings, error) from error
        except OSError as error:
            raise warehouse.unavailable(self._settings, error) from error

    def _abandon(self) -> None:
        """End the transaction; a connection on which that fails is of no use any more."""
        try:
            self._end("ROLLBACK")
        except ServiceUnavailableError:
            self.close()


def _connect(settings: Settings) -> SnowflakeConnection:
    return warehouse.open_connection(
        settings, paramstyle="qmark", autocommit=False, schema="RAW", network_timeout_s=NETWORK_TIMEOUT_S
    )


def _stamped(rows: Iterable[Row], now: str) -> list[Row]:
    return [[*row, now] for row in rows]


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()
