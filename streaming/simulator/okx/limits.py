"""OKX's rate limits, as its documentation states them.

What belongs here: counting. What does not: the answers (`rest`, `channels`).
"""

from __future__ import annotations

from collections import deque

WINDOW_US = 2_000_000
SUBSCRIBE_BUDGET = 480
SUBSCRIBE_REFILL_US = 7_500_000


class WindowLimit:
    """At most `count` requests in any two seconds."""

    def __init__(self, count: int) -> None:
        self._times: deque[int] = deque(maxlen=count)

    def take(self, now_us: int) -> bool:
        """Count a request; False if it is one too many, which is not counted."""
        times = self._times
        if len(times) == times.maxlen and now_us - times[0] < WINDOW_US:
            return False
        times.append(now_us)
        return True


class RequestBudget:
    """480 subscribe and unsubscribe requests an hour and connection, refilled one every 7.5 s."""

    def __init__(self) -> None:
        self._left = float(SUBSCRIBE_BUDGET)
        self._at_us: int | None = None

    def take(self, now_us: int) -> bool:
        """Count a request; False if the budget is spent."""
        if self._at_us is not None:
            refilled = self._left + (now_us - self._at_us) / SUBSCRIBE_REFILL_US
            self._left = min(refilled, SUBSCRIBE_BUDGET)
        self._at_us = now_us
        if self._left < 1:
            return False
        self._left -= 1
        return True
