"""Puts the simulated exchange together from the settings.

What belongs here: building the parts and the HTTP application. What does not: the process (`__main__`).
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.settings import Settings
from streaming.simulator.binance.streams import BinanceVenue
from streaming.simulator.bybit.channels import BybitVenue
from streaming.simulator.coinbase.feed import CoinbaseVenue
from streaming.simulator.control import Control
from streaming.simulator.engine import Engine, WallClock
from streaming.simulator.events import Fill, Source
from streaming.simulator.generator import FIRST_ID, GeneratedSource
from streaming.simulator.hub import IDLE_SECONDS, Hub, Venue
from streaming.simulator.instruments import Instrument, instruments_of, listed_pairs
from streaming.simulator.journal import Journal
from streaming.simulator.kraken.channels import KrakenVenue
from streaming.simulator.market import HISTORY_LIMIT, Market
from streaming.simulator.okx.channels import OkxVenue
from streaming.simulator.recording import ReplaySource, SilentSource, read_recordings
from streaming.simulator.truth import Truth


@dataclass(frozen=True, slots=True)
class Exchange:
    """The parts of a running simulated exchange."""

    market: Market
    hub: Hub
    engine: Engine
    app: Starlette
    journal: Journal | None


def build(
    settings: Settings,
    *,
    clock: WallClock | None = None,
    keep: bool = True,
    limits: bool = True,
    idle_seconds: float = IDLE_SECONDS,
) -> Exchange:
    """The simulated exchange that the settings describe.

    Args:
        clock: time in the market.
        keep: in generate mode, keep the tape in `CRYPTO_HOME` and go on from there after a restart.
        limits: enforce the venues' rate limits.
        idle_seconds: after which a connection without data is closed.

    Raises:
        SettingsError: the recording cannot be replayed, or `CRYPTO_HOME` cannot be written.
    """
    instruments = instruments_of(traded_pairs(settings))
    journal: Journal | None = None
    if settings.sim_mode == "replay":
        market = _replay(settings, instruments)
    else:
        if keep:
            folder = settings.home / "simulator" / f"seed-{settings.sim_seed}"
            journal = Journal(folder, max(HISTORY_LIMIT // len(instruments), 1))
        market = _generate(settings, instruments, journal)
    hub = Hub(market, idle_seconds)
    engine = Engine(market, hub, clock or WallClock())
    venues: list[Venue] = [
        OkxVenue(market, hub, engine, limits=limits),
        BinanceVenue(market, hub, engine, limits=limits),
        CoinbaseVenue(market, hub, engine, limits=limits),
        KrakenVenue(market, hub, engine, limits=limits),
        BybitVenue(market, hub, engine, limits=limits),
    ]
    for venue in venues:
        hub.register(venue)
    control = Control(market, hub, engine, venues, settings.sim_mode)
    app = Starlette(
        routes=[
            *(route for venue in venues for route in venue.routes()),
            *Truth(market, engine).routes(),
            *control.routes(),
            Route("/ready", _ready),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    return Exchange(market, hub, engine, app, journal)


def traded_pairs(settings: Settings) -> tuple[str, ...]:
    """What trades: the pairs that CRYPTO_PAIRS names, and for `all-usdt` as many as CRYPTO_SIM_PAIRS says."""
    choice = settings.pair_choice
    return choice.of(listed_pairs(settings.sim_pairs) if choice.quotes else ())


def registry_of(exchange: Exchange) -> CollectorRegistry:
    """Prometheus metrics, read from the market at each scrape."""

    class Collector:
        def collect(self) -> list[GaugeMetricFamily]:
            trades = GaugeMetricFamily("simulator_trades", "Trades kept", labels=["pair"])
            for pair, desk in exchange.market.desks.items():
                trades.add_metric([pair], len(desk.tape))
            connections = GaugeMetricFamily(
                "simulator_connections", "Open WebSocket connections", len(exchange.hub.connections)
            )
            return [trades, connections]

    registry = CollectorRegistry()
    registry.register(Collector())
    return registry


def _generate(settings: Settings, instruments: dict[str, Instrument], journal: Journal | None) -> Market:
    total = sum(instrument.weight for instrument in instruments.values())
    sources: dict[str, Source] = {}
    restored: dict[str, list[Fill]] = {}
    for pair, instrument in instruments.items():
        restored[pair] = journal.load(pair) if journal else []
        index = restored[pair][-1].trade_id + 1 - FIRST_ID if restored[pair] else 0
        rate = settings.sim_trades_per_second * instrument.weight / total
        sources[pair] = GeneratedSource(settings.sim_seed, instrument, rate, index)
    return Market(
        instruments,
        sources,
        tickers_per_second=settings.sim_tickers_per_second,
        journal=journal,
        restored=restored,
    )


def _replay(settings: Settings, instruments: dict[str, Instrument]) -> Market:
    assert settings.sim_recording is not None
    recordings = read_recordings(settings.sim_recording, traded_pairs(settings))
    sources: dict[str, Source] = dict.fromkeys(instruments, SilentSource())
    for pair, recording in recordings.items():
        instruments[pair] = recording.instrument
        sources[pair] = ReplaySource(recording, settings.sim_speed)
    return Market(
        instruments,
        sources,
        tickers_per_second=settings.sim_tickers_per_second,
        start_on_demand=True,
    )


async def _ready(request: Request) -> Response:
    return JSONResponse({"ready": True})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"ok": False, "error": error.detail}, status_code=error.status_code)
