"""How long to wait before the next try, and how often something may be done at all.

What belongs here: full-jitter back-off and the token bucket, both on an injected clock. What does not:
the sleeping itself; callers wait on something they can be woken from.

Source of full jitter: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from streaming.exchanges.venue import RateLimit


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


class TokenBucket:
    """Lets at most `limit.requests` pass in `limit.seconds`, shared by all threads of the process.

    Tokens come back one by one, evenly, so the limit also holds in every sliding window up to one burst.
    """

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = limit.seconds / limit.requests
        self._burst_s = limit.seconds / 2
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = clock() - self._burst_s

    def reserve_s(self) -> float:
        """Take one token and return the seconds to wait before using it (0.0: use it now)."""
        with self._lock:
            now_s = self._clock()
            at_s = max(self._next_s, now_s - self._burst_s + self._interval_s)
            self._next_s = at_s + self._interval_s
            return max(0.0, at_s - now_s)
