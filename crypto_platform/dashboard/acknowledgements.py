"""Which findings somebody has seen: a small file that outlives the dashboard.

What belongs here: remembering. What does not: what a finding is (`crypto_platform.dashboard.views`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from streaming.errors import SettingsError

KEPT_DAYS: Final = 30
_SCHEMA = "CREATE TABLE IF NOT EXISTS acknowledged (id TEXT PRIMARY KEY, at_s REAL NOT NULL)"


class Acknowledgements:
    """The names of seen findings, in `folder`/acknowledged.sqlite, for 30 days.

    Raises:
        SettingsError: the file cannot be opened or written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "acknowledged.sqlite"
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as database, database:
                database.execute(_SCHEMA)
                database.execute(
                    "DELETE FROM acknowledged WHERE at_s < ?", (time.time() - KEPT_DAYS * 86_400,)
                )
                self._ids = {str(row[0]) for row in database.execute("SELECT id FROM acknowledged")}
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from error

    def ids(self) -> set[str]:
        """Every seen finding."""
        return self._ids

    def add(self, finding_id: str) -> None:
        """Remember one, for good before it returns.

        Raises:
            SettingsError: the file cannot be written.
        """
        with self._lock:
            try:
                with closing(self._open()) as database, database:
                    database.execute(
                        "INSERT OR IGNORE INTO acknowledged VALUES (?, ?)", (finding_id, time.time())
                    )
            except sqlite3.Error as error:
                raise self._failure(error) from error
            self._ids = self._ids | {finding_id}

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=5)

    def _failure(self, error: Exception) -> SettingsError:
        return SettingsError(
            f"Acknowledgements cannot be kept in {self._path} ({error}).",
            "Make CRYPTO_HOME writable.",
        )
