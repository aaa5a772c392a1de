"""What is sent to every viewer: each change encoded once, however many look.

What belongs here: numbering, coalescing and who needs a snapshot. What does not: HTTP (`stream`), what is in
the market (`crypto_platform.dashboard.state`).

A frame holds the latest value of everything that changed since the frame before, so a slow reader never has a
queue: it skips to a snapshot. A frame's name is `epoch-number`; a number counts up within an epoch, which is
one life of the server. Who comes back with the name of a frame that is still kept gets what followed.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from crypto_platform.dashboard.state import MarketState

KEPT: Final = 40
"""Two to four seconds of frames: a reader that is further behind starts from a snapshot."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event, ready to be written."""

    number: int
    event: bytes


class Frames:
    """The frames of one epoch, made of `state`; `extra` gives what is no part of the market, or None."""

    def __init__(self, state: MarketState, extra: Callable[[], dict[str, Any] | None]) -> None:
        self._state = state
        self._extra = extra
        self._version = state.version
        self._kept: deque[Frame] = deque(maxlen=KEPT)
        self.epoch = secrets.token_hex(4)
        self.number = 0
        self.skipped = 0
        """How often a reader was so slow that it skipped frames."""

    def advance(self, sent_ms: float) -> bool:
        """Make the next frame if anything changed since the last one."""
        changes = self._state.changes_since(self._version)
        extra = self._extra()
        if changes.empty and extra is None:
            return False
        self._version = changes.version
        self.number += 1
        body = {
            "seq": self.number,
            "sent_ms": round(sent_ms, 1),
            "markets": changes.markets,
            "candles": changes.candles,
            "anomalies": changes.findings,
        }
        self._kept.append(Frame(self.number, self._event("frame", body | (extra or {}))))
        return True

    def snapshot(self, sent_ms: float, extra: dict[str, Any]) -> bytes:
        """Everything a page needs to begin: all markets, the open ends of all bars, all findings."""
        changes = self._state.changes_since(-1)
        body = {
            "seq": self.number,
            "sent_ms": round(sent_ms, 1),
            "markets": changes.markets,
            "candles": changes.candles,
            "anomalies": self._state.findings(),
        }
        return self._event("snapshot", body | extra)

    def after(self, number: int) -> bytes | None:
        """The frames after `number`, or None when they are no longer kept and a snapshot is due."""
        if number == self.number:
            return b""
        if not self._kept or not self._kept[0].number <= number + 1 <= self.number:
            return None
        return b"".join(frame.event for frame in self._kept if frame.number > number)

    def position(self, last_event_id: str | None) -> int | None:
        """The number within a frame's name, if it is of this epoch."""
        epoch, dash, number = (last_event_id or "").partition("-")
        if epoch != self.epoch or not dash or not (number.isascii() and number.isdecimal()):
            return None
        return int(number[:12])

    def heartbeat(self, sent_ms: float) -> bytes:
        """An event that says that the connection lives while nothing changes."""
        return self._event("heartbeat", {"sent_ms": round(sent_ms, 1)})

    def _event(self, name: str, body: dict[str, Any]) -> bytes:
        head = f"id: {self.epoch}-{self.number}\nevent: {name}\ndata: ".encode()
        return head + _encoder.encode(body) + b"\n\n"
