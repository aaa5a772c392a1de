"""`python -m tests.benchmarks.fuzz_frames [--frames N] [--seed S] [--venue NAME]`: throws damaged frames at
every venue's protocol machine and counts what comes back.

What belongs here: how frames are damaged and what must hold for any frame. What does not: what a good
frame means (`tests/unit/exchanges/test_venue_contract_*.py`).

For every frame: nothing is raised; every event keeps the data contract; bytes that are no JSON at all come
back as exactly one BadFrame with the whole of their text; and each BadFrame, whether a frame or one row of
it, becomes a dead letter in the producer's own hands (`streaming.producer.tape`), with its text, reason and
time, so that the letters are as many as the bad frames. Whether bytes are JSON is decided by the standard
library, not by the decoder that the adapters use.

The last column is what the protocol machine alone does in a second of one processor, damaged frames and all;
damaging and checking them is not in it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

import msgspec

from streaming import topics
from streaming.exchanges.events import BadFrame, Output, TickerEvent, TradeEvent
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan
from streaming.producer.ledger import GapLedger
from streaming.producer.sequencer import TradeSequencer
from streaming.producer.sink import KafkaSink
from streaming.producer.tape import RAW_MAX, Tape, Writer
from streaming.records import DeadLetter
from tests.unit.exchanges.venues import Frames, Quote, Row, all_frames, first_data, ticker_plan, trade_plan

DEFAULT_FRAMES = 1_000_000
START_NS = 1_000_000_000
RECEIVED_NS = 1_791_369_376_400_000_123
TICK_EVERY = 1000
TOKENS = (
    *(b'""', b"null", b"0", b"-1", b"1e999", b"[]", b"{}", b"true", b'"\\u0000"', b"\xff", b"\\", b'"'),
    *(
        b"NaN",
        b"99999999999999999999",
        b"9223372036854775808",
        b"[[[[",
        b"\xf0\x9f\x92\xb8",
        b",",
        b":",
        b"}",
    ),
)


@dataclass
class Result:
    """What came back from one venue."""

    venue: str
    frames: int = 0
    machine_s: float = 0.0
    """Time in the protocol machine."""
    unreadable: int = 0
    """Frames that were no JSON."""
    letters: int = 0
    """Dead letters that the producer wrote."""
    outputs: Counter[str] = field(default_factory=Counter)


class Broken(AssertionError):
    """A frame that must not be answered as it was."""


class LetterBox:
    """Stands where the producer's way into Kafka begins, and keeps the latest dead letter."""

    def __init__(self) -> None:
        self.count = 0
        self.latest: DeadLetter | None = None

    def send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: object) -> None:
        if topic != topics.DEAD_LETTERS:
            raise Broken(f"{value!r} went to {topic}.")
        self.count += 1
        self.latest = _letter_decoder.decode(value)

    def check(self, error: object, message: object) -> None:
        """The call-back for what Kafka has taken; nothing is taken here."""


_letter_decoder = msgspec.json.Decoder(DeadLetter)


def tape_of(exchange: str, pair: str, box: LetterBox) -> Tape:
    """The producer's own tape of a pair, on its way to `box` instead of Kafka."""
    sink = cast(KafkaSink, box)
    writer = Writer(exchange, False, "fuzzer", 1)
    ledger = GapLedger(sink, exchange, False, {pair: 0})
    return Tape(writer, pair, 0, TradeSequencer(None), sink, ledger)


def corpus(frames: Frames, plan: ConnectionPlan) -> list[bytes]:
    """Good and bad frames of every kind that a connection may see."""
    pair = frames.pairs[0]
    found = [
        *frames.acks(plan),
        *frames.heartbeats(plan),
        *frames.unknown(),
        *frames.fatal(),
        *frames.retryable(),
    ]
    if plan == trade_plan(frames):
        rows = [Row(pair, 101), Row(pair, 102, side="sell"), Row(frames.pairs[1], 101)]
        for row in rows:
            # Trades are what matters most, and are most of what really comes.
            found += frames.trades([row]) * 6
        found += frames.malformed(rows[0])
        extra = (
            frames.first_trade(rows[0]),
            frames.notice(),
            frames.mixed([rows[0], Row(pair, 103)], rows[1]),
        )
        found += [frame for frame in extra if frame is not None]
    if plan == ticker_plan(frames):
        found += [frames.ticker(Quote(pair))] * 6
    return found


def mutate(rng: random.Random, frame: bytes, others: list[bytes]) -> bytes:
    """`frame` with one to four kinds of damage."""
    data = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.randrange(1, 12))
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:to]
        elif kind == 2:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 3:
            data[at:to] = rng.choice(TOKENS)
        elif kind == 4:
            data[at:at] = data[at:to]
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            other = rng.choice(others)
            data[at:] = other[rng.randrange(len(other) + 1) :]
        else:
            while at < len(data) and not 48 <= data[at] < 58:
                at += 1
            if at < len(data):
                data[at] = rng.randrange(48, 58)
    return bytes(data)


