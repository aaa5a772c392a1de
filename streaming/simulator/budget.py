"""A budget that refills as time passes: so much in any window, for whoever asks for the same thing.

What belongs here: counting. What does not: what is counted, and the answer when nothing is left (a venue).
"""

from __future__ import annotations

from collections import deque


class Budget:
    """At most `amount` in any `window_us` microseconds."""

    def __init__(self, amount: int, window_us: int) -> None:
        self._left = amount
        self._window_us = window_us
        self._spent: deque[tuple[int, int]] = deque()

    def wait_us(self, cost: int, now_us: int) -> int:
        """Spend `cost` and return 0; or spend nothing and return in how many microseconds to ask again."""
        spent = self._spent
        while spent and now_us - spent[0][0] >= self._window_us:
            self._left += spent.popleft()[1]
        if cost <= self._left:
            self._left -= cost
            spent.append((now_us, cost))
            return 0
        left = self._left
        for at_us, amount in spent:
            left += amount
            if left >= cost:
                return at_us + self._window_us - now_us
        return self._window_us
