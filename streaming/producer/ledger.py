"""The gap ledger: every run of missed trades, from its discovery to its end, in Kafka.

What belongs here: the states of a gap and writing them. What does not: noticing gaps (`sequencer`) and
fetching trades (`filler`).

A gap is known by (exchange, pair, from_id), and the latest record of it holds. When the exchange lacks
some of its trades, the gap is cut: the parts get records of their own, and last of all the first part
gets the original's identity, so that a crash in between leaves the original open and nothing unaccounted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import structlog

from streaming import topics
from streaming.producer.sequencer import IdRange
from streaming.producer.sink import KafkaSink
from streaming.records import Gap, encode, key_of

log = structlog.get_logger(__name__)

Closed = Literal["filled", "unrecoverable"]


class GapLedger:
    """Open gaps in memory, every change in Kafka, or surely on its way, before it counts. Thread-safe."""

    def __init__(
        self,
        sink: KafkaSink,
        exchange: str,
        simulated: bool,
        partitions: Mapping[str, int],
        gaps: Iterable[Gap] = (),
    ) -> None:
        self._sink = sink
        self._exchange = exchange
        self._simulated = simulated
        self._partitions = partitions
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], Gap] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How many gaps of a pair went into a status since the process began."""
        self.adopt(gaps)

    def adopt(self, gaps: Iterable[Gap]) -> None:
        """Take over gaps that Kafka already has as open."""
        with self._lock:
            self._open |= {(gap.pair, gap.from_id): gap for gap in gaps}

    def open_gaps(self) -> list[Gap]:
        """All gaps that are neither filled nor given up."""
        with self._lock:
            return list(self._open.values())

    def open(self, pair: str, missing: IdRange, cause: str) -> None:
        """Write a new gap and return when Kafka has it, or will have it before any trade sent from then on.

        Raises like `KafkaSink.send`.
        """
        gap = Gap(
            exchange=self._exchange,
            pair=pair,
            from_id=missing.first,
            to_id=missing.last,
            cause=cause,
            detected_at_us=time.time_ns() // 1000,
            filled_at_us=None,
            status="open",
            simulated=self._simulated,
        )
        self._write(gap, self._sink.send_ahead)
        with self._lock:
            self._open[(pair, gap.from_id)] = gap
        log.warning("gap opened", pair=pair, from_id=gap.from_id, to_id=gap.to_id, cause=cause)

    def close(self, gap: Gap, unrecoverable: Sequence[IdRange] = ()) -> None:
        """Write the end of a gap, filled but for the ids in `unrecoverable`; return when Kafka has it."""
        parts = _parts(IdRange(gap.from_id, gap.to_id), unrecoverable)
        now_us = time.time_ns() // 1000
        for ids, status in reversed(parts):
            self._write(
                msgspec.structs.replace(
                    gap,
                    from_id=ids.first,
                    to_id=ids.last,
                    status=status,
                    filled_at_us=now_us if status == "filled" else None,
                ),
                self._sink.send_and_wait,
            )
        with self._lock:
            self._open.pop((gap.pair, gap.from_id), None)
        lost = sum(map(len, unrecoverable))
        report = log.error if lost else log.info
        report("gap closed", pair=gap.pair, from_id=gap.from_id, to_id=gap.to_id, unrecoverable=lost)

    def _write(self, gap: Gap, send: Callable[[str, int, bytes, bytes], None]) -> None:
        send(topics.GAPS, self._partitions[gap.pair], key_of(gap.exchange, gap.pair), encode(gap))
        with self._lock:
            self.counts[(gap.pair, gap.status)] += 1


def _parts(whole: IdRange, unrecoverable: Sequence[IdRange]) -> list[tuple[IdRange, Closed]]:
    """`whole` cut into filled and unrecoverable ranges, lowest first."""
    parts: list[tuple[IdRange, Closed]] = []
    next_id = whole.first
    for lost in sorted(unrecoverable):
        if lost.first > next_id:
            parts.append((IdRange(next_id, lost.first - 1), "filled"))
        parts.append((lost, "unrecoverable"))
        next_id = lost.last + 1
    if next_id <= whole.last:
        parts.append((IdRange(next_id, whole.last), "filled"))
    return parts
