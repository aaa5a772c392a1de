"""The one loop that lets time pass in the market.

What belongs here: waiting until something is due, and the clock. What does not: what happens then.
"""

from __future__ import annotations

import asyncio
import time

from streaming.simulator.hub import Hub
from streaming.simulator.market import Market

SHORTEST_WAIT_SECONDS = 0.001
"""Trades due within this time go out in one batch."""


class WallClock:
    """UTC in microseconds since 1970. It never goes back: if the system's clock does, it stands still."""

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        self._last_us = max(time.time_ns() // 1000, self._last_us)
        return self._last_us


class Engine:
    """Advances the market and flushes the hub, sleeping until the next trade or ticker is due."""

    def __init__(self, market: Market, hub: Hub, clock: WallClock) -> None:
        self._market = market
        self._hub = hub
        self._clock = clock
        self._wake = asyncio.Event()

    def now_us(self) -> int:
        return self._clock.now_us()

    def step(self) -> None:
        """Do what is due now."""
        self._market.advance(self._clock.now_us())
        self._hub.flush()

    def wake(self) -> None:
        """Something outside has changed what is due."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._market.open(self._clock.now_us())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._trade(), name="simulator-trades")
            tasks.create_task(self._every_second(), name="simulator-seconds")

    async def _trade(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.step()
            due_us = self._market.next_due_us()
            timer = None
            if due_us is not None:
                wait = max((due_us - self._clock.now_us()) / 1e6, SHORTEST_WAIT_SECONDS)
                timer = loop.call_later(wait, self._wake.set)
            await self._wake.wait()
            self._wake.clear()
            if timer is not None:
                timer.cancel()

    async def _every_second(self) -> None:
        while True:
            self._hub.on_second()
            await asyncio.sleep(1.0)
