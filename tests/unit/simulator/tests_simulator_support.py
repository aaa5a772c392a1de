"""A clock that a test moves by hand, and a market that has already traded."""

from __future__ import annotations

from streaming.simulator.engine import WallClock
from streaming.simulator.generator import GeneratedSource
from streaming.simulator.instruments import instruments_of
from streaming.simulator.market import Market

START_US = 1_800_000_000_000_000


class ManualClock(WallClock):
    """Stands still until it is told."""

    def __init__(self, start_us: int = START_US) -> None:
        super().__init__()
        self._now_us = start_us

    def now_us(self) -> int:
        return self._now_us

    def pass_seconds(self, seconds: float) -> None:
        self._now_us += round(seconds * 1e6)


def filled_market(fills: int, history_limit: int = 5_000_000) -> tuple[Market, ManualClock]:
    """A market in which BTC-USDT has made that many fills, about one a second."""
    instruments = instruments_of(())
    sources = {pair: GeneratedSource(7, instrument, 1.0) for pair, instrument in instruments.items()}
    market = Market(instruments, sources, tickers_per_second=10.0, history_limit=history_limit)
    clock = ManualClock()
    market.open(clock.now_us())
    desk = market.desks["BTC-USDT"]
    while desk.tape.evicted + len(desk.tape) < fills:
        clock.pass_seconds(0.5)
        market.advance(clock.now_us())
    return market, clock
