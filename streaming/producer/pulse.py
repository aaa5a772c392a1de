"""Whether Kafka acknowledges anything, told from a few messages instead of all.

What belongs here: the clock of silence. What does not: what follows from it (`sink`).

Every `PROBE_S` one message, whichever comes next, is watched until it is acknowledged. Kafka is silent since
the first watched message that nothing has been heard after. Messages come from all pairs, so a partition
without a leader alone does not look like a silent Kafka.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError, Message

PROBE_S: Final = 0.25

Delivered = Callable[[KafkaError | None, Message], None]


class Pulse:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outstanding = 0
        self._silent_since_s: float | None = None
        self._next_s = 0.0
        self.due = False
        """The next message is to be watched."""

    def tick(self) -> None:
        """Ask for a message to watch when it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + PROBE_S
            self.due = True

    def silent_s(self) -> float:
        """For how long nothing has been heard; 0 while nothing is awaited."""
        since_s = self._silent_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def heard(self) -> None:
        """Kafka has acknowledged something just now."""
        with self._lock:
            self._silent_since_s = time.monotonic() if self._outstanding else None

    def watch(self, delivered: Delivered | None) -> Delivered:
        """`delivered`, watched; to be taken back by `refused` if the message is not sent."""
        with self._lock:
            self._outstanding += 1
            if self._silent_since_s is None:
                self._silent_since_s = time.monotonic()
        self.due = False

        def watched(error: KafkaError | None, message: Message) -> None:
            with self._lock:
                self._outstanding -= 1
            self.heard()
            if delivered is not None:
                delivered(error, message)

        return watched

    def refused(self) -> None:
        """A watched message found no room: nothing is heard of it, and a full queue is silent too."""
        with self._lock:
            self._outstanding -= 1
