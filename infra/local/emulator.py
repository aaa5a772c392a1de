"""The embedded Snowflake: fakesnow's HTTP server over a DuckDB file, for a machine without an account.

What belongs here: the server process, where it keeps its files, and its sessions. What does not: how a
statement is run (`infra.local.emulator_cursor`), how clients connect (`streaming.warehouse`), the tables
(`snowflake_sql`).

Run it with `python -m infra.local.emulator`. Committed rows survive a kill. A session that was left with an
open transaction is closed after `ABANDONED_AFTER_S`, which rolls it back, as Snowflake does after five
minutes when the transaction blocks another one ("Transactions", docs.snowflake.com).
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.conn
import fakesnow.server
import structlog
import uvicorn
from fakesnow import info_schema
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow
from fakesnow.transforms import show, stage
from sqlglot import exp

from infra.local.emulator_cursor import EmulatorCursor, parse_kept
from streaming import logs, settings
from streaming.errors import PlatformError, SettingsError
from streaming.settings import Settings

ABANDONED_AFTER_S = 5.0
IDLE_SESSION_S = 3600.0
MEMORY_LIMIT = "2GB"
THREADS = 2
GLOBALS_FILE = "globals.duckdb"
"""What belongs to no database; its name keeps it from being taken for one."""

QUIET = {
    "uvicorn.error": logging.WARNING,
    "fakesnow.server": logging.WARNING,
    "sqlglot": logging.ERROR,  # it warns of every column comment, which fakesnow keeps by other means
}

log = structlog.get_logger(__name__)

Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Any, Send], Awaitable[None]]


@dataclass(slots=True)
class Sessions:
    """When each session was last used and whether it is in use now; closes those that were left."""

    seen_s: dict[str, float] = field(default_factory=dict)
    busy: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def watching(self, app: Application) -> Application:
        """`app`, with each request's session noted."""

        async def watched(scope: Any, receive: Any, send: Send) -> None:
            token = _token(scope)
            if token is None:
                return await app(scope, receive, send)
            with self.lock:
                self.busy[token] += 1
            try:
                await app(scope, receive, send)
            finally:
                with self.lock:
                    self.busy[token] -= 1
                    self.seen_s[token] = time.monotonic()

        return watched

    def close_left(self, now_s: float) -> list[str]:
        """Close the sessions nobody will use again; return why, one entry a session."""
        closed: list[str] = []
        with self.lock:
            for token in [token for token in self.seen_s if token not in fakesnow.server.sessions]:
                del self.seen_s[token]
                self.busy.pop(token, None)
            for token, seen_s in list(self.seen_s.items()):
                connection = fakesnow.server.sessions[token]
                idle_s = now_s - seen_s
                in_transaction = isinstance(connection, _Connection) and connection.in_transaction
                if self.busy[token] or idle_s < (ABANDONED_AFTER_S if in_transaction else IDLE_SESSION_S):
                    continue
                del fakesnow.server.sessions[token]
                connection.close()
                closed.append("transaction rolled back" if in_transaction else "unused")
        return closed


class _Connection(fakesnow.conn.FakeSnowflakeConnection):  # type: ignore[misc]
    """A session that knows whether its transaction is open, however it was begun, and that starts in the
    schema PUBLIC, which every database of Snowflake has; fakesnow's MERGE needs a current schema."""

    in_transaction = False

    def __init__(
        self, duck_conn: Any, cache: Any, database: str | None, schema: str | None, **options: Any
    ) -> None:
        super().__init__(duck_conn, cache, database, schema or (database and "PUBLIC"), **options)

    def cursor(self, *_: Any, **__: Any) -> EmulatorCursor:
        return _SessionCursor(conn=self, duck_conn=self._duck_conn)


class _SessionCursor(EmulatorCursor):
    def _execute(self, transformed: exp.Expression, params: Any = None) -> None:
        super()._execute(transformed, params)
        if isinstance(transformed, exp.Transaction):
            self._conn.in_transaction = True
        elif isinstance(transformed, exp.Commit | exp.Rollback):
            self._conn.in_transaction = False
        elif not self._conn._autocommit:
            self._conn.in_transaction = self._conn._in_transaction


