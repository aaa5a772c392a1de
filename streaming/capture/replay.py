"""Drives a recording through the venue's protocol machine exactly as it ran live, and counts what comes out.

What belongs here: pacing, the machines, sequencing per pair, the count. What does not: reading files
(`reader`) and writing others (`export`).

Receive times, ticks and ends of connections are the recorded ones, in the recorded order; no clock of this
process enters the result, so the same recording gives the same result. As in the producer each pair has one
sequencer over all connections, and the end of a connection that carries trades interrupts its pairs.

What the machine sends, and why it drops a connection, is compared with what was recorded: `differences`
counts where the machine of today decides otherwise than the one that recorded.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from streaming.capture.errors import RecordingError
from streaming.capture.lines import Closed, Failed, Header, Line, Opened, Received, Sent, Ticked
from streaming.capture.reader import RecordingReader
from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Output,
    Ready,
    Reconnect,
    Send,
    Stale,
    Subscribed,
    TickerEvent,
    TradeEvent,
    Unknown,
)
from streaming.exchanges.registry import venue
from streaming.exchanges.session import Session
from streaming.exchanges.venue import ConnectionPlan
from streaming.producer.sequencer import DUPLICATE, LATE, IdRange, TradeSequencer

EXAMPLES: Final = 5


@dataclass(slots=True)
class PairTally:
    """One pair: `trades` were taken, `duplicates` and `overlaps` were not; `late` of them filled a gap.

    `gaps` counts jumps in the ids when they were noticed, `missing` the ids that never came. On a venue whose
    ids have holes (`ids_contiguous` false) a gap is only where trades may have passed unseen.
    """

    trades: int = 0
    snapshot_trades: int = 0
    tickers: int = 0
    duplicates: int = 0
    overlaps: int = 0
    late: int = 0
    gaps: int = 0
    missing: tuple[IdRange, ...] = ()
    first_id: int | None = None
    last_id: int | None = None
    first_time_us: int | None = None
    last_time_us: int | None = None


@dataclass(slots=True)
class Tally:
    """What a recording contains. `torn`: what a killed recorder lost. `complete`: it ended orderly."""

    exchange: str
    simulated: bool
    ids_contiguous: bool
    pairs: dict[str, PairTally]
    seconds: float = 0.0
    frames: int = 0
    connections: int = 0
    connect_failures: int = 0
    subscriptions: int = 0
    became_ready: int = 0
    reconnects: Counter[str] = field(default_factory=Counter)
    bad_frames: int = 0
    bad_frame_examples: list[str] = field(default_factory=list)
    unknown_events: int = 0
    unknown_examples: list[str] = field(default_factory=list)
    stale_reports: int = 0
    notices: int = 0
    refusals: list[str] = field(default_factory=list)
    differences: int = 0
    difference_examples: list[str] = field(default_factory=list)
    complete: bool = False
    torn: str | None = None

    @property
    def trades(self) -> int:
        return sum(pair.trades for pair in self.pairs.values())

    @property
    def tickers(self) -> int:
        return sum(pair.tickers for pair in self.pairs.values())


@dataclass(slots=True)
class _Live:
    plan: ConnectionPlan
    session: Session
    sends: deque[str] = field(default_factory=deque)
    dropped: str | None = None


class Pacer:
    """Lets a replay go `speed` times as fast as the recording; 0 is as fast as possible."""

    def __init__(self, speed: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._speed = speed
        self._sleep = sleep
        self._origin: tuple[int, int] | None = None

    def wait_for(self, monotonic_ns: int) -> None:
        """Return when that recorded instant is due."""
        if self._speed <= 0:
            return
        now_ns = time.monotonic_ns()
        if self._origin is None:
            self._origin = (monotonic_ns, now_ns)
        recorded_ns, started_ns = self._origin
        ahead_s = ((monotonic_ns - recorded_ns) / self._speed - (now_ns - started_ns)) / 1e9
        if ahead_s > 0:
            self._sleep(ahead_s)


class Replay:
    """One pass over a recording.

    Args:
        header: of the recording.
        on_trade: called with every trade that is taken, in order.
        on_ticker: called with every ticker.
    """

    def __init__(
        self,
        header: Header,
        on_trade: Callable[[TradeEvent], None] = lambda trade: None,
        on_ticker: Callable[[TickerEvent], None] = lambda ticker: None,
    ) -> None:
        self._header = header
        self._venue = venue(header.venue)
        self._plans = {plan.name: plan for plan in header.plans}
        self._live: dict[int, _Live] = {}
        self._on_trade = on_trade
        self._on_ticker = on_ticker
        contiguous = self._venue.id_contiguous
        pairs = dict.fromkeys([*header.pairs, *(pair for plan in header.plans for pair in plan.pairs)])
        self._tapes = {pair: TradeSequencer(contiguous=contiguous) for pair in pairs}
        self.tally = Tally(
            header.exchange, header.simulated, contiguous, {pair: PairTally() for pair in pairs}
        )

    def run(self, lines: Iterable[Line], pacer: Pacer | None = None) -> Tally:
        """Feed all lines and return the count.

        Raises:
            RecordingError: the lines begin in the middle of a connection; and what `lines` raises.
        """
        tally = self.tally
        begin_ns = self._header.monotonic_ns
        for line in lines:
            if isinstance(line, Header):
                continue
            if pacer is not None:
                pacer.wait_for(line.monotonic_ns)
            tally.seconds = round(max(tally.seconds, (line.monotonic_ns - begin_ns) / 1e9), 3)
            self._feed(line)
        for pair, tape in self._tapes.items():
            tally.pairs[pair].missing = tape.missing.ranges()
        return tally

    def _feed(self, line: Line) -> None:
        match line:
            case Received():
                self.tally.frames += 1
                live = self._of(line.life, line.connection)
                self._obey(live, live.session.frame(line.data, line.wall_ns))
            case Ticked():
                live = self._of(line.life, line.connection)
                self._obey(live, live.session.tick(line.monotonic_ns))
            case Sent():
                live = self._of(line.life, line.connection)
                if not live.sends:
                    self._differs(f"{line.connection}: recorded {line.text[:200]!r}, now nothing is sent")
                elif (said := live.sends.popleft()) != line.text:
                    self._differs(f"{line.connection}: recorded {line.text[:200]!r}, now {said[:200]!r}")
            case Opened():
                self._open(line)
            case Closed():
                self._close(line)
            case Failed():
                self.tally.connect_failures += 1

    def _open(self, line: Opened) -> None:
        plan = self._plans.get(line.connection)
        if plan is None:
            raise RecordingError(f"The recording has a connection {line.connection!r} that it did not plan.")
        live = self._live[line.life] = _Live(plan, self._venue.session(plan))
        self.tally.connections += 1
        self._obey(live, live.session.connected(line.monotonic_ns))

    def _close(self, line: Closed) -> None:
        live = self._of(line.life, line.connection)
        del self._live[line.life]
        if line.by == "exchange":
            self._obey(live, live.session.closed(line.code, line.reason))
        recorded = line.reason if line.by == "us" else live.dropped if line.by == "exchange" else None
        if live.dropped != recorded:
            self._differs(f"{line.connection}: recorded the end {recorded!r}, now {live.dropped!r}")
        if live.sends and line.by != "exchange":
            self._differs(f"{line.connection}: recorded nothing more, now {live.sends[0][:200]!r} is sent")
        if line.by != "end":
            self.tally.reconnects[live.dropped or line.reason or "connection-lost"] += 1
            if live.plan.carries_trades:
                for pair in live.plan.pairs:
                    self._tapes[pair].interrupted()

    def _of(self, life: int, connection: str) -> _Live:
        live = self._live.get(life)
        if live is None:
            raise RecordingError(
                f"The recording begins in the middle of the connection {connection}.",
                "Replay its whole folder, from the first file on.",
            )
        return live

    def _obey(self, live: _Live, outputs: Iterable[Output]) -> None:
        tally = self.tally
        for output in outputs:
            match output:
                case TradeEvent():
                    self._trade(output)
                case TickerEvent():
                    tally.pairs[output.pair].tickers += 1
                    self._on_ticker(output)
                case BadFrame():
                    tally.bad_frames += 1
                    _keep(tally.bad_frame_examples, f"{output.reason}: {output.raw[:200]}")
                case Unknown():
                    tally.unknown_events += 1
                    _keep(tally.unknown_examples, output.text[:200])
                case Send():
                    live.sends.append(output.text)
                case Reconnect():
                    live.dropped = output.reason
                case Fatal():
                    tally.refusals.append(f"{output.code}: {output.message}")
                case Stale():
                    tally.stale_reports += 1
                case Notice():
                    tally.notices += 1
                case Ready():
                    tally.became_ready += 1
                case Subscribed():
                    tally.subscriptions += 1

    def _trade(self, trade: TradeEvent) -> None:
        tally = self.tally.pairs[trade.pair]
        verdict = self._tapes[trade.pair].offer(trade.first_id, trade.trade_id)
        tally.gaps += verdict.gap is not None
        if not verdict.take:
            if verdict is DUPLICATE:
                tally.duplicates += 1
            else:
                tally.overlaps += 1
            return
        tally.trades += 1
        tally.late += verdict is LATE
        tally.snapshot_trades += trade.is_snapshot
        tally.first_id = trade.first_id if tally.first_id is None else min(tally.first_id, trade.first_id)
        tally.last_id = trade.trade_id if tally.last_id is None else max(tally.last_id, trade.trade_id)
        time_us = trade.exchange_time_us
        tally.first_time_us = time_us if tally.first_time_us is None else min(tally.first_time_us, time_us)
        tally.last_time_us = time_us if tally.last_time_us is None else max(tally.last_time_us, time_us)
        self._on_trade(trade)

    def _differs(self, text: str) -> None:
        self.tally.differences += 1
        _keep(self.tally.difference_examples, text)


def replay(
    reader: RecordingReader,
    *,
    speed: float = 0.0,
    on_trade: Callable[[TradeEvent], None] = lambda trade: None,
    on_ticker: Callable[[TickerEvent], None] = lambda ticker: None,
) -> Tally:
    """Replay a whole recording at `speed` (0: as fast as possible) and return its count.

    Raises:
        RecordingError: the recording is damaged or begins in the middle; a torn tail is no error.
    """
    tally = Replay(reader.header, on_trade, on_ticker).run(reader, Pacer(speed))
    tally.complete = reader.complete
    tally.torn = reader.torn
    return tally


def _keep(examples: list[str], text: str) -> None:
    if len(examples) < EXAMPLES:
        examples.append(text)
