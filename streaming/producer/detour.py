"""The way to Kafka through the disk, while Kafka is away.

What belongs here: what may take which way, and in which order records come back. What does not: files
(`spool`), and when Kafka counts as away (`sink`).

The detour is open from `begin` until everything in it has been drained. While it is open every record goes
through it, so each pair's order is kept, because one caller at a time writes a pair's trades:

* what a caller sent before the detour began is in librdkafka's queue, and is drained before;
* what it sends after the detour ended goes into that queue behind what was drained.

A barrier is a record that Kafka must have before anything after it is sent: nothing is drained, and the
detour does not end, while one is on its way.

A segment of the spool is deleted only when Kafka has acknowledged all of it, so that a process that dies
while draining loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, Message

from streaming.producer.pulse import Delivered
from streaming.producer.spool import Segment, Spool, SpooledRecord


class Detour:
    """Thread-safe. `open` may be read without further care; the methods decide under one lock."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._lock = threading.Lock()
        self._delivered: deque[Delivered | None] = deque()
        self._barriers = 0
        self._began_s = 0.0
        self._seconds = 0.0
        self.open = False
        self.appended = 0
        self.drained = 0

    @property
    def bytes(self) -> int:
        """On disk now."""
        return self._spool.bytes

    @property
    def unread(self) -> int:
        """Records that wait on disk."""
        return self._spool.unread

    @property
    def seconds(self) -> float:
        """For how long the detour has been open, in all."""
        return self._seconds + (time.monotonic() - self._began_s if self.open else 0.0)

    def begin(self) -> None:
        """From now on everything goes to disk."""
        with self._lock:
            self._began_s = time.monotonic()
            self.open = True

    def take(self, record: SpooledRecord, delivered: Delivered | None) -> bool:
        """Write a record to disk; False if the detour is not open, or full. Raises SpoolError."""
        with self._lock:
            return self.open and self._append(record, delivered)

    def take_barrier(
        self, record: SpooledRecord, delivered: Delivered, produce: Callable[[SpooledRecord, Delivered], bool]
    ) -> bool:
        """Send a barrier by `produce`, or write it to disk while the detour is open; False: no room.

        What is drained waits for it in both cases: the detour may open before Kafka has it.
        """
        with self._lock:
            if self.open:
                return self._append(record, delivered)
            taken = produce(record, partial(self._barrier_delivered, delivered))
            self._barriers += taken
            return taken

    def next(self) -> list[tuple[SpooledRecord, Delivered]]:
        """The records that may be sent now, oldest first, and what to call when Kafka has each.

        Nothing while a barrier is on its way. Raises SpoolError.
        """
        with self._lock:
            if self._barriers:
                return []
            batch = self._spool.read()
            result: list[tuple[SpooledRecord, Delivered]] = []
            for segment, record in batch:
                delivered: Delivered = partial(self._drained, segment, self._delivered.popleft())
                if record.barrier:
                    self._barriers += 1
                    delivered = partial(self._barrier_delivered, delivered)
                result.append((record, delivered))
            return result

    def end_if_empty(self) -> bool:
        """End the detour if nothing waits in it; to be called by whoever sends what `next` returns."""
        with self._lock:
            if self._spool.unread or self._barriers:
                return False
            self._seconds += time.monotonic() - self._began_s
            self.open = False
            self._spool.seal()
            return True

    def close(self) -> None:
        """Let go of the spool; what is in it stays for the next process."""
        with self._lock:
            self._spool.close()

    def _append(self, record: SpooledRecord, delivered: Delivered | None) -> bool:
        if not self._spool.append(record):
            return False
        self._delivered.append(delivered)
        self.appended += 1
        return True

    def _barrier_delivered(self, delivered: Delivered, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            self._barriers -= 1
        delivered(error, message)

    def _drained(
        self, segment: Segment, delivered: Delivered | None, error: KafkaError | None, message: Message
    ) -> None:
        if error is None:
            with self._lock:
                self._spool.done(segment)
                self.drained += 1
        if delivered is not None:
            delivered(error, message)
