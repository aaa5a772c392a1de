"""One row of candles from two sources: the warehouse's history and what Kafka has brought since.

What belongs here: the rule of which bar counts. What does not: reading either source.

For a window both have, the warehouse's bar counts when it was recomputed (its revision is above 0); else they
are equal, and either does. A bar that forms counts only while no closed one of its window is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crypto_platform.dashboard.history import History
from crypto_platform.dashboard.state import MarketState
from crypto_platform.dashboard.views import Candle
from streaming.errors import ServiceUnavailableError


@dataclass(frozen=True, slots=True)
class Series:
    """Candles by start, and why some may be missing (None: nothing is)."""

    candles: list[Candle]
    incomplete: str | None = None


def joined(stored: Iterable[Candle], live: Iterable[Candle]) -> list[Candle]:
    """Both, each window once, by start."""
    bars = {candle.start_ms: candle for candle in stored}
    for candle in live:
        known = bars.get(candle.start_ms)
        if known is None or (candle.closed and known.revision == 0):
            bars[candle.start_ms] = candle
    return [bars[start] for start in sorted(bars)]


def series(
    history: History,
    state: MarketState,
    exchange: str,
    pair: str,
    interval: str,
    begin_ms: int,
    end_ms: int,
) -> Series:
    """The candles whose windows start in [begin_ms, end_ms).

    While the warehouse is away, what is in memory is given, and the series says that it is incomplete.
    """
    incomplete = None
    try:
        stored = history.candles(exchange, pair, interval, begin_ms, end_ms)
    except ServiceUnavailableError:
        stored, incomplete = [], "The warehouse does not answer: only recent bars are shown."
    live = [c for c in state.candles(exchange, pair, interval) if begin_ms <= c.start_ms < end_ms]
    return Series(joined(stored, live), incomplete)
