"""The file format of a recording, schema version 1.

What belongs here: the lines and their JSON form. What does not: files, compression and rotation (`writer`,
`reader`).

A recording is a folder with `00001.jsonl.zst`, `00002.jsonl.zst`, … Each file is a run of independent
Zstandard frames (RFC 8878), one for about half a second, so that a file is readable up to its last whole
frame whatever happened to the process. `zstdcat 00001.jsonl.zst` shows JSON Lines, one object a line, told
apart by `kind`:

`header`
    First line of every file: `schema`, `exchange` (the name in records), `venue` (whose protocol),
    `simulated`, `pairs`, `plans` (the planned connections), `file` (from 1), and both clocks at the
    recording's start.
`open`
    The handshake of a connection is done. `connection` is the plan's name, `life` counts the connections of
    the recording from 1; the two are in every line below.
`in`
    One whole message from the exchange: `text`, or `base64` if it is not UTF-8.
`out`
    One text message to the exchange.
`tick`
    The protocol machine was told the time.
`close`
    The end of a connection: `by` is `exchange` (with `code`, null when there was no close frame, and
    `reason`), `us` (with the protocol machine's reason) or `end` (the recording was over).
`failed`
    A connection could not be opened; `reason` says why.
`end`
    Last line of a recording that ended in an orderly way.

`wall_ns` is the wall clock in nanoseconds since the epoch, UTC; of an `in` line it is the receive time.
Messages that one read brought share it. `monotonic_ns` is the machine's monotonic clock: only differences
mean anything.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from streaming.exchanges.venue import ConnectionPlan

SCHEMA_VERSION: Final = 1
SUFFIX: Final = ".jsonl.zst"


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="header"):
    """See the module."""

    schema: int = SCHEMA_VERSION
    exchange: str
    venue: str
    simulated: bool
    pairs: tuple[str, ...]
    plans: tuple[ConnectionPlan, ...]
    file: int
    wall_ns: int
    monotonic_ns: int


class _OnConnection(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    connection: str
    life: int
    wall_ns: int
    monotonic_ns: int


class Opened(_OnConnection, frozen=True, kw_only=True, tag="open"):
    """The handshake is done."""

    url: str


class Received(_OnConnection, frozen=True, kw_only=True, omit_defaults=True, tag="in"):
    """One message from the exchange; either `text` or `base64` is set."""

    text: str | None = None
    base64: bytes | None = None

    @property
    def data(self) -> bytes:
        """The message as it came."""
        return self.text.encode() if self.text is not None else self.base64 or b""


class Sent(_OnConnection, frozen=True, kw_only=True, tag="out"):
    """One message to the exchange."""

    text: str


class Ticked(_OnConnection, frozen=True, kw_only=True, tag="tick"):
    """The machine was told the time."""


class Closed(_OnConnection, frozen=True, kw_only=True, tag="close"):
    """The connection is gone."""

    by: Literal["exchange", "us", "end"]
    code: int | None
    reason: str


class Failed(_OnConnection, frozen=True, kw_only=True, tag="failed"):
    """The connection could not be opened."""

    reason: str


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    """The recording is over."""

    wall_ns: int
    monotonic_ns: int


Line = Header | Opened | Received | Sent | Ticked | Closed | Failed | End

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode(line: Line) -> bytes:
    """The line as JSON, with its line feed."""
    return _encoder.encode(line) + b"\n"


def decode(data: bytes) -> Line:
    """The line in `data`. Raises msgspec.MsgspecError."""
    line: Line = _decoder.decode(data)
    return line


def received(connection: str, life: int, message: bytes, receive_time_ns: int, monotonic_ns: int) -> Received:
    """The line of a message; what is not UTF-8 is kept exactly, too."""
    text: str | None
    try:
        text, raw = message.decode(), None
    except UnicodeDecodeError:
        text, raw = None, message
    return Received(
        connection=connection,
        life=life,
        wall_ns=receive_time_ns,
        monotonic_ns=monotonic_ns,
        text=text,
        base64=raw,
    )
