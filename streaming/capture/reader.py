"""Reads a recording, or what a killed process left of it.

What belongs here: finding the files, decompression, the check of their order. What does not: what the lines
lead to (`replay`).

The last file may end in the middle of a frame: what is whole before it is read, and `torn` says what is lost.
Anything else that is not as written is an error, because a replay that leaves something out in silence would
be believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from streaming.capture.errors import RecordingError
from streaming.capture.lines import SCHEMA_VERSION, SUFFIX, End, Header, Line, decode

_READ_BYTES: Final = 1024 * 1024
_REMEDY: Final = "Name a folder made by `crypto-platform record`, or a file of it."


class RecordingReader:
    """The lines of a recording, in order.

    Args:
        path: the folder, or a file of it.

    Raises:
        RecordingError: nothing is there, it is no recording, or its schema is newer than this program.
        Iterating
            raises it for a damaged file and for a missing one in the middle.
    """

    def __init__(self, path: Path) -> None:
        self.files = _files(path)
        self.torn: str | None = None
        self.complete = False
        """After iterating: the recording ended in an orderly way."""
        self.header = self._first_header()

    def __iter__(self) -> Iterator[Line]:
        """Every line but the headers."""
        self.torn, self.complete = None, False
        for position, path in enumerate(self.files):
            is_last = position == len(self.files) - 1
            lines = self._lines(path, may_be_torn=is_last)
            first = next(lines, None)
            if first is None and is_last and position:
                return  # killed between making the file and its first frame
            header = self._header(path, first)
            expected = self.header.file + position
            same = msgspec.structs.replace(header, file=self.header.file) == self.header
            if not same or header.file != expected:
                raise RecordingError(
                    f"{path} is not file {expected} of the recording that begins in {self.files[0].name}.",
                    "A recording's files belong in one folder, all of them and nothing else.",
                )
            for line in lines:
                self.complete = isinstance(line, End)
                yield line

    def _first_header(self) -> Header:
        path = self.files[0]
        header = self._header(path, next(self._lines(path, may_be_torn=True), None))
        self.torn = None
        return header

    def _header(self, path: Path, line: Line | None) -> Header:
        if not isinstance(line, Header):
            raise RecordingError(f"{path} does not begin with a recording's header.", _REMEDY)
        if line.schema != SCHEMA_VERSION:
            raise RecordingError(
                f"{path} has the schema version {line.schema}; this program reads {SCHEMA_VERSION}.",
                "Replay it with the program that recorded it.",
            )
        return line

    def _lines(self, path: Path, *, may_be_torn: bool) -> Iterator[Line]:
        number = 0
        for frame in self._frames(path, may_be_torn=may_be_torn):
            for text in frame.splitlines():
                number += 1
                try:
                    yield decode(text)
                except msgspec.MsgspecError as error:
                    raise RecordingError(
                        f"{path} is no recording: line {number} is not one of its lines ({error}).", _REMEDY
                    ) from None

    def _frames(self, path: Path, *, may_be_torn: bool) -> Iterator[bytes]:
        """The content of each whole frame."""
        begin = 0
        try:
            with path.open("rb") as file:
                waiting = b""
                while True:
                    unpacker = zstandard.ZstdDecompressor().decompressobj()
                    parts: list[bytes] = []
                    taken = 0
                    while not unpacker.eof:
                        data = waiting or file.read(_READ_BYTES)
                        waiting = b""
                        if not data:
                            break
                        taken += len(data)
                        parts.append(unpacker.decompress(data))
                    if not unpacker.eof:
                        if taken and not may_be_torn:
                            raise RecordingError(
                                f"{path} is damaged: it ends in the middle of a frame.",
                                "Only a recording's last file may.",
                            )
                        if taken:
                            self.torn = f"{path.name} ends in a torn frame: its last {taken} bytes are lost"
                        return
                    waiting = unpacker.unused_data
                    begin += taken - len(waiting)
                    yield b"".join(parts)
        except OSError as error:
            raise RecordingError(f"{path} cannot be read: {error.strerror or error}.", _REMEDY) from error
        except zstandard.ZstdError as error:
            what = "is damaged" if begin else "is no recording"
            raise RecordingError(
                f"{path} {what}: byte {begin} begins no Zstandard frame.", _REMEDY
            ) from error


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(path.glob(f"*{SUFFIX}"))
        if not files:
            raise RecordingError(f"{path} holds no recording (no file *{SUFFIX}).", _REMEDY)
        return files
    if not path.exists():
        raise RecordingError(f"There is no {path}.", _REMEDY)
    return [path]
