"""Appends rows by Snowpipe Streaming: a channel for each partition, with its Kafka offsets as tokens.

What belongs here: channels, tokens, and rows that the service leaves out. What does not: the SDK's set-up
(`streaming.loader.snowpipe_sdk`), tables whose rows are replaced (`streaming.loader.engines`), when to try
again (`streaming.loader.service`).

A channel's committed token is the last Kafka offset whose rows are stored, so a partition is read on from the
token plus one after whatever happened. Opening a channel takes it away from whoever had it: a loader that is
still alive elsewhere gets an error with its next append and writes nothing more ("Channels", Snowpipe
Streaming, docs.snowflake.com).

The service drops a row that does not fit its table and moves the token past it all the same (its only
ON_ERROR is CONTINUE). So rows are checked before they are sent, a growing `rows_error_count` is an alarm, and
what the table then lacks goes to the dead letters.

Dead letters of a partition have a channel of their own on the table of dead letters and go first: once the
rows behind them are committed, they are too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import structlog
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from streaming import warehouse
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.loader import tables
from streaming.loader.batch import Batch, Entry, Identity, TopicPartition
from streaming.loader.engines import APPENDED
from streaming.loader.rows import Row, refused, timestamp_text
from streaming.loader.sink import NETWORK_TIMEOUT_S, OffsetConflictError, Written
from streaming.loader.stored import StoredRows
from streaming.loader.tables import Mode, Table
from streaming.settings import Settings

COMMIT_TIMEOUT_S: Final = 60
"""A commit takes 5 to 10 s ("Snowpipe Streaming high-performance architecture", docs.snowflake.com)."""
CLOSE_TIMEOUT_S: Final = 10
ROWS_PER_APPEND: Final = 5_000
"""Some 2 MB; a request may carry 4 MB."""

log = structlog.get_logger(__name__)


class Status(Protocol):
    """What the service says of a channel; the SDK's ChannelStatus."""

    @property
    def latest_committed_offset_token(self) -> str | None: ...
    @property
    def rows_error_count(self) -> int: ...
    @property
    def last_error_message(self) -> str | None: ...
    @property
    def last_error_offset_token_upper_bound(self) -> str | None: ...


class Channel(Protocol):
    """The part of the SDK's StreamingIngestChannel that is used."""

    def append_rows(
        self,
        rows: list[dict[str, Any]],
        start_offset_token: str | None = None,
        end_offset_token: str | None = None,
    ) -> None: ...
    def wait_for_commit(
        self, token_checker: Callable[[str], bool], timeout_seconds: int | None = None
    ) -> None: ...
    def get_channel_status(self) -> Status: ...


class Client(Protocol):
    """The part of the SDK's StreamingIngestClient that is used; one serves one table."""

    def open_channel(self, channel_name: str, offset_token: str | None = None) -> tuple[Channel, Status]: ...
    def close(self, wait_for_flush: bool = True, timeout_seconds: int | None = None) -> None: ...


class Sdk(Protocol):
    """Where clients come from, and how their errors are told apart."""

    def client(self, settings: Settings, table: Table) -> Client:
        """A client of the table's default pipe."""
        ...

    def is_failure(self, error: Exception) -> bool:
        """Whether the SDK raised this."""
        ...

    def is_taken_over(self, error: Exception) -> bool:
        """Whether it says that someone else opened the channel."""
        ...


