"""Examines a venue for a person: how fast and how completely its REST and WebSocket answer, with a sample of
what they say.

What belongs here: measuring and judging. What does not: the yes or no that a start asks for
(`streaming.producer.preflight`) and how results look (`crypto_platform`).

The exchange's list of pairs comes first, then every planned connection beside more questions to REST, each
in a thread, until all have answered or the time is up. Nothing here raises for what an exchange or a network
does: it becomes part of the report.
"""

from __future__ import annotations

import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import httpx
import msgspec
import structlog
import websocket

from streaming.exchanges.events import Fatal, Output, Reconnect, Send, Subscribed, TickerEvent, TradeEvent
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan, Instrument, RestError, RestRequest
from streaming.pairs import PairChoice
from streaming.producer import source as sources
from streaming.producer.backoff import RateLimiter
from streaming.producer.preflight import TIMEOUT_S, choose_pairs
from streaming.producer.rest_client import RestClient
from streaming.producer.source import Source
from streaming.producer.transport import ConnectError, ConnectionClosedError, Transport

log = structlog.get_logger(__name__)

SAMPLES: Final = 5
SAMPLING_SHARE: Final = 0.4
"""Of the time that is left; a venue may allow no more than one request a second."""
POLL_S: Final = 0.05
GRACE_S: Final = 0.5
LISTING_SHARE: Final = 0.3
"""Of the whole time: what the list of pairs may take before the named ones are tried without it."""
WHOLE_SECOND_US: Final = 1_000_000
_FORBIDDEN: Final = (403, 451)


class RestReport(msgspec.Struct):
    """`latency_ms` is the median round trip of `samples` requests on an open connection, `connect_ms` that of
    the first one, which opened it. `clock_offset_ms` is the exchange's clock minus ours, taken from the
    fastest sample, right to within `clock_uncertainty_ms`: half its round trip, and half a second where the
    exchange tells whole seconds."""

    url: str
    ok: bool = False
    error: str | None = None
    samples: int = 0
    connect_ms: float | None = None
    latency_ms: float | None = None
    latency_min_ms: float | None = None
    latency_max_ms: float | None = None
    clock_offset_ms: float | None = None
    clock_uncertainty_ms: float | None = None


class ConnectionReport(msgspec.Struct):
    """One planned connection. Times are milliseconds: `handshake_ms` from nothing to an open WebSocket, the
    others from there."""

    name: str
    url: str
    ok: bool = False
    error: str | None = None
    handshake_ms: float | None = None
    first_ack_ms: float | None = None
    first_data_ms: float | None = None
    ready_ms: float | None = None
    trades: int = 0
    tickers: int = 0


class PairReport(msgspec.Struct):
    """One pair: its state in the exchange's words, what is wrong with it, and the first trade and ticker as
    parsed. A pair without a trade may just be quiet."""

    pair: str
    trading: bool | None = None
    state: str | None = None
    error: str | None = None
    trade: TradeEvent | None = None
    ticker: TickerEvent | None = None


