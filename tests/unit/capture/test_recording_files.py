"""Recordings as files: exact, readable up to the last whole frame, and clear words about what is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from streaming.capture.errors import RecordingError
from streaming.capture.lines import (
    SCHEMA_VERSION,
    End,
    Header,
    Line,
    Opened,
    Received,
    Sent,
    Ticked,
    encode,
    received,
)
from streaming.capture.reader import RecordingReader
from streaming.capture.writer import FLUSH_S, RecordingWriter
from streaming.exchanges.registry import venue

PAIRS = ("BTC-USDT", "ETH-USDT")
HEADER = Header(
    exchange="OKX",
    venue="OKX",
    simulated=False,
    pairs=PAIRS,
    plans=tuple(venue("OKX").connections(PAIRS)),
    file=1,
    wall_ns=1_800_000_000_000_000_000,
    monotonic_ns=5,
)
MESSAGES = (b'{"data":[]}', "é\n \x00".encode(), b"\xff\xfe no text", b"")


def place(number: int) -> dict[str, object]:
    return {"connection": "trades", "life": 1, "wall_ns": 10**18 + number, "monotonic_ns": number}


def some_lines() -> list[Line]:
    return [
        Opened(url="ws://127.0.0.1/", **place(1)),  # type: ignore[arg-type]
        Sent(text='{"op":"subscribe"}', **place(2)),  # type: ignore[arg-type]
        *(received("trades", 1, message, 10**18, 3) for message in MESSAGES),
        Ticked(**place(4)),  # type: ignore[arg-type]
    ]


def write_frames(folder: Path, frames: int) -> list[Line]:
    """A recording of a killed process: that many frames of one line each, and no end."""
    writer = RecordingWriter(folder, HEADER)
    lines: list[Line] = []
    for number in range(frames):
        line = received("trades", 1, b"message %d" % number, 10**18, number)
        writer.write(line)
        writer._flush()
        lines.append(line)
    return lines


def test_what_was_written_is_read_in_order_and_exactly(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", HEADER)
    writer.write(*some_lines())
    writer.close()

    reader = RecordingReader(tmp_path / "r")
    lines = list(reader)

    assert reader.header == HEADER
    assert lines[:-1] == some_lines()
    assert isinstance(lines[-1], End)
    assert [line.data for line in lines if isinstance(line, Received)] == list(MESSAGES)
    assert (reader.complete, reader.torn) == (True, None)


def test_a_line_is_on_disk_half_a_second_later(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", HEADER)
    writer.write(*some_lines())
    writer.flush_due()
    assert list(RecordingReader(tmp_path / "r")) == []

    end_s = time.monotonic() + FLUSH_S + 5
    while not list(RecordingReader(tmp_path / "r")):
        assert time.monotonic() < end_s
        writer.flush_due()

    assert list(RecordingReader(tmp_path / "r")) == some_lines()


def test_a_recording_cut_anywhere_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    lines = write_frames(tmp_path / "r", 4)
    file = tmp_path / "r" / "00001.jsonl.zst"
    whole = file.read_bytes()
    header_size = len(zstandard.ZstdCompressor(level=3, write_checksum=True).compress(encode(HEADER)))
    read: list[int] = []

    for size in range(header_size, len(whole) + 1):
        file.write_bytes(whole[:size])
        reader = RecordingReader(tmp_path / "r")
        found = list(reader)
        assert found == lines[: len(found)]
        assert not reader.complete
        at_a_seam = reader.torn is None
        read.append(len(found))
        assert at_a_seam == (size == header_size or read[-1] > read[-2])

    assert read == sorted(read)
    assert read[-1] == 4


def test_a_file_that_was_made_and_never_written_ends_the_recording(tmp_path: Path) -> None:
    lines = write_frames(tmp_path / "r", 2)
    (tmp_path / "r" / "00002.jsonl.zst").touch()

    assert list(RecordingReader(tmp_path / "r")) == lines


def test_a_damaged_byte_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    write_frames(tmp_path / "r", 4)
    file = tmp_path / "r" / "00001.jsonl.zst"
    data = bytearray(file.read_bytes())
    data[-60] ^= 0x40
    file.write_bytes(data)

    with pytest.raises(RecordingError, match="is damaged"):
        list(RecordingReader(tmp_path / "r"))


def test_only_the_last_file_may_end_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", HEADER, file_bytes=1)
    for _ in range(2):
        writer.write(*some_lines())
        writer._flush()
    writer.close()
    file = tmp_path / "r" / "00001.jsonl.zst"
    file.write_bytes(file.read_bytes()[:-3])

    with pytest.raises(RecordingError, match=r"00001.jsonl.zst is damaged"):
        list(RecordingReader(tmp_path / "r"))


def compressed(*parts: bytes) -> bytes:
    return b"".join(zstandard.ZstdCompressor().compress(part) for part in parts)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not begin with a recording's header"),
        (b"root:x:0:0", "is no recording"),
        (compressed(b"hello\n"), "line 1 is not one of its lines"),
        (compressed(b'{"kind":"other"}\n'), "line 1 is not one of its lines"),
        (compressed(encode(some_lines()[0])), "does not begin with a recording's header"),
        (
            compressed(encode(HEADER).replace(b'"schema":1', b'"schema":%d' % (SCHEMA_VERSION + 1))),
            "schema version 2",
        ),
    ],
)
def test_a_foreign_file_is_named_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "foreign.jsonl.zst"
    path.write_bytes(content)

    with pytest.raises(RecordingError) as caught:
        RecordingReader(path)

    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_path_without_a_recording_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "none"
    make(path)

    with pytest.raises(RecordingError, match=str(path)):
        RecordingReader(path)


def test_a_folder_with_a_recording_is_not_written_again(tmp_path: Path) -> None:
    RecordingWriter(tmp_path / "r", HEADER).close()

    with pytest.raises(RecordingError, match="already holds a recording"):
        RecordingWriter(tmp_path / "r", HEADER)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RecordingError, match=r"cannot be written to .*file/r: Not a directory.*--output"):
        RecordingWriter(tmp_path / "file" / "r", HEADER)
