"""The check before anything is read: does the exchange answer, is our clock right, do the pairs trade?

What belongs here: `probe`, and the choice that `CRYPTO_SOURCE=auto` stands for. What does not: reading
data.
"""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
import structlog

from streaming.errors import ServiceUnavailableError, UnknownPairError
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest
from streaming.producer import source as sources
from streaming.producer.rest_client import RestClient
from streaming.producer.source import Source
from streaming.producer.transport import ConnectError, Transport
from streaming.settings import Settings

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 5.0
CLOCK_OFFSET_WARNING_MS: Final = 500.0
NEAR_NAMES: Final = 3

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the exchange said. `clock_offset_ms` is the exchange's clock minus ours, half the round trip
    allowed for; it is uncertain by half of `round_trip_ms`."""

    exchange: str
    simulated: bool
    rest_url: str
    ws_url: str
    round_trip_ms: float
    clock_offset_ms: float
    pairs: tuple[str, ...]


def probe(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> ProbeResult:
    """Check the source that the settings prefer (`auto`: the exchange).

    Args:
        transport: in place of the network, for tests; the WebSocket addresses are then not tried.

    Raises:
        ServiceUnavailableError: an address does not answer; names the setting that holds it.
        UnknownPairError: a configured pair does not trade there; names CRYPTO_PAIRS and near names.
    """
    return check(sources.preferred(settings), tuple(settings.partitions), transport=transport)


def choose(settings: Settings) -> tuple[Source, ProbeResult]:
    """The source to read and its check: with `auto`, the exchange or else the simulated exchange.

    Raises: as `probe`.
    """
    source = sources.preferred(settings)
    pairs = tuple(settings.partitions)
    try:
        return source, check(source, pairs)
    except ServiceUnavailableError as error:
        if settings.source != "auto":
            raise
        log.warning("exchange cannot be reached, using the simulated exchange", reason=error.what)
    source = sources.simulator(settings)
    return source, check(source, pairs)


def check(
    source: Source, pairs: Sequence[str], *, transport: httpx.BaseTransport | None = None
) -> ProbeResult:
    """Check one source. Raises as `probe`."""
    client = RestClient(source.rest_url, threading.Event(), transport, timeout_s=TIMEOUT_S)
    try:
        began_ns = time.time_ns()
        began_s = time.monotonic()
        reply = _get(source, client, source.venue.time_request())
        round_trip_s = time.monotonic() - began_s
        offset_us = _read(source, lambda: source.venue.time_us(reply)) - (
            began_ns / 1000 + round_trip_s * 500_000
        )
        listing = _get(source, client, source.venue.instruments_request())
        refuse_unknown_pairs(source.exchange, pairs, _read(source, lambda: source.venue.instruments(listing)))
    finally:
        client.close()
    if transport is None:
        _try_websockets(source, pairs)
    offset_ms = offset_us / 1000
    if abs(offset_ms) > CLOCK_OFFSET_WARNING_MS:
        log.warning("our clock differs from the exchange's: latencies will be wrong", offset_ms=offset_ms)
    return ProbeResult(
        exchange=source.exchange,
        simulated=source.simulated,
        rest_url=source.rest_url,
        ws_url=source.ws_url,
        round_trip_ms=round_trip_s * 1000,
        clock_offset_ms=offset_ms,
        pairs=tuple(pairs),
    )


def refuse_unknown_pairs(exchange: str, pairs: Sequence[str], instruments: Sequence[Instrument]) -> None:
    """Raise UnknownPairError for the first pair that does not exist or does not trade."""
    states = {instrument.pair: instrument for instrument in instruments}
    live = [instrument.pair for instrument in instruments if instrument.live]
    for pair in pairs:
        found = states.get(pair)
        if found is not None and found.live:
            continue
        near = difflib.get_close_matches(pair, live, n=NEAR_NAMES, cutoff=0.5)
        remedy = f"Did you mean {', '.join(near)}?" if near else "Name a spot pair that trades there."
        if found is None:
            raise UnknownPairError(f"CRYPTO_PAIRS names {pair}, which {exchange} does not have.", remedy)
        raise UnknownPairError(
            f"CRYPTO_PAIRS names {pair}, which does not trade on {exchange} now (state {found.state!r}).",
            remedy,
        )


def _unreachable(source: Source, setting: str, url: str, reason: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"{source.exchange} cannot be reached at {url}: {reason}", f"Check the network and {setting}."
    )


def _get(source: Source, client: RestClient, request: RestRequest) -> RestReply:
    try:
        return client.get(request)
    except RestError as error:
        raise _unreachable(source, source.rest_setting, source.rest_url, error.what) from error


def _read(source: Source, parse: Callable[[], _Parsed]) -> _Parsed:
    try:
        return parse()
    except RestError as error:
        raise _unreachable(source, source.rest_setting, source.rest_url, error.what) from error


def _try_websockets(source: Source, pairs: Sequence[str]) -> None:
    for path in dict.fromkeys(plan.path for plan in source.venue.connections(pairs)):
        url = source.ws_url + path
        try:
            Transport(url, TIMEOUT_S, TIMEOUT_S).close()
        except ConnectError as error:
            raise _unreachable(source, source.ws_setting, url, f"{error}.") from error