class VenueReport(msgspec.Struct):
    """The whole examination; `ok` when REST answers, every connection delivers, and every pair trades."""

    exchange: str
    simulated: bool
    rest: RestReport
    connections: list[ConnectionReport]
    pairs: list[PairReport]

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence each."""
        found = [self.rest.error] if self.rest.error else []
        found += [connection.error for connection in self.connections if connection.error]
        found += [pair.error for pair in self.pairs if pair.error]
        return found


def examine(source: Source, choice: PairChoice, seconds: float) -> VenueReport:
    """Examine one venue, taking at most about `seconds`."""
    return examine_all([source], choice, seconds)[0]


def examine_all(sources: Sequence[Source], choice: PairChoice, seconds: float) -> list[VenueReport]:
    """Examine several venues at the same time, taking at most about `seconds` altogether."""
    began_s = time.monotonic()
    examinations = [_Examination(source, choice, began_s + seconds) for source in sources]
    for examination in examinations:
        examination.start()
    for examination in examinations:
        examination.go_on_without_list(began_s + seconds * LISTING_SHARE)
    return [examination.report() for examination in examinations]


class _RefusedError(Exception):
    """The exchange refuses what is asked of it; the text has its code, its words and the remedy."""


class _Sample(NamedTuple):
    round_trip_ms: float
    offset_ms: float
    clock_us: int


class _Examination:
    def __init__(self, source: Source, choice: PairChoice, deadline_s: float) -> None:
        self._source = source
        self._choice = choice
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._listed = threading.Event()
        self._limiter = RateLimiter(source.venue.connect_limit)
        self._rest_limiters: dict[str, RateLimiter] = {}
        self._rest = RestReport(source.rest_url)
        self._pairs = {pair: PairReport(pair) for pair in choice.named}
        self._connections: dict[str, ConnectionReport] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._spawn("rest", self._ask_rest)

    def go_on_without_list(self, at_s: float) -> None:
        """Wait for the exchange's list of pairs, until `at_s`; without one, try the pairs that are named."""
        self._listed.wait(max(0.0, at_s - time.monotonic()))
        self._open_connections(tuple(self._choice.named))

    def _spawn(self, name: str, job: Callable[[], None]) -> None:
        # A resolver that hangs cannot be interrupted, so these threads must not keep the process.
        name = f"probe-{self._source.exchange}-{name}"
        thread = threading.Thread(target=job, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _open_connections(self, pairs: Sequence[str]) -> None:
        """Start reading `pairs`; what comes second has no effect."""
        with self._lock:
            if self._listed.is_set():
                return
            plans = self._source.venue.connections(list(pairs)) if pairs else []
            for pair in pairs:
                self._pairs.setdefault(pair, PairReport(pair))
            for plan in plans:
                url = self._source.ws_url + plan.path
                self._connections[plan.name] = ConnectionReport(plan.name, url)
                self._spawn(plan.name, partial(self._read, plan))
            self._listed.set()

    def report(self) -> VenueReport:
        """Wait for the threads, or for the end of the time, and judge."""
        for thread in self._threads:
            thread.join(max(0.0, self._deadline_s + GRACE_S - time.monotonic()))
        self._stop.set()
        source = self._source
        with self._lock:
            report = VenueReport(
                source.exchange,
                source.simulated,
                msgspec.structs.replace(self._rest),
                [msgspec.structs.replace(connection) for connection in self._connections.values()],
                [msgspec.structs.replace(pair) for pair in self._pairs.values()],
            )
        if not report.rest.ok and report.rest.error is None:
            report.rest.error = self._unreachable(source.rest_url, "no answer in time", source.rest_setting)
        for connection in report.connections:
            if not connection.ok and connection.error is None:
                reason = (
                    "no answer in time"
                    if connection.handshake_ms is None
                    else "no subscription was acknowledged in time"
                    if connection.first_ack_ms is None
                    else "no data in time"
                )
                connection.error = self._unreachable(connection.url, reason, source.ws_setting)
        return report

    def _left_s(self) -> float:
        return self._deadline_s - time.monotonic()

    def _unreachable(self, url: str, reason: str, setting: str) -> str:
        remedy = f"Check the network and {setting}."
        if setting == sources.STACK_SETTING:
            remedy = f"Does the stack run (`crypto-platform up`), with this {setting}?"
        return f"{self._source.exchange} at {url}: {reason}. {remedy}"

    def _ask_rest(self) -> None:
        source, report = self._source, self._rest
        client = RestClient(source.rest_url, self._stop, timeout_s=max(0.1, min(TIMEOUT_S, self._left_s())))
        try:
            samples = [self._sample(client)]
            listing = source.venue.instruments_request()
            self._await_limit(listing)
            reply = client.get(listing)
            self._open_connections(self._judge_pairs(source.venue.instruments(reply)))
            until_s = time.monotonic() + self._left_s() * SAMPLING_SHARE
            while len(samples) <= SAMPLES and time.monotonic() < until_s:
                samples.append(self._sample(client))
            self._judge_samples(samples)
            with self._lock:
                report.ok = True
        except RestError as error:
            with self._lock:
                report.error = self._unreachable(source.rest_url, plain_reason(error), source.rest_setting)
            self._open_connections(tuple(self._choice.named))
        finally:
            client.close()

    def _await_limit(self, request: RestRequest) -> None:
        """Return when the venue's limit allows the request: the client's own wait would look like latency."""
        limiter = self._rest_limiters.setdefault(request.limit.name, RateLimiter(request.limit))
        self._stop.wait(limiter.reserve_s())

    def _sample(self, client: RestClient) -> _Sample:
        venue = self._source.venue
        request = venue.time_request()
        self._await_limit(request)
        began_ns, began_s = time.time_ns(), time.monotonic()
        reply = client.get(request)
        round_trip_ms = (time.monotonic() - began_s) * 1e3
        clock_us = venue.time_us(reply)
        return _Sample(round_trip_ms, clock_us / 1e3 - began_ns / 1e6 - round_trip_ms / 2, clock_us)

    def _judge_samples(self, samples: Sequence[_Sample]) -> None:
        report = self._rest
        warm_ms = [sample.round_trip_ms for sample in samples[1:]] or [samples[0].round_trip_ms]
        best = min(samples)
        parts = {sample.clock_us % WHOLE_SECOND_US for sample in samples}
        is_coarse = len(samples) > 1 and parts == {WHOLE_SECOND_US // 2}
        with self._lock:
            report.samples = len(warm_ms)
            report.connect_ms = round(samples[0].round_trip_ms, 2)
            report.latency_ms = round(statistics.median(warm_ms), 2)
            report.latency_min_ms, report.latency_max_ms = round(min(warm_ms), 2), round(max(warm_ms), 2)
            report.clock_offset_ms = round(best.offset_ms, 2)
            report.clock_uncertainty_ms = round(best.round_trip_ms / 2 + (500 if is_coarse else 0), 2)

    def _judge_pairs(self, instruments: Sequence[Instrument]) -> tuple[str, ...]:
        """Note which pairs trade, and return those to read."""
        states = {instrument.pair: instrument.state for instrument in instruments}
        pairs, unknown = choose_pairs(self._source.exchange, self._choice, instruments)
        with self._lock:
            for pair in pairs:
                self._pairs[pair] = PairReport(pair, trading=True, state=states[pair])
            for pair, error in unknown.items():
                self._pairs[pair] = PairReport(pair, trading=False, state=states.get(pair), error=str(error))
        return pairs

    def _read(self, plan: ConnectionPlan) -> None:
        report = self._connections[plan.name]
        if self._stop.wait(self._limiter.reserve_s()):
            return
        try:
            began_s = time.monotonic()
            transport = Transport(report.url, max(0.1, min(TIMEOUT_S, self._left_s())), POLL_S)
        except ConnectError as error:
            with self._lock:
                report.error = self._unreachable(report.url, plain_reason(error), self._source.ws_setting)
            return
        with self._lock:
            report.handshake_ms = _ms_since(began_s)
        try:
            reason = self._listen(plan, report, transport)
        except ConnectionClosedError as error:
            reason = f"the exchange closed the connection ({error})"
        except _RefusedError as error:
            with self._lock:
                report.error = f"{self._source.exchange} refuses {report.url} with {error}"
            return
        finally:
            transport.close()
        if reason is not None:
            with self._lock:
                report.error = self._unreachable(report.url, reason, self._source.ws_setting)

    def _listen(self, plan: ConnectionPlan, report: ConnectionReport, transport: Transport) -> str | None:
        """Read until all has been seen or the time is up; return what went wrong.

        Raises:
            ConnectionClosedError: the exchange ended it.
            _RefusedError: it refuses what is asked.
        """
        session: Session = self._source.venue.session(plan)
        open_s = time.monotonic()
        outputs: list[Output] = session.connected(time.monotonic_ns())
        while True:
            for output in outputs:
                if isinstance(output, Send):
                    transport.send(output.text)
                elif isinstance(output, Reconnect):
                    return f"{output.reason} {output.detail}".strip()
                elif isinstance(output, Fatal):
                    raise _RefusedError(f"code {output.code}: {output.message} {output.remedy}")
                else:
                    self._note(output, report, open_s)
            if session.state is State.READY:
                with self._lock:
                    report.ok = True
                    report.ready_ms = report.ready_ms or _ms_since(open_s)
            if self._left_s() <= 0 or self._stop.is_set() or self._satisfied(plan, report):
                with self._lock:
                    report.ok = report.ok or bool(report.trades + report.tickers)
                return None
            messages, receive_time_ns = transport.receive()
            outputs = [o for message in messages for o in session.frame(message, receive_time_ns)]
            outputs += session.tick(time.monotonic_ns())

    def _note(self, output: Output, report: ConnectionReport, open_s: float) -> None:
        with self._lock:
            match output:
                case Subscribed():
                    report.first_ack_ms = report.first_ack_ms or _ms_since(open_s)
                case TradeEvent():
                    report.trades += 1
                    report.first_data_ms = report.first_data_ms or _ms_since(open_s)
                    pair = self._pairs[output.pair]
                    if pair.trade is None or pair.trade.is_snapshot:
                        pair.trade = output
                case TickerEvent():
                    report.tickers += 1
                    report.first_data_ms = report.first_data_ms or _ms_since(open_s)
                    pair = self._pairs[output.pair]
                    pair.ticker = pair.ticker or output
                case _:
                    log.debug("event", exchange=self._source.exchange, output=repr(output)[:300])

    def _satisfied(self, plan: ConnectionPlan, report: ConnectionReport) -> bool:
        """Whether this connection has shown all that is asked of it."""
        with self._lock:
            if not report.ok:
                return False
            # The ticker may come on another connection: a reader does not know which channel brings it.
            pairs = [self._pairs[pair] for pair in plan.pairs]
            return all(pair.trade is not None and pair.ticker is not None for pair in pairs)


def _ms_since(began_s: float) -> float:
    return round((time.monotonic() - began_s) * 1e3, 2)


def plain_reason(error: BaseException) -> str:
    """Why an address does not answer, in words a person knows, from the error that began it."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for link in chain:
        match link:
            case socket.gaierror():
                return "its host name cannot be resolved (DNS)"
            case ssl.SSLCertVerificationError():
                return f"its TLS certificate is not accepted ({link.verify_message})"
            case ssl.SSLError():
                return f"TLS fails ({link.strerror or link})"
            case ConnectionRefusedError():
                return "nothing listens there (connection refused)"
            case websocket.WebSocketBadStatusException():
                status = link.status_code
                region = "; it may not serve this region" if status in _FORBIDDEN else ""
                return f"the WebSocket handshake is answered with HTTP {status}{region}"
            case TimeoutError() | httpx.TimeoutException() | websocket.WebSocketTimeoutException():
                return "no answer in time"
    return str(error).rstrip(".")