def _token(scope: Any) -> str | None:
    """The session token of a request: `Authorization: Snowflake Token="…"`."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization":
            text: str = value.decode("latin-1")
            return text[17:-1]
    return None


def folder(settings: Settings) -> Path:
    """Where the emulator keeps its databases."""
    return settings.home.resolve() / "emulator"


def application(settings: Settings) -> tuple[Application, Sessions]:
    """The server's application over the files of `settings.home`, with every kept database attached."""
    home = folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)
    fakesnow.instance.fakes.FakeSnowflakeConnection = _Connection
    fakesnow.server.parse_one = parse_kept
    _keep_stages_in(home / "stages")
    shared = _KeptFakeSnow(db_path=home)
    shared.duck_conn.execute(f"SET GLOBAL memory_limit = '{MEMORY_LIMIT}'")
    shared.duck_conn.execute(f"SET GLOBAL threads = {THREADS}")
    shared.duck_conn.execute("SET GLOBAL temp_directory = ?", [str(home / "spill")])
    fakesnow.server.shared_fs = shared
    for database in sorted(home.glob("*.db")):
        shared.connect(database.stem).close()
    sessions = Sessions()
    return sessions.watching(fakesnow.server.app), sessions


class _KeptFakeSnow(FakeSnow):  # type: ignore[misc]
    """Keeps in a file what fakesnow has in memory alone: the stages, and the lengths and comments of columns.

    Without them the tables would survive a restart and the stage of large batches would not.
    """

    def __init__(self, db_path: Path) -> None:
        super().__init__(db_path=db_path)
        self.duck_conn.execute(f"DETACH {GLOBAL_DATABASE_NAME}")
        file = str(db_path / GLOBALS_FILE).replace("'", "''")
        self.duck_conn.execute(f"ATTACH '{file}' AS {GLOBAL_DATABASE_NAME}")
        views = self.duck_conn.execute(
            "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = ? AND NOT internal",
            [GLOBAL_DATABASE_NAME],
        )
        for schema, view in views.fetchall():  # another version of fakesnow may have others
            self.duck_conn.execute(f"DROP VIEW {GLOBAL_DATABASE_NAME}.{schema}.{view}")
        self.duck_conn.execute(info_schema.fs_global_creation_sql())
        self.duck_conn.execute(show.fs_global_creation_sql())


def _keep_stages_in(place: Path) -> None:
    """Staged files live beside the databases instead of a temporary folder that a kill would leave."""
    made_at_import = Path(stage.LOCAL_BUCKET_PATH)
    if made_at_import != place and not any(made_at_import.iterdir()):
        made_at_import.rmdir()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    stage.LOCAL_BUCKET_PATH = str(place)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then checkpoint the databases and return.

    Raises:
        SettingsError: the folder is in use by another emulator.
    """
    try:
        app, sessions = application(settings)
    except duckdb.IOException as error:
        raise SettingsError(
            f"The emulator's files in {folder(settings)} cannot be opened: {error}.",
            "Stop the other emulator, or set CRYPTO_HOME to another folder.",
        ) from error
    config = uvicorn.Config(
        app,
        host=settings.listen,
        port=settings.ports.emulator,
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    for chatty, least in QUIET.items():
        logging.getLogger(chatty).setLevel(least)
    # uvicorn raises the signal that stopped it once more when it is done; it then has nothing left to do.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    stopped = threading.Event()

    def sweep() -> None:
        while not stopped.wait(1.0):
            for reason in sessions.close_left(time.monotonic()):
                log.warning("abandoned session closed", reason=reason)

    sweeper = threading.Thread(target=sweep, name="session-sweeper", daemon=True)
    sweeper.start()
    log.info("emulator starting", port=settings.ports.emulator, folder=str(folder(settings)))
    try:
        uvicorn.Server(config).run()
    finally:
        stopped.set()
        sweeper.join(timeout=5)
        fakesnow.server.shared_fs.duck_conn.close()
        log.info("emulator stopped")


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        configured = settings.load()
        logs.configure(configured, "emulator")
        run(configured)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
