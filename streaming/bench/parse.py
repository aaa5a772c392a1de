"""How fast one core turns bytes of the exchange into records for Kafka, with no network and no Kafka.

What belongs here: this loop through the producer's own parts. What does not: sockets (`ingest`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from streaming.bench.frames import TradeFrames
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.registry import venue
from streaming.producer.pulse import Delivered
from streaming.producer.sequencer import TradeSequencer
from streaming.producer.tape import Tape, Writer
from streaming.producer.transport import FrameParser

FRAMES: Final = 100_000
READ_BYTES: Final = 65_536
"""What one read of a busy socket brings."""


class _Nowhere:
    """Takes every message at once; nothing is acknowledged."""

    def __init__(self) -> None:
        self.taken = 0

    def send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered | None) -> None:
        self.taken += 1


def frames_per_core_second(pairs: Sequence[str], rounds: int = 3) -> float:
    """WebSocket frames a second of processor time: framing, JSON, checks, sequencing, encoding.

    The best of `rounds`.
    """
    frames = TradeFrames(pairs)
    stream = bytearray()
    count = 0
    while count < FRAMES:
        data, taken = frames.take(FRAMES - count, time.time_ns() // 1_000_000)
        stream += data
        count += taken
    return max(_round(pairs, bytes(stream), count) for _ in range(rounds))


def _round(pairs: Sequence[str], stream: bytes, count: int) -> float:
    okx = venue("okx")
    session = okx.session(okx.connections(pairs)[0])
    session.connected(0)
    sink = _Nowhere()
    writer = Writer("OKX_SIM", True, "bench", time.time_ns() // 1_000_000)
    tapes = {
        pair: Tape(writer, pair, index, TradeSequencer(), sink, None)  # type: ignore[arg-type]
        for index, pair in enumerate(pairs)
    }
    parser = FrameParser()
    reads = [stream[at : at + READ_BYTES] for at in range(0, len(stream), READ_BYTES)]
    began_s = time.process_time()
    for read in reads:
        receive_time_ns = time.time_ns()
        trades: dict[str, list[TradeEvent]] = {pair: [] for pair in pairs}
        for message in parser.feed(read):
            for output in session.frame(message, receive_time_ns):
                if type(output) is TradeEvent:
                    trades[output.pair].append(output)
        for pair, events in trades.items():
            tapes[pair].trades(events)
    used_s = time.process_time() - began_s
    if sink.taken != count:
        raise AssertionError(f"{count} frames went in, {sink.taken} records came out")
    return count / used_s
