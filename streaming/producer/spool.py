"""Records that wait on disk for Kafka: a first-in-first-out queue in segment files, bounded in bytes.

What belongs here: the files, their format, and what of them survives a crash. What does not: when records
go to disk and come back (`detour`), and what they mean (`recovery`).

A segment is a file of entries, and an entry is, in little endian:

    length of the body (u32) | CRC-32 of the body (u32) | body
    body: flags (u8) | partition (u32) | length of the topic (u8) | of the key (u16) | topic | key | value

Segments are written at their end and read from their head, and one is deleted when the last of its records
is *done*. The next process starts segments of its own and never writes to the ones it finds, so an entry
that was cut off by a crash, or is damaged, hides at most the rest of its own segment.

An entry is with the operating system when `append` returns: it survives the death of the process, not the
loss of power.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from streaming.errors import PlatformError

log = structlog.get_logger(__name__)

SEGMENTS: Final = 64
"""A full spool has about this many: few open files, and space that comes back in small steps."""
SEGMENT_BYTES_MIN: Final = 65_536
READ_BYTES: Final = 262_144
_HEAD: Final = struct.Struct("<II")
_BODY: Final = struct.Struct("<BIBH")
_BARRIER: Final = 1
_NAMES: Final = f"{'[0-9]' * 12}.segment"
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_Buffer = bytes | mmap.mmap


class SpoolError(PlatformError):
    """The spool's folder or files cannot be used."""


class SpoolInUseError(SpoolError):
    """Another producer of the same exchange and data folder runs."""

    exit_code = 2