def is_json(data: bytes) -> bool:
    """Whether the standard library, at its most lenient, can read it."""
    try:
        json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def check(frame: bytes, outputs: list[Output], heartbeats: list[bytes]) -> bool:
    """Return whether the frame was no JSON. Raises Broken when the answer to it is wrong."""
    text = frame.decode("utf-8", "replace")
    for output in outputs:
        if type(output) is TradeEvent:
            good = (
                output.first_id <= output.trade_id == output.first_id + output.count - 1 < 2**63
                and output.first_id >= 0
                and Decimal(output.price) > 0
                and Decimal(output.size) > 0
                and output.side in ("buy", "sell")
                and 10**15 <= output.exchange_time_us < 10**17
            )
        elif type(output) is TickerEvent:
            good = output.bid_price is None or Decimal(output.bid_price) >= 0
        elif type(output) is BadFrame:
            good = bool(output.reason) and output.raw in text
        else:
            good = True
        if not good:
            raise Broken(f"{frame!r} became {output!r}")
    if is_json(frame) or frame in heartbeats:
        return False
    if [type(output) for output in outputs] != [BadFrame] or cast(BadFrame, outputs[0]).raw != text:
        raise Broken(f"{frame!r} is not JSON, but became {outputs!r}")
    return True


def post(bad: BadFrame, tape: Tape, box: LetterBox) -> None:
    """Hand a bad frame to the producer. Raises Broken unless one dead letter says what was in it, and why."""
    before = box.count
    tape.dead_letter(bad)
    letter = box.latest
    kept = letter is not None and (
        (letter.raw, letter.reason, letter.pair, letter.receive_time_ns, letter.stage)
        == (bad.raw[:RAW_MAX], bad.reason, bad.pair, bad.receive_time_ns, "parse")
    )
    if box.count != before + 1 or not kept:
        raise Broken(f"{bad!r} became the dead letter {letter!r}")


def fuzz(frames: Frames, count: int, seed: int) -> Result:
    """Feed `count` damaged frames of one venue to its machines, all its connections in turn."""
    rng = random.Random(f"{frames.venue.name}/{seed}")
    result = Result(frames.venue.name)
    box = LetterBox()
    tape = tape_of(frames.venue.name, frames.pairs[0], box)
    plans = frames.venue.connections(frames.pairs)
    machine_ns = 0
    for number, plan in enumerate(plans):
        originals = corpus(frames, plan)
        heartbeats = frames.heartbeats(plan)
        session = _open(frames, plan, rng)
        for i in range(count // len(plans) + (number < count % len(plans))):
            frame = mutate(rng, rng.choice(originals), originals)
            began_ns = time.perf_counter_ns()
            try:
                outputs = session.frame(frame, RECEIVED_NS)
                machine_ns += time.perf_counter_ns() - began_ns
                if i % TICK_EVERY == 0:
                    session.tick(START_NS + i)
            except Exception as error:
                raise Broken(f"{frame!r} raised {error!r}") from error
            result.unreadable += check(frame, outputs, heartbeats)
            for output in outputs:
                result.outputs[type(output).__name__] += 1
                if type(output) is BadFrame:
                    post(output, tape, box)
            result.frames += 1
            if session.state is State.CLOSED:
                session = _open(frames, plan, rng)
    result.machine_s = machine_ns / 1e9
    result.letters = box.count
    if not result.unreadable <= result.letters == result.outputs["BadFrame"]:
        raise Broken(f"{result.letters} dead letters for {result.outputs['BadFrame']} bad frames")
    return result


def _open(frames: Frames, plan: ConnectionPlan, rng: random.Random) -> Session:
    """A connection somewhere between the handshake and Ready."""
    session = frames.venue.session(plan)
    session.connected(START_NS)
    if rng.random() < 0.8:
        for frame in frames.acks(plan):
            session.frame(frame, RECEIVED_NS)
    if rng.random() < 0.8:
        for pair in plan.pairs:
            for frame in first_data(frames, plan, pair):
                session.frame(frame, RECEIVED_NS)
    return session


def _line(venue: str, *cells: object) -> None:
    sys.stdout.write(f"{venue:<10}" + "".join(f"{cell!s:>10}" for cell in cells) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz, print a table, return 1 if a venue broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fuzz_frames")
    parser.add_argument("--frames", type=int, default=DEFAULT_FRAMES, help="damaged frames per venue")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", action="append", help="only this venue; may be repeated")
    options = parser.parse_args()
    chosen = [f for f in all_frames() if not options.venue or f.venue.name in map(str.upper, options.venue)]
    failed = False
    _line("venue", "frames", "not JSON", "letters", "trades", "tickers", "unknown", "ended", "frames/s")
    for frames in chosen:
        try:
            result = fuzz(frames, options.frames, options.seed)
        except Broken as error:
            failed = True
            sys.stdout.write(f"{frames.venue.name} is BROKEN: {error}\n")
            continue
        out = result.outputs
        _line(
            result.venue,
            result.frames,
            result.unreadable,
            result.letters,
            out["TradeEvent"],
            out["TickerEvent"],
            out["Unknown"],
            out["Reconnect"] + out["Fatal"],
            round(result.frames / result.machine_s),
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
