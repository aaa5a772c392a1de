"""The check before anything is read: does the exchange answer, is our clock right, do the pairs trade?

What belongs here: `probe`, and the choice that `CRYPTO_SOURCE=auto` stands for. What does not: reading
data.
"""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
import structlog

from streaming.errors import ServiceUnavailableError, UnknownPairError
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest
from streaming.pairs import PairChoice
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


class PairNotTradingError(UnknownPairError):
    """A configured pair exists on the exchange and is suspended there, or not open yet."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the exchange said. `clock_offset_ms` is the exchange's clock minus ours, half the round trip
    allowed for; it is uncertain by half of `round_trip_ms`. `pairs` are to be read; `unknown` are the named
    ones that do not trade there, each with the error that says so."""

    exchange: str
    simulated: bool
    rest_url: str
    ws_url: str
    round_trip_ms: float
    clock_offset_ms: float
    pairs: tuple[str, ...]
    unknown: Mapping[str, UnknownPairError]


def probe(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> list[ProbeResult]:
    """Check every exchange that the settings prefer (`auto`: the real one).

    Args:
        transport: in place of the network, for tests; the WebSocket addresses are then not tried.

    Raises:
        ServiceUnavailableError: an address does not answer; names the setting that holds it.
        UnknownPairError: a configured pair is at none of them; names CRYPTO_PAIRS and near names.
    """
    results = [
        check(settings, sources.preferred(settings, name), transport=transport) for name in settings.exchanges
    ]
    nowhere = set.intersection(*(set(result.unknown) for result in results))
    refuse([error for pair, error in results[0].unknown.items() if pair in nowhere], results)
    return results


def choose(settings: Settings, name: str) -> tuple[Source, ProbeResult]:
    """Where to read the exchange `name`, and its check: with `auto`, the exchange or else the simulated one.

    A pair that this exchange lacks is left out when another exchange is configured beside it.

    Raises: as `probe`.
    """
    source = sources.preferred(settings, name)
    try:
        result = check(settings, source)
    except ServiceUnavailableError as error:
        if settings.source != "auto":
            raise
        log.warning("exchange cannot be reached, using the simulated exchange", reason=error.what)
        source = sources.simulator(settings, name)
        result = check(settings, source)
    alone = len(settings.exchanges) == 1
    refuse(list(result.unknown.values()) if alone or not result.pairs else [], [result])
    for left_out in result.unknown.values():
        log.warning("pair is left out", reason=left_out.what)
    return source, result


def refuse(unknown: Sequence[UnknownPairError], results: Sequence[ProbeResult]) -> None:
    """Raise the first of `unknown` that makes a start pointless: a pair that does not exist, or any pair when
    none is left to read. One that only rests is waited for (`streaming.producer.listing`)."""
    none_left = not any(result.pairs for result in results)
    for error in unknown:
        if none_left or not isinstance(error, PairNotTradingError):
            raise error


def check(settings: Settings, source: Source, *, transport: httpx.BaseTransport | None = None) -> ProbeResult:
    """Check one source. Raises as `probe`, but for pairs: those it lacks are in the result."""
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
        instruments = _read(source, lambda: source.venue.instruments(listing))
    finally:
        client.close()
    pairs, unknown = choose_pairs(source.exchange, settings.pair_choice, instruments)
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
        pairs=pairs,
        unknown=unknown,
    )


def choose_pairs(
    exchange: str, choice: PairChoice, instruments: Sequence[Instrument]
) -> tuple[tuple[str, ...], dict[str, UnknownPairError]]:
    """The pairs to read now, and for each named pair that does not trade there, why.

    Of a currency's pairs only those that trade are meant, so none of them can be unknown.
    """
    states = {instrument.pair: instrument for instrument in instruments}
    live = [instrument.pair for instrument in instruments if instrument.live]
    unknown: dict[str, UnknownPairError] = {}
    for pair in choice.named:
        found = states.get(pair)
        if found is not None and found.live:
            continue
        near = difflib.get_close_matches(pair, live, n=NEAR_NAMES, cutoff=0.5)
        remedy = f"Did you mean {', '.join(near)}?" if near else "Name a spot pair that trades there."
        if found is not None:
            what = (
                f"CRYPTO_PAIRS names {pair}, which does not trade on {exchange} now (state {found.state!r})."
            )
            unknown[pair] = PairNotTradingError(what, remedy)
        else:
            what = f"CRYPTO_PAIRS names {pair}, which {exchange} does not have."
            unknown[pair] = UnknownPairError(what, remedy)
    pairs = tuple(pair for pair in choice.of(live) if pair not in unknown)
    if not pairs and not unknown:
        quotes = ", ".join(choice.quotes)
        unknown[quotes] = UnknownPairError(
            f"CRYPTO_PAIRS asks for every {quotes} pair, and {exchange} has none that trades.",
            "Name another currency, for example all-usdt.",
        )
    return pairs, unknown


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
