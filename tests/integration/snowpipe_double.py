"""Snowpipe Streaming in this process: the SDK's classes over a server that keeps its rows in the emulator.

What belongs here: what the service and its SDK 1.9.1 do, as far as the loader depends on it. What does not:
assertions; that the signatures are the SDK's is tested in `tests/unit/loader/test_snowpipe.py`.

Kept from the real service: appends are asynchronous and committed in order; a committed token and the rows
before it are stored together; opening a channel again ends the older handle, whose pending rows are lost;
a row that does not fit is left out, counted, and passed by the token (ON_ERROR = CONTINUE); statuses and
errors are the SDK's own classes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from snowflake.connector.errors import ProgrammingError
from snowflake.ingest.streaming import ChannelStatus, StreamingIngestError, StreamingIngestErrorCode

from streaming import warehouse
from streaming.loader import tables
from streaming.loader.sink import DATA_ERRORS
from streaming.loader.snowpipe import Channel, Client
from streaming.loader.tables import Table
from streaming.settings import Settings

POLL_S = 0.005
DATABASE = "CRYPTO"


@dataclass
class _Appended:
    rows: list[dict[str, Any]]
    end: str | None


@dataclass
class _State:
    """A channel as the server knows it."""

    token: str | None = None
    owner: int = 0
    inserted: int = 0
    errors: int = 0
    last_error: str | None = None
    last_error_bound: str | None = None
    pending: list[_Appended] = field(default_factory=list)


@dataclass
class Server:
    """The service. `away` refuses every request; `stalled` takes rows and commits none."""

    settings: Settings
    away: bool = False
    stalled: bool = False
    channels: dict[tuple[str, str], _State] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    appends: int = 0
    dies_after_append: bool = False
    dies_after_commit: bool = False

    def request(self) -> None:
        if self.away:
            raise failure(StreamingIngestErrorCode.HTTP_RETRIES_EXHAUSTED_ERROR, "no answer")

    def commit(self, table: Table, state: _State) -> None:
        """Store one pending set of rows with its token."""
        if self.stalled or not state.pending:
            return
        first = state.pending.pop(0)
        with warehouse.connect(self.settings, paramstyle="qmark", autocommit=False) as connection:
            kept, reasons = _insert(connection, table, first.rows)
            connection.cursor().execute("COMMIT")
        state.inserted += kept
        state.token = first.end or state.token
        if reasons:
            state.errors += len(reasons)
            state.last_error, state.last_error_bound = reasons[-1], first.end

    def crash(self) -> None:
        """The loader's process is gone, and with it what it had not sent."""
        for state in self.channels.values():
            state.pending.clear()

    def rewind(self, table: Table, channel: str, token: str | None) -> None:
        """Set a token by hand, as an operator would by dropping and opening the channel."""
        self.channels[table.name, channel] = _State(token=token)


