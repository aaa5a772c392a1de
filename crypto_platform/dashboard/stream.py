"""The live stream: server-sent events of what changes, to a limited number of viewers.

What belongs here: the pace, who may listen, and one viewer's loop. What does not: what a frame holds
(`frames`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from crypto_platform.dashboard.frames import Frames

PACE_S: Final = 0.05
"""Between frames: short against what a person sees, long enough for a hundred ticks to become one change."""
HEARTBEAT_S: Final = 2.0
VIEWERS_MAX: Final = 200


class Stream:
    """The frames as they are made, for every viewer at once.

    Args:
        frames: what is sent.
        snapshot_extra: what a snapshot has besides the market.
    """

    def __init__(self, frames: Frames, snapshot_extra: Callable[[], dict[str, Any]]) -> None:
        self._frames = frames
        self._snapshot_extra = snapshot_extra
        self._made = asyncio.Condition()
        self._stopped = False
        self.viewers = 0

    @property
    def full(self) -> bool:
        """Whether no further viewer is taken."""
        return self.viewers >= VIEWERS_MAX

    async def run(self) -> None:
        """Make frames until `stop`."""
        while not self._stopped:
            await asyncio.sleep(PACE_S)
            if self._frames.advance(time.time_ns() / 1e6):
                await self._wake()
        await self._wake()

    async def _wake(self) -> None:
        async with self._made:
            self._made.notify_all()

    def close(self) -> None:
        """Let `run` and every viewer's loop end soon, without waiting for them."""
        self._stopped = True

    async def stop(self) -> None:
        """End `run` and every viewer's loop."""
        self.close()
        await self._wake()

    async def events(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """One viewer's events: what followed the last it has seen, or a snapshot; then every frame."""
        self.viewers += 1
        try:
            frames = self._frames
            position = frames.position(last_event_id)
            missed = None if position is None else frames.after(position)
            begin = missed if missed is not None else self._snapshot()
            position = frames.number
            yield b"retry: 1000\n\n" + begin
            while not self._stopped:
                await self._wait(position)
                if frames.number == position:
                    yield frames.heartbeat(time.time_ns() / 1e6)
                    continue
                following = frames.after(position)
                position = frames.number
                if following is None:
                    frames.skipped += 1
                    following = self._snapshot()
                yield following
        finally:
            self.viewers -= 1

    def _snapshot(self) -> bytes:
        return self._frames.snapshot(time.time_ns() / 1e6, self._snapshot_extra())

    async def _wait(self, position: int) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_S), self._made:
                await self._made.wait_for(lambda: self._stopped or self._frames.number > position)
        except TimeoutError:
            return
