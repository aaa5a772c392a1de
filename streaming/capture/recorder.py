"""Records every planned connection of a venue: the protocol machine runs as it does live, and all that goes
in or out of it is written down.

What belongs here: the connections' threads and the recording's end. What does not: files (`writer`), and
trades' way to Kafka (`streaming.producer`), which a recording never touches.

A connection that ends is opened again, with the producer's back-off and within the venue's limit of connects.
Unlike the producer, nothing is back-filled, and an announced end is waited for: a recording shows what the
wire said, gaps included.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypedDict

import structlog

from streaming.capture.lines import Closed, Failed, Header, Opened, Sent, Ticked, received
from streaming.capture.writer import FILE_BYTES, RecordingWriter
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.exchanges.events import Fatal, Output, Reconnect, Send, TickerEvent, TradeEvent
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan
from streaming.producer.backoff import Backoff, RateLimiter
from streaming.producer.connection import CONNECT_TIMEOUT_S, TICK_S, ExchangeRefusedError
from streaming.producer.source import Source
from streaming.producer.transport import ConnectError, ConnectionClosedError, Transport

log = structlog.get_logger(__name__)

POLL_S: Final = 0.2
JOIN_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a recording ends: after `seconds` (None: when told to) or `compressed_bytes` on disk."""

    seconds: float | None
    compressed_bytes: int
    file_bytes: int = FILE_BYTES