def _insert(connection: Any, table: Table, rows: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Rows stored, and why the others were not."""
    values = [[row[name] for name in table.column_names] for row in rows]
    try:
        connection.cursor().execute(table.insert, (msgspec.json.encode(values).decode(),))
    except ProgrammingError as error:
        connection.cursor().execute("ROLLBACK")
        if error.errno not in DATA_ERRORS:
            raise
        if len(rows) == 1:
            return 0, [str(error.msg)]
        middle = len(rows) // 2
        kept, reasons = _insert(connection, table, rows[:middle])
        connection.cursor().execute("COMMIT")
        more, others = _insert(connection, table, rows[middle:])
        return kept + more, reasons + others
    return len(rows), []


def failure(code: StreamingIngestErrorCode, message: str) -> StreamingIngestError:
    return StreamingIngestError(code, message, HTTPStatus.CONFLICT.value, HTTPStatus.CONFLICT.phrase)


class DoubleChannel:
    """Stands for the SDK's StreamingIngestChannel."""

    def __init__(self, server: Server, table: Table, name: str, owner: int) -> None:
        self._server, self._table, self._name, self._owner = server, table, name, owner
        self._closed = False

    def append_row(self, row: dict[str, Any], offset_token: str | None = None) -> None:
        self.append_rows([row], offset_token, offset_token)

    def append_rows(
        self,
        rows: list[dict[str, Any]],
        start_offset_token: str | None = None,
        end_offset_token: str | None = None,
    ) -> None:
        try:
            copies = msgspec.json.decode(msgspec.json.encode(rows))
        except TypeError as error:
            raise ValueError(f"Failed to serialize rows to JSON: {error}") from error
        with self._server.lock:
            self._server.request()
            state = self._mine()
            state.pending.append(_Appended(copies, end_offset_token))
            self._server.appends += 1
            if self._server.dies_after_append:
                self._server.dies_after_append = False
                self._server.crash()
                raise failure(StreamingIngestErrorCode.HTTP_RETRIES_EXHAUSTED_ERROR, "cut off")

    def wait_for_commit(
        self, token_checker: Callable[[str], bool], timeout_seconds: int | None = None
    ) -> None:
        if timeout_seconds is not None and timeout_seconds < 0:
            raise ValueError("timeout_seconds cannot be negative")
        started_s = time.monotonic()
        while timeout_seconds is None or time.monotonic() - started_s < timeout_seconds:
            token: Any = self.get_channel_status().latest_committed_offset_token
            if token_checker(token):
                return
            time.sleep(POLL_S)
        raise TimeoutError("Wait for commit timed out")

    def wait_for_flush(self, timeout_seconds: int | None = None) -> None:
        self._server.request()

    def initiate_flush(self) -> None:
        self._server.request()

    def get_channel_status(self) -> ChannelStatus:
        with self._server.lock:
            self._server.request()
            state = self._mine()
            status = _status(self._table, self._name, state)
            # The answer is older than what happens next, as from a service far away.
            self._server.commit(self._table, state)
            if self._server.dies_after_commit and not state.pending:
                self._server.dies_after_commit = False
                raise failure(StreamingIngestErrorCode.HTTP_RETRIES_EXHAUSTED_ERROR, "the answer was lost")
            return status

    def get_latest_committed_offset_token(self) -> str | None:
        return self.get_channel_status().latest_committed_offset_token

    def close(
        self, drop: bool = False, wait_for_flush: bool = True, timeout_seconds: int | None = None
    ) -> None:
        self._closed = True

    def is_closed(self) -> bool:
        return self._closed

    def _mine(self) -> _State:
        if self._closed:
            raise failure(StreamingIngestErrorCode.CLOSED_CHANNEL_ERROR, f"{self._name} is closed")
        state = self._server.channels[self._table.name, self._name]
        if state.owner != self._owner:
            raise failure(StreamingIngestErrorCode.INVALID_CHANNEL_ERROR, f"{self._name} was opened again")
        return state


class DoubleClient:
    """Stands for the SDK's StreamingIngestClient of one table."""

    def __init__(self, server: Server, table: Table) -> None:
        self._server, self._table, self._closed = server, table, False
        self._channels: list[DoubleChannel] = []

    def open_channel(
        self, channel_name: str, offset_token: str | None = None
    ) -> tuple[DoubleChannel, ChannelStatus]:
        if self._closed:
            raise failure(StreamingIngestErrorCode.CLOSED_CLIENT_ERROR, "closed")
        with self._server.lock:
            self._server.request()
            state = self._server.channels.setdefault((self._table.name, channel_name), _State())
            state.pending.clear()
            state.owner += 1
            state.token = offset_token or state.token
            channel = DoubleChannel(self._server, self._table, channel_name, state.owner)
            self._channels.append(channel)
            return channel, _status(self._table, channel_name, state)

    def get_channel_statuses(self, channel_names: list[str]) -> Mapping[str, ChannelStatus]:
        self._server.request()
        return {
            name: _status(self._table, name, self._server.channels[self._table.name, name])
            for name in channel_names
        }

    def get_latest_committed_offset_tokens(self, channel_names: list[str]) -> dict[str, str | None]:
        statuses = self.get_channel_statuses(channel_names)
        return {name: status.latest_committed_offset_token for name, status in statuses.items()}

    def drop_channel(self, channel_name: str) -> None:
        self._server.request()
        del self._server.channels[self._table.name, channel_name]

    def initiate_flush(self) -> None:
        self._server.request()

    def wait_for_flush(self, timeout_seconds: int | None = None) -> None:
        self._server.request()

    def close(self, wait_for_flush: bool = True, timeout_seconds: int | None = None) -> None:
        if not wait_for_flush:
            for channel in self._channels:
                state = self._server.channels[self._table.name, channel._name]
                if state.owner == channel._owner:
                    state.pending.clear()
        self._closed = True

    def is_closed(self) -> bool:
        return self._closed


@dataclass
class DoubleSdk:
    """What the sink asks for clients; its errors are the SDK's."""

    server: Server

    def client(self, settings: Settings, table: Table) -> Client:
        assert table in tables.ALL
        return DoubleClient(self.server, table)  # type: ignore[return-value]

    def is_failure(self, error: Exception) -> bool:
        return isinstance(error, StreamingIngestError | TimeoutError)

    def is_taken_over(self, error: Exception) -> bool:
        return isinstance(error, StreamingIngestError) and error.error_code in (
            StreamingIngestErrorCode.INVALID_CHANNEL_ERROR,
            StreamingIngestErrorCode.CLOSED_CHANNEL_ERROR,
        )


def _status(table: Table, name: str, state: _State) -> ChannelStatus:
    now_ms = int(time.time() * 1000)
    schema, _, bare = table.name.partition(".")
    return ChannelStatus(
        database_name=DATABASE,
        schema_name=schema,
        pipe_name=f"{bare}-STREAMING",
        channel_name=name,
        status_code="SUCCESS",
        latest_committed_offset_token=state.token,
        created_on_ms=now_ms,
        rows_inserted=state.inserted,
        rows_parsed=state.inserted + state.errors,
        rows_error_count=state.errors,
        last_error_offset_upper_bound=state.last_error_bound,
        last_error_message=state.last_error,
        last_error_timestamp_ms=None,
        snowflake_avg_processing_latency_ms=None,
        last_refreshed_on_ms=now_ms,
    )


_: type[Channel] = DoubleChannel
