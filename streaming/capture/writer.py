"""Writes a recording: numbered files of Zstandard frames, rotated by size, readable after any death.

What belongs here: buffering, compression, rotation. What does not: what a line says (`lines`) and where lines
come from (`recorder`).

Lines gather in memory and go out as one whole frame when half a second has passed or a mebibyte has gathered,
so a process that is killed loses less than a second. One frame a second costs little: the text is repetitive,
and a frame of a busy half second compresses nearly as well as the whole.
"""

from __future__ import annotations

import os
import threading
import time
from io import BufferedWriter
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from streaming.capture.errors import RecordingError
from streaming.capture.lines import SUFFIX, End, Header, Line, encode

FLUSH_S: Final = 0.5
FLUSH_BYTES: Final = 1024 * 1024
FILE_BYTES: Final = 64 * 1024 * 1024
LEVEL: Final = 3


class RecordingWriter:
    """Thread-safe. Call `flush_due` at least twice a second, and `close` at the end.

    Args:
        folder: is made; must not hold a recording yet.
        header: of the first file; further files repeat it with their own number.
        file_bytes: a file that has grown to this is closed and the next one begun.

    Raises:
        RecordingError: the folder cannot be written, is full, or holds a recording; each method may raise it.
    """

    def __init__(self, folder: Path, header: Header, *, file_bytes: int = FILE_BYTES) -> None:
        self.folder = folder
        self.lines = 0
        self.files = 0
        self._header = header
        self._file_bytes = file_bytes
        self._lock = threading.Lock()
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._pending = bytearray()
        self._oldest_s = 0.0
        self._closed_bytes = 0
        self._file_size = 0
        self._file: BufferedWriter | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.glob(f"*{SUFFIX}")):
                raise RecordingError(f"{folder} already holds a recording.", "Name another --output.")
            self._next_file()
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def bytes_written(self) -> int:
        """Compressed bytes of all files."""
        return self._closed_bytes + self._file_size

    def write(self, *lines: Line) -> None:
        """Append lines, in one piece."""
        data = b"".join(map(encode, lines))
        with self._lock:
            if self._file is None:
                return
            if not self._pending:
                self._oldest_s = time.monotonic()
            self._pending += data
            self.lines += len(lines)
            if len(self._pending) >= FLUSH_BYTES:
                self._flush()

    def flush_due(self) -> None:
        """Write out what has waited for half a second."""
        with self._lock:
            if self._pending and time.monotonic() - self._oldest_s >= FLUSH_S:
                self._flush()

    def close(self) -> None:
        """Write the `end` line and everything that waits. What comes after is dropped."""
        with self._lock:
            if self._file is None:
                return
            self._pending += encode(End(wall_ns=time.time_ns(), monotonic_ns=time.monotonic_ns()))
            self._flush(rotate=False)
            self._close_file()

    def _flush(self, *, rotate: bool = True) -> None:
        assert self._file is not None
        frame = self._compressor.compress(bytes(self._pending))
        self._pending.clear()
        try:
            self._file.write(frame)
            self._file.flush()
            self._file_size += len(frame)
            if rotate and self._file_size >= self._file_bytes:
                self._close_file()
                self._next_file()
        except OSError as error:
            raise self._unwritable(error) from error

    def _next_file(self) -> None:
        self.files += 1
        header = msgspec.structs.replace(self._header, file=self.files)
        frame = self._compressor.compress(encode(header))
        self._file = (self.folder / f"{self.files:05}{SUFFIX}").open("xb")
        self._file.write(frame)
        self._file.flush()
        self._file_size = len(frame)

    def _close_file(self) -> None:
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            self._file = None
            self._closed_bytes += self._file_size
            self._file_size = 0

    def _unwritable(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"The recording cannot be written to {self.folder}: {error.strerror or error}.",
            "Name another folder with --output or free some space.",
        )