class SpooledRecord(NamedTuple):
    """A message for Kafka. A `barrier` must be in Kafka before anything after it is sent."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    barrier: bool = False


class Segment:
    """One file of this process: `size` bytes are written, `position` are read, `waiting` records not done."""

    __slots__ = ("descriptor", "path", "position", "size", "waiting")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self.size = 0
        self.position = 0
        self.waiting = 0


class Spool:
    """Not thread-safe.

    Args:
        folder: created when missing; one process at a time.
        limit_bytes: most bytes on disk, those that an earlier process left included.

    Raises:
        SpoolInUseError: another process has the folder.
        SpoolError: the folder cannot be written.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(limit_bytes // SEGMENTS, SEGMENT_BYTES_MIN)
        self._segments: list[Segment] = []
        self._tail: Segment | None = None
        self._closed = False
        self.unread = 0
        """Records of this process that `read` has not returned yet."""
        self._lock = _locked(folder)
        try:
            self._left = sorted(folder.glob(_NAMES))
            self.bytes = sum(path.stat().st_size for path in self._left)
        except OSError as error:
            self._lock.close()
            raise _unusable(folder, error) from error
        self._next_number = 1 + max((int(path.stem) for path in self._left), default=0)

    @property
    def has_leftovers(self) -> bool:
        """An earlier process left something."""
        return bool(self._left)

    def leftovers(self) -> Iterator[SpooledRecord]:
        """What an earlier process left, oldest first; what cannot be read is reported and skipped."""
        for path in self._left:
            if path.stat().st_size == 0:
                continue
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                at = 0
                while (entry := _entry(data, at)) is not None:
                    record, at = entry
                    yield record
                if at < len(data):
                    log.warning("spool has a torn end", file=str(path), at=at, bytes_lost=len(data) - at)

    def forget_leftovers(self) -> None:
        """Delete what an earlier process left."""
        for path in self._left:
            self.bytes -= path.stat().st_size
            path.unlink()
        self._left = []

    def append(self, record: SpooledRecord) -> bool:
        """Write a record; return False when the bound or the disk leaves no room, or after `close`."""
        entry = _encoded(record)
        if self._closed or self.bytes + len(entry) > self._limit_bytes:
            return False
        try:
            segment = self._tail
            if segment is None or segment.size >= self._segment_bytes:
                segment = self._begin_segment()
            _write(segment.descriptor, entry, segment.size)
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise _unusable(self._folder, error) from error
            return False
        segment.size += len(entry)
        segment.waiting += 1
        self.bytes += len(entry)
        self.unread += 1
        return True

    def read(self) -> list[tuple[Segment, SpooledRecord]]:
        """The next records, up to the first barrier; each is to be reported by `done` later.

        Raises:
            SpoolError: the file does not hold what was written.
        """
        found: list[tuple[Segment, SpooledRecord]] = []
        segment = next((s for s in self._segments if s.position < s.size), None)
        if segment is None:
            return found
        most = segment.size - segment.position
        data = os.pread(segment.descriptor, min(READ_BYTES, most), segment.position)
        if _length(data) > len(data):
            data = os.pread(segment.descriptor, min(_length(data), most), segment.position)
        at = 0
        while (entry := _entry(data, at)) is not None:
            record, at = entry
            found.append((segment, record))
            if record.barrier:
                break
        if not found:
            raise SpoolError(
                f"{segment.path} does not hold at byte {segment.position} what was written.",
                "The disk is damaged, or somebody else wrote to the file.",
            )
        segment.position += at
        self.unread -= len(found)
        return found

    def done(self, segment: Segment) -> None:
        """One more record of `segment` is in Kafka."""
        segment.waiting -= 1
        self._delete_if_done(segment)

    def seal(self) -> None:
        """Nothing is appended for now: the last segment can go as soon as it is done."""
        tail, self._tail = self._tail, None
        if tail is not None:
            self._delete_if_done(tail)

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        self._closed = True
        for segment in self._segments:
            os.close(segment.descriptor)
        self._lock.close()

    def _begin_segment(self) -> Segment:
        segment = Segment(self._folder / f"{self._next_number:012d}.segment")
        self._next_number += 1
        self._segments.append(segment)
        before, self._tail = self._tail, segment
        if before is not None:
            self._delete_if_done(before)
        return segment

    def _delete_if_done(self, segment: Segment) -> None:
        if segment.waiting or segment is self._tail or self._closed:
            return
        segment.path.unlink()
        os.close(segment.descriptor)
        self._segments.remove(segment)
        self.bytes -= segment.size


def _encoded(record: SpooledRecord) -> bytes:
    topic = record.topic.encode()
    flags = _BARRIER if record.barrier else 0
    body = b"".join(
        (_BODY.pack(flags, record.partition, len(topic), len(record.key)), topic, record.key, record.value)
    )
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _length(data: _Buffer) -> int:
    """Bytes of the entry at the beginning of `data`."""
    length: int = _HEAD.unpack_from(data)[0]
    return _HEAD.size + length


def _entry(data: _Buffer, at: int) -> tuple[SpooledRecord, int] | None:
    """The record at `at` and where the next begins; None if there is no whole, undamaged entry."""
    begin = at + _HEAD.size
    if begin > len(data):
        return None
    length, checksum = _HEAD.unpack_from(data, at)
    body = data[begin : begin + length]
    if len(body) < length or length < _BODY.size or zlib.crc32(body) != checksum:
        return None
    flags, partition, topic_bytes, key_bytes = _BODY.unpack_from(body)
    key_at = _BODY.size + topic_bytes
    value_at = key_at + key_bytes
    topic = body[_BODY.size : key_at].decode()
    record = SpooledRecord(topic, partition, body[key_at:value_at], body[value_at:], bool(flags & _BARRIER))
    return record, begin + length


def _write(descriptor: int, data: bytes, at: int) -> None:
    """Write all of `data`. What a failure leaves behind is overwritten later, or is a torn end."""
    while data:
        written = os.pwrite(descriptor, data, at)
        data = data[written:]
        at += written


def _locked(folder: Path) -> _Lock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _Lock(folder / "lock")
    except BlockingIOError:
        raise SpoolInUseError(
            f"Another producer has the spool {folder}.",
            "Run one producer for an exchange and CRYPTO_HOME, or set CRYPTO_PRODUCER_SPOOL_MIB=0.",
        ) from None
    except OSError as error:
        raise _unusable(folder, error) from error


class _Lock:
    """An exclusive lock on a file; it ends with the process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()


def _unusable(folder: Path, error: OSError) -> SpoolError:
    return SpoolError(
        f"The spool {folder} cannot be used ({error.strerror}).",
        "Make the folder writable, choose another CRYPTO_HOME, or set CRYPTO_PRODUCER_SPOOL_MIB=0.",
    )
