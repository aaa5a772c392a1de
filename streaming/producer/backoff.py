"""How long to wait before the next try, and how often something may be done at all.

What belongs here: full-jitter back-off and the rate limiter, both on an injected clock. What does not:
the sleeping itself; callers wait on something they can be woken from.

Source of full jitter: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from streaming.exchanges.venue import RateLimit

WINDOW_MARGIN: Final = 0.05


class Backoff:
    """Full jitter: the first retry is immediate, then uniform in 0..ceiling, the ceiling doubling.

    Args:
        base_s: ceiling of the second retry.
        cap_s: the ceiling never exceeds this.
        rng: source of the jitter.
    """

    def __init__(self, base_s: float = 0.5, cap_s: float = 30.0, rng: random.Random | None = None) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._rng = rng or random.Random()
        self.failures = 0

    def next_delay_s(self) -> float:
        """Count one more failure and return the seconds to wait before the next try."""
        self.failures += 1
        if self.failures == 1:
            return 0.0
        doublings = min(self.failures - 2, 30)
        return self._rng.uniform(0.0, min(self._cap_s, self._base_s * 2**doublings))

    def reset(self) -> None:
        """What we waited for works again."""
        self.failures = 0


class RateLimiter:
    """Lets at most `limit.requests` pass in any `limit.seconds`, for all threads of the process together.

    The exact sliding window: each pass waits until the one `requests` before it is old enough, plus a
    margin, because the exchange counts arrivals and not departures.
    """

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = limit.seconds * (1 + WINDOW_MARGIN)
        self._clock = clock
        self._lock = threading.Lock()
        self._passes: deque[float] = deque(maxlen=limit.requests)

    def reserve_s(self) -> float:
        """Reserve one pass and return the seconds to wait before using it (0.0: use it now)."""
        with self._lock:
            now_s = self._clock()
            at_s = now_s
            if len(self._passes) == self._passes.maxlen:
                at_s = max(now_s, self._passes[0] + self._window_s)
            self._passes.append(at_s)
            return at_s - now_s
