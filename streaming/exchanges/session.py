"""The interface of a venue's protocol machine: one object per connection, with no input or output.

What belongs here: the interface. What does not: a venue's rules (`streaming.exchanges.<venue>.session`)
and whoever drives the machine (`streaming.producer.connection`).
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from streaming.exchanges.events import Output


class State(Enum):
    """How far a connection has come; it never goes back, a new connection has a new machine."""

    STARTED = "started"
    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    READY = "ready"
    CLOSED = "closed"


class Session(Protocol):
    """Frames and clock ticks go in, events and commands come out, in the order they must be handled.

    Time: `now_ns` is a monotonic clock and drives every watchdog; `receive_time_ns` is the wall clock and
    is only copied into events, so a step of the wall clock cannot trip a watchdog. Call `tick` at least
    twice a second. After a `Reconnect` or `Fatal` came out, the machine is CLOSED and answers nothing.
    No method raises for anything the exchange may send.
    """

    @property
    def state(self) -> State:
        """How far the connection has come."""

    def connected(self, now_ns: int) -> list[Output]:
        """The handshake is done: returns the subscriptions to send and arms the watchdogs."""

    def frame(self, data: bytes | str, receive_time_ns: int) -> list[Output]:
        """One whole text or binary message arrived at `receive_time_ns`."""

    def tick(self, now_ns: int) -> list[Output]:
        """Time has passed."""

    def closed(self, code: int | None, reason: str) -> list[Output]:
        """The connection is gone; `code` is the close frame's, None when there was none."""