@dataclass(slots=True)
class Count:
    """What one planned connection has brought; written by its thread, read by any."""

    name: str
    state: State = State.STARTED
    lives: int = 0
    messages: int = 0
    trades: int = 0
    tickers: int = 0
    reconnects: Counter[str] = field(default_factory=Counter)
    last_reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands."""

    seconds: float
    compressed_bytes: int
    files: int
    connections: tuple[Count, ...]

    @property
    def messages(self) -> int:
        return sum(count.messages for count in self.connections)


class _Place(TypedDict):
    connection: str
    life: int
    wall_ns: int
    monotonic_ns: int


class _Line:
    """One planned connection: connect, feed the machine, write down, connect again."""

    def __init__(
        self,
        source: Source,
        plan: ConnectionPlan,
        writer: RecordingWriter,
        limiter: RateLimiter,
        next_life: Callable[[], int],
        stop: threading.Event,
        on_fatal: Callable[[PlatformError], None],
    ) -> None:
        self.count = Count(plan.name)
        self._source = source
        self._plan = plan
        self._url = source.ws_url + plan.path
        self._writer = writer
        self._limiter = limiter
        self._next_life = next_life
        self._stop = stop
        self._on_fatal = on_fatal
        self._life = 0
        self.thread = threading.Thread(target=self._run, name=f"record-{plan.name}", daemon=True)

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._stop.is_set():
                seen = self.count.messages
                min_delay_s = self._live()
                if self.count.messages > seen:
                    backoff.reset()
                self._stop.wait(max(min_delay_s, backoff.next_delay_s()))
        except PlatformError as error:
            self._on_fatal(error)
        except Exception as error:
            log.exception("the connection's thread failed")
            self._on_fatal(PlatformError(f"Recording the connection {self._plan.name} failed: {error!r}."))

    def _live(self) -> float:
        """One connection from handshake to end; return the least seconds to wait before the next."""
        if self._stop.wait(self._limiter.reserve_s()):
            return 0.0
        self._life = self._next_life()
        try:
            transport = Transport(self._url, CONNECT_TIMEOUT_S, TICK_S)
        except ConnectError as error:
            reason = str(error)
            self._writer.write(Failed(reason=reason, **self._place()))
            self._ended("connect-failed", reason)
            return 0.0
        session = self._source.venue.session(self._plan)
        self.count.lives += 1
        try:
            now_ns = time.monotonic_ns()
            self._writer.write(Opened(url=self._url, **self._place(now_ns)))
            log.debug("connected", connection=self._plan.name, life=self._life, url=self._url)
            return self._read(session, transport, session.connected(now_ns))
        except ConnectionClosedError as error:
            self._writer.write(Closed(by="exchange", code=error.code, reason=error.reason, **self._place()))
            over = self._obey(session.closed(error.code, error.reason), transport)
            self._ended(over.reason if over else "connection-lost", error.reason)
            return over.min_delay_s if over else 0.0
        finally:
            self.count.state = State.CLOSED
            transport.close()

    def _read(self, session: Session, transport: Transport, outputs: Sequence[Output]) -> float:
        tick_ns = time.monotonic_ns() + int(TICK_S * 1e9)
        while True:
            over = self._obey(outputs, transport)
            self.count.state = session.state
            if over is not None:
                self._writer.write(Closed(by="us", code=None, reason=over.reason, **self._place()))
                self._ended(over.reason, over.detail)
                return over.min_delay_s
            if self._stop.is_set():
                self._writer.write(Closed(by="end", code=None, reason="", **self._place()))
                return 0.0
            messages, receive_time_ns = transport.receive()
            now_ns = time.monotonic_ns()
            outputs = []
            if messages:
                name, life = self._plan.name, self._life
                self._writer.write(*(received(name, life, m, receive_time_ns, now_ns) for m in messages))
                self.count.messages += len(messages)
                outputs = [o for message in messages for o in session.frame(message, receive_time_ns)]
            if now_ns >= tick_ns:
                tick_ns = now_ns + int(TICK_S * 1e9)
                self._writer.write(Ticked(**self._place(now_ns)))
                outputs += session.tick(now_ns)

    def _obey(self, outputs: Sequence[Output], transport: Transport) -> Reconnect | None:
        count = self.count
        for output in outputs:
            match output:
                case TradeEvent():
                    count.trades += 1
                case TickerEvent():
                    count.tickers += 1
                case Send():
                    self._writer.write(Sent(text=output.text, **self._place()))
                    transport.send(output.text)
                case Reconnect():
                    return output
                case Fatal():
                    raise ExchangeRefusedError(
                        f"{self._source.venue.name} refuses the connection {self._plan.name} to {self._url} "
                        f"(code {output.code}): {output.message}",
                        output.remedy,
                    )
                case _:
                    log.debug("event", connection=self._plan.name, output=repr(output)[:300])
        return None

    def _place(self, monotonic_ns: int | None = None) -> _Place:
        return {
            "connection": self._plan.name,
            "life": self._life,
            "wall_ns": time.time_ns(),
            "monotonic_ns": time.monotonic_ns() if monotonic_ns is None else monotonic_ns,
        }

    def _ended(self, reason: str, detail: str) -> None:
        if not self._stop.is_set():
            self.count.reconnects[reason] += 1
            self.count.last_reason = f"{reason}: {detail}" if detail else reason
            log.debug("disconnected", connection=self._plan.name, reason=reason, detail=detail)


class Stop(Protocol):
    """Says whether a recording should end; asked a few times a second."""

    def is_set(self) -> bool: ...


class _Lives:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


def record(
    source: Source,
    pairs: Sequence[str],
    folder: Path,
    limits: Limits,
    stop: Stop,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Record into `folder` until a limit is reached or `stop` is set; return where it ended.

    Args:
        stop: ends the recording in good order within `POLL_S`. An exception raised in the calling thread by a
            signal does not: it may come between any two steps of a write.
        on_progress: called a few times a second by the calling thread.

    Raises:
        RecordingError: the folder cannot be written, is full, or holds a recording.
        ExchangeRefusedError: the exchange refuses what is asked of it.
        ServiceUnavailableError: not one message came; nothing but the attempts is in the recording.
    """
    plans = source.venue.connections(list(pairs))
    header = Header(
        exchange=source.exchange,
        venue=source.venue.name,
        simulated=source.simulated,
        pairs=tuple(pairs),
        plans=tuple(plans),
        file=1,
        wall_ns=time.time_ns(),
        monotonic_ns=time.monotonic_ns(),
    )
    writer = RecordingWriter(folder, header, file_bytes=limits.file_bytes)
    over = threading.Event()
    failures: list[PlatformError] = []

    def fail(error: PlatformError) -> None:
        failures.append(error)
        over.set()

    limiter = RateLimiter(source.venue.connect_limit)
    lives = _Lives()
    lines = [_Line(source, plan, writer, limiter, lives.next, over, fail) for plan in plans]
    began_s = time.monotonic()

    def progress() -> Progress:
        return Progress(
            time.monotonic() - began_s,
            writer.bytes_written,
            writer.files,
            tuple(line.count for line in lines),
        )

    for line in lines:
        line.thread.start()
    try:
        while not over.is_set() and not stop.is_set():
            left_s = POLL_S
            if limits.seconds is not None:
                left_s = limits.seconds - (time.monotonic() - began_s)
            if left_s <= 0 or writer.bytes_written >= limits.compressed_bytes:
                break
            writer.flush_due()
            on_progress(progress())
            over.wait(min(POLL_S, left_s))
    finally:
        over.set()
        for line in lines:
            line.thread.join(JOIN_S)
        writer.close()
    if failures:
        raise failures[0]
    result = progress()
    if not result.messages:
        reasons = "; ".join(sorted({line.count.last_reason for line in lines} - {""}))
        raise ServiceUnavailableError(
            f"{source.exchange} has sent nothing from {source.ws_url} in {result.seconds:.0f} s"
            + (f" ({reasons})." if reasons else "."),
            f"Check the network and {source.ws_setting}.",
        )
    return result
