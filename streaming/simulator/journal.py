"""The tape on disk, so that an exchange that is killed and started again has not forgotten its trades.

What belongs here: one append-only file a pair of fixed-size records, reading it back, cutting it short. What
does not: what a trade means (`tape`).

A record is 33 little-endian bytes: id, time in ms, ticks, lots, flags. It is handed to the operating system
before the trade is pushed; a torn last record is cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from streaming.errors import PlatformError, SettingsError
from streaming.simulator.events import Fill

_RECORD = struct.Struct("<qqqqB")


class JournalError(PlatformError):
    """The tape on disk cannot be written."""


class Journal:
    """The files of one market.

    Args:
        folder: created if missing.
        limit: most records read back for a pair; a longer file is cut when it is read.

    Raises:
        SettingsError: the folder cannot be written.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._files: dict[str, BinaryIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"The simulated exchange cannot write {folder} ({error.strerror}).", "Correct CRYPTO_HOME."
            ) from error

    def load(self, pair: str) -> list[Fill]:
        """The newest consecutive fills on file, oldest first; opens the file for `append`."""
        path = self._folder / f"{pair}.tape"
        data = path.read_bytes() if path.exists() else b""
        whole = len(data) - len(data) % _RECORD.size
        keep = max(0, whole - self._limit * _RECORD.size)
        fills = [
            Fill(trade_id, time_ms, price, size, bool(flags & 1), bool(flags & 2))
            for trade_id, time_ms, price, size, flags in _RECORD.iter_unpack(data[keep:whole])
        ]
        if keep or whole != len(data):
            part = path.with_suffix(".part")
            part.write_bytes(data[keep:whole])
            part.replace(path)
        self._files[pair] = path.open("ab")
        return fills

    def append(self, pair: str, fills: Iterable[Fill]) -> None:
        """Add fills and hand them to the operating system.

        Raises:
            JournalError: the file cannot be written, for example because the disk is full.
        """
        file = self._files[pair]
        records = b"".join(
            _RECORD.pack(f.trade_id, f.time_ms, f.price, f.size, f.sell | f.continues << 1) for f in fills
        )
        try:
            file.write(records)
            file.flush()
        except OSError as error:
            raise JournalError(
                f"The simulated exchange cannot write {file.name} ({error.strerror}).",
                "Make room on the disk of CRYPTO_HOME.",
            ) from error

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
