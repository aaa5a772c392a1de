"""A simulated exchange that speaks every venue's protocol, and recordings made from it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streaming import settings
from streaming.capture.reader import RecordingReader
from streaming.capture.recorder import Limits, Progress, record
from streaming.producer import source as sources
from streaming.producer.source import Source
from streaming.settings import Settings
from tests.unit.simulator.conftest import Running
from tests.unit.simulator.conftest import start as start

PAIRS = ("BTC-USDT", "ETH-USDT")
VENUES = ("BINANCE", "BYBIT", "COINBASE", "KRAKEN", "OKX")
LIMITS = Limits(seconds=30.0, compressed_bytes=10**9)


def environment(running: Running) -> dict[str, str]:
    """The settings that point every venue at the exchange under test."""
    values = {"CRYPTO_PAIRS": ",".join(PAIRS), "CRYPTO_SOURCE": "okx"}
    for name, (ws_path, rest_path) in sources.SIMULATED_BASES.items():
        values[f"CRYPTO_{name.upper()}_WS_URL"] = f"ws://127.0.0.1:{running.port}{ws_path}"
        values[f"CRYPTO_{name.upper()}_REST_URL"] = f"http://127.0.0.1:{running.port}{rest_path}"
    return values


def load(running: Running, **more: str) -> Settings:
    return settings.load({**environment(running), **more})


@dataclass(frozen=True)
class Recorded:
    """A finished recording and what its recorder counted."""

    running: Running
    source: Source
    folder: Path
    progress: Progress

    def read(self) -> RecordingReader:
        return RecordingReader(self.folder)

    def truth(self, pair: str, first_id: int, last_id: int) -> list[dict[str, Any]]:
        """What was really traded, by the exchange's own ids."""
        rows: list[dict[str, Any]] = self.running.get(
            "/truth/trades", pair=pair, from_id=first_id, to_id=last_id, limit=10_000
        )["trades"]
        return rows


Recorder = Callable[..., Recorded]


@pytest.fixture
def recorded(start: Callable[..., Running], tmp_path: Path) -> Recorder:
    """Records a venue until a condition holds: `recorded("OKX", until=..., limits=...)`."""

    def recorder(
        name: str,
        until: Callable[[Running, Progress], bool] = lambda running, progress: trades_of(progress) > 150,
        limits: Limits = LIMITS,
    ) -> Recorded:
        running = start(sim_trades_per_second=400.0)
        running.until(lambda: all(running.get("/truth/trades", pair=p, limit=1)["trades"] for p in PAIRS))
        stop = threading.Event()
        source = sources.exchange(load(running), name)

        def look(progress: Progress) -> None:
            if until(running, progress):
                stop.set()

        folder = tmp_path / f"recording-{name}"
        progress = record(source, PAIRS, folder, limits, stop, look)
        assert stop.is_set(), f"the recording ended after {progress.seconds} s without what the test wants"
        return Recorded(running, source, folder, progress)

    return recorder


def trades_of(progress: Progress) -> int:
    return sum(count.trades for count in progress.connections)
