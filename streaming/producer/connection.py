"""One connection's thread: connect, feed the protocol machine, obey it, connect again.

What belongs here: the loop, ticks and back-off of one connection. What does not: the protocol
(`streaming.exchanges`), bytes (`transport`), what happens to a trade (`tape`).

The thread that reads a frame also decodes it and hands it to Kafka's client. There is no queue in between:
the kernel's receive buffer and librdkafka's own queue are the two bounded ones, and a hand-over between
Python threads would only add the interpreter lock's switching time.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from streaming.errors import PlatformError
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
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan, Venue
from streaming.producer.backoff import Backoff, RateLimiter
from streaming.producer.sink import StoppingError
from streaming.producer.tape import Tape
from streaming.producer.transport import ConnectError, ConnectionClosedError, Transport

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
TICK_S: Final = 0.25
BURST: Final = 128
"""A read that brings so many messages shows that this thread is the bottleneck."""


class ExchangeRefusedError(PlatformError):
    """The exchange refuses what is asked of it, and would again."""

    exit_code = 2


class Connection:
    """Runs `plan` until `stop()`.

    Args:
        url: full address.
        tapes: by pair.
        limiter: limits connects of all connections together.
        on_notice: called once when the exchange announces the end of this connection.
        on_ready: called whenever this connection becomes ready.
        on_stale: called with a pair that is silent.
        on_refused: called when the exchange refuses the subscriptions for good; this connection has ended.
        on_fatal: called with what ends the process.
        on_burst: called after many messages were handled at once.
        is_overlap: this connection takes over from a living one, whose tape is ahead of its snapshot.
    """

    def __init__(
        self,
        venue: Venue,
        plan: ConnectionPlan,
        url: str,
        tapes: Mapping[str, Tape],
        limiter: RateLimiter,
        *,
        on_notice: Callable[[Connection], None],
        on_ready: Callable[[Connection], None],
        on_stale: Callable[[Connection, str], None],
        on_refused: Callable[[Connection, PlatformError], None],
        on_fatal: Callable[[PlatformError], None],
        on_burst: Callable[[], None],
        is_overlap: bool = False,
    ) -> None:
        self.plan = plan
        self._venue = venue
        self._url = url
        self._tapes = {pair: tapes[pair] for pair in plan.pairs}
        self._any_tape = self._tapes[plan.pairs[0]]
        self._limiter = limiter
        self._on_notice = on_notice
        self._on_ready = on_ready
        self._on_stale = on_stale
        self._on_refused = on_refused
        self._on_fatal = on_fatal
        self._on_burst = on_burst
        self._is_overlap = is_overlap
        self._stop = threading.Event()
        self._superseded = False
        self._drop_reason: str | None = None
        self._backoff = Backoff()
        self._session: Session | None = None
        self._has_data = False
        self.frames = 0
        self.bad_frames = 0
        self.unknown_events = 0
        self.reconnects: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=f"ws-{plan.name}", daemon=True)

    @property
    def state(self) -> State:
        """How far the current connection has come."""
        session = self._session
        return session.state if session is not None else State.STARTED

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the frame it is working on."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def supersede(self) -> None:
        """Another connection takes over: go on while this one lasts, but do not connect again."""
        self._superseded = True

    def drop(self, reason: str) -> None:
        """Connect anew at the next tick."""
        self._drop_reason = reason

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(connection=self.plan.name)
        try:
            while not self._stop.is_set():
                min_delay_s = self._live()
                self._is_overlap = False
                if self._superseded or self._stop.is_set():
                    return
                delay_s = max(min_delay_s, self._backoff.next_delay_s())
                self._stop.wait(delay_s)
        except StoppingError:
            return
        except ExchangeRefusedError as error:
            self._on_refused(self, error)
        except PlatformError as error:
            self._on_fatal(error)
        except Exception as error:
            log.exception("the connection's thread failed")
            self._on_fatal(PlatformError(f"The connection {self.plan.name} failed: {error!r}."))

    def _live(self) -> float:
        """One connection from handshake to end; return the least seconds to wait before the next."""
        if self._stop.wait(self._limiter.reserve_s()):
            return 0.0
        self._has_data = False
        session = self._session = self._venue.session(self.plan)
        try:
            transport = Transport(self._url, CONNECT_TIMEOUT_S, TICK_S)
        except ConnectError as error:
            self._ended("connect-failed", str(error))
            return 0.0
        try:
            outputs = session.connected(time.monotonic_ns())
            while True:
                for output in outputs:
                    reconnect = self._obey(output, transport)
                    if reconnect is not None:
                        self._ended(reconnect.reason, reconnect.detail)
                        return reconnect.min_delay_s
                if self._stop.is_set():
                    return 0.0
                outputs = self._read(session, transport)
        except ConnectionClosedError as error:
            for output in session.closed(error.code, error.reason):
                reconnect = self._obey(output, transport)
                if reconnect is not None:
                    self._ended(reconnect.reason, reconnect.detail)
                    return reconnect.min_delay_s
            return 0.0
        finally:
            transport.close()

    def _read(self, session: Session, transport: Transport) -> list[Output]:
        """Handle frames until a tick is due or something but market data comes out, and return that."""
        tapes = self._tapes
        frame = session.frame
        tick_ns = time.monotonic_ns() + int(TICK_S * 1e9)
        while True:
            messages, receive_time_ns = transport.receive()
            rest: list[Output] = []
            trades: dict[str, list[TradeEvent]] = {}
            for message in messages:
                for output in frame(message, receive_time_ns):
                    if type(output) is TradeEvent:
                        if output.is_snapshot and self._is_overlap:
                            continue
                        if output.pair in trades:
                            trades[output.pair].append(output)
                        else:
                            trades[output.pair] = [output]
                    elif type(output) is TickerEvent:
                        tapes[output.pair].ticker(output, "snapshot" if output.is_snapshot else "ws")
                        self._has_data = True
                    else:
                        rest.append(output)
            for pair, events in trades.items():
                tapes[pair].trades(events)
                self._has_data = True
            self.frames += len(messages)
            if len(messages) >= BURST:
                self._on_burst()
            if self._has_data and self._backoff.failures:
                self._backoff.reset()
            now_ns = time.monotonic_ns()
            if now_ns >= tick_ns:
                for tape in tapes.values():
                    tape.retry_ticker()
                rest += session.tick(now_ns)
                if self._drop_reason is not None:
                    rest.append(Reconnect(self._drop_reason))
                    self._drop_reason = None
                return rest
            if rest or self._stop.is_set():
                return rest

    def _obey(self, output: Output, transport: Transport) -> Reconnect | None:
        match output:
            case Reconnect():
                return output
            case Fatal():
                raise ExchangeRefusedError(
                    f"{self._venue.name} refuses the connection {self.plan.name} to {self._url} "
                    f"(code {output.code}): {output.message}",
                    output.remedy,
                )
            case Send():
                transport.send(output.text)
            case BadFrame():
                self.bad_frames += 1
                self._tapes.get(output.pair or "", self._any_tape).dead_letter(output)
            case Ready():
                log.info("ready", pairs=len(self.plan.pairs))
                self._on_ready(self)
            case Stale():
                log.info("pair is silent", pair=output.pair, silent_s=round(output.silent_s))
                self._on_stale(self, output.pair)
            case Notice():
                log.warning("the exchange announces the end of this connection", message=output.message)
                self._on_notice(self)
            case Unknown():
                self.unknown_events += 1
                log.info("unknown event", text=output.text[:300])
            case Subscribed():
                log.debug("subscribed", channel=output.channel, pair=output.pair)
        return None

    def _ended(self, reason: str, detail: str) -> None:
        if self._stop.is_set():
            return
        self.reconnects[reason] += 1
        for tape in self._tapes.values() if self.plan.carries_trades else ():
            tape.interrupted(reason)
        log.warning("disconnected", reason=reason, detail=detail, failures=self._backoff.failures)