class SnowpipeSink:
    """The sink for topics whose rows are only appended.

    Args:
        settings: where the account is.
        places: the partitions there are now.
        sdk: the SDK.
        connect: opens a connection for the questions that only SQL answers.
    """

    def __init__(
        self,
        settings: Settings,
        places: Callable[[], Iterable[TopicPartition]],
        sdk: Sdk,
        connect: Callable[[Settings], SnowflakeConnection] | None = None,
    ) -> None:
        self._settings = settings
        self._places = places
        self._sdk = sdk
        self._connect = connect or _connect
        self._connection: SnowflakeConnection | None = None
        self._stored = StoredRows(self._query)
        self._clients: dict[Table, Client] = {}
        self._channels: dict[tuple[Table, TopicPartition], Channel] = {}
        self._tokens: dict[tuple[Table, TopicPartition], int] = {}
        self._errors: dict[tuple[Table, TopicPartition], int] = {}

    def open(self) -> dict[TopicPartition, int]:
        self.close()
        with self._told():
            self._connection = self._connect(self._settings)
            places = list(self._places())
            used = {APPENDED[topic] for topic, _ in places}
            self._stored.refresh(used)
            for place in places:
                for table in dict.fromkeys((APPENDED[place[0]], tables.DEAD_LETTERS)):
                    self._open_channel(table, place)
        return {
            place: self._tokens[APPENDED[place[0]], place] + 1
            for place in places
            if (APPENDED[place[0]], place) in self._tokens
        }

    def register(self, offsets: Mapping[TopicPartition, int]) -> None:
        with self._told():
            for place, first in offsets.items():
                if first > 0:
                    self._open_channel(APPENDED[place[0]], place, str(first - 1))

    def write(self, batch: Batch) -> Written:
        now = timestamp_text(time.time_ns())
        rows: dict[str, int] = {}
        duplicates: dict[str, int] = {}
        dropped: dict[str, int] = {}
        with self._told():
            # Letters first: a partition's own token must not pass what is not stored yet.
            for table in sorted(batch.entries, key=lambda one: one is not tables.DEAD_LETTERS):
                entries = batch.entries[table]
                if table.mode is Mode.APPEND:
                    known = self._stored.known(table, entries)
                    duplicates[table.name] = len(known)
                    entries = {one: entry for one, entry in entries.items() if one not in known}
                sent: dict[TopicPartition, list[Entry]] = {}
                for place, group in _by_place(entries).items():
                    if fresh := self._append(table, place, group, batch.reached[place] - 1, now):
                        sent[place] = fresh
                rows[table.name] = sum(map(len, sent.values()))
                for place, fresh in sent.items():
                    self._await_commit(table, place, batch.reached[place] - 1)
                    lost = self._rescue(table, place, fresh, batch.reached[place] - 1, now)
                    if lost:
                        dropped[table.name] = dropped.get(table.name, 0) + lost
                        rows[table.name] -= lost
                if table.mode is Mode.APPEND:
                    self._stored.add(table, batch.entries[table])
        return Written({name: n for name, n in rows.items() if n}, duplicates, time.time_ns(), dropped)

    def refusal(self, table: Table, rows: list[Row]) -> str | None:
        """None: `write` itself takes care of rows that the service leaves out."""
        return None

    def close(self) -> None:
        for client in self._clients.values():
            try:
                client.close(wait_for_flush=False, timeout_seconds=CLOSE_TIMEOUT_S)
            except Exception as error:
                if not self._failed(error):
                    raise
                log.warning("a client did not close", reason=str(error))
        self._clients, self._channels, self._tokens, self._errors = {}, {}, {}, {}
        if self._connection is not None:
            self._connection.close(retry=False)
            self._connection = None

    def _open_channel(self, table: Table, place: TopicPartition, token: str | None = None) -> None:
        if table not in self._clients:
            self._clients[table] = self._sdk.client(self._settings, table)
        channel, status = self._clients[table].open_channel(channel_name(place), token)
        self._channels[table, place] = channel
        self._errors[table, place] = status.rows_error_count
        committed = token or status.latest_committed_offset_token
        if committed is not None:
            self._tokens[table, place] = int(committed)

    def _append(
        self, table: Table, place: TopicPartition, group: list[Entry], end: int, now: str
    ) -> list[Entry]:
        """Send what the channel has not had, as all there is up to the offset `end`; return it."""
        channel, last = self._channels[table, place], self._tokens.get((table, place), -1)
        fresh = [entry for entry in group if entry.message.offset > last]
        for start in range(0, len(fresh), ROWS_PER_APPEND):
            part = fresh[start : start + ROWS_PER_APPEND]
            is_last = start + ROWS_PER_APPEND >= len(fresh)
            channel.append_rows(
                [dict(zip(table.column_names, [*entry.row, now], strict=True)) for entry in part],
                str(part[0].message.offset),
                str(end if is_last else part[-1].message.offset),
            )
        return fresh

    def _await_commit(self, table: Table, place: TopicPartition, end: int) -> None:
        self._channels[table, place].wait_for_commit(
            lambda token: token is not None and int(token) >= end, COMMIT_TIMEOUT_S
        )
        self._tokens[table, place] = end

    def _rescue(self, table: Table, place: TopicPartition, group: list[Entry], end: int, now: str) -> int:
        """Put the rows that the service left out into the dead letters; return how many."""
        status = self._channels[table, place].get_channel_status()
        if status.rows_error_count <= self._errors[table, place]:
            return 0
        count = status.rows_error_count - self._errors[table, place]
        self._errors[table, place] = status.rows_error_count
        log.error(
            "snowpipe streaming left rows out",
            table=table.name,
            channel=channel_name(place),
            rows=count,
            reason=status.last_error_message,
            before_offset=status.last_error_offset_token_upper_bound,
        )
        if table.mode is not Mode.APPEND:
            return count
        entries = {table.identity_of(entry.row): entry for entry in group}
        present = self._stored.present(table, entries)
        reason = f"{table.name} left the row out: {status.last_error_message}"
        letters = [
            Entry(refused(entry.message, reason).row, entry.message, None)
            for identity, entry in entries.items()
            if identity not in present
        ]
        if letters:
            self._tokens.pop((tables.DEAD_LETTERS, place), None)
            self._append(tables.DEAD_LETTERS, place, letters, end, now)
            self._await_commit(tables.DEAD_LETTERS, place, end)
        return len(letters)

    def _query(self, statement: str, binds: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        return [tuple(row) for row in self._connection.cursor().execute(statement, binds or None).fetchall()]

    def _failed(self, error: Exception) -> bool:
        return isinstance(error, Error | OSError) or self._sdk.is_failure(error)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of SDK and connector as the service of the loader knows them."""
        try:
            yield
        except PlatformError:
            self.close()
            raise
        except Exception as error:
            if not self._failed(error):
                raise
            self.close()
            if self._sdk.is_taken_over(error):
                raise OffsetConflictError(
                    f"Another loader opened a channel of this one ({error}).",
                    "Run one loader for each database.",
                ) from error
            raise ServiceUnavailableError(
                f"{warehouse.place(self._settings)} does not take rows by Snowpipe Streaming ({error}).",
                "Check SNOWFLAKE_ACCOUNT, the user's key and its grants.",
            ) from error


def channel_name(place: TopicPartition) -> str:
    """The channel of a partition; the same after a restart, so that its token is found again."""
    topic, partition = place
    return f"{topic}-{partition}"


def _by_place(entries: Mapping[Identity, Entry]) -> dict[TopicPartition, list[Entry]]:
    groups: dict[TopicPartition, list[Entry]] = {}
    for entry in sorted(entries.values(), key=lambda one: one.message.offset):
        groups.setdefault((entry.message.topic, entry.message.partition), []).append(entry)
    return groups


def _connect(settings: Settings) -> SnowflakeConnection:
    return warehouse.open_connection(
        settings, paramstyle="qmark", schema="RAW", network_timeout_s=NETWORK_TIMEOUT_S
    )
