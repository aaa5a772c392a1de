"""Moving averages of trade prices: the arithmetic of the example consumer.

What belongs here: SMA and EMA of one market, exact, as pure state. What does not: reading Kafka and printing
(`crypto_platform.averages_cli`).

Over the last N prices the simple average is their mean. The exponential one starts with the first price and
goes on as EMA = price * a + EMA * (1 - a) with a = 2 / (N + 1), the usual smoothing of N periods
(NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Final

PLACES: Final = Decimal("0.00000001")
_PRECISION: Final = 40


@dataclass
class Averages:
    """SMA and EMA over `window` trades of one market; a copy of an earlier trade is not counted."""

    window: int
    count: int = 0
    price: Decimal = Decimal(0)
    ema: Decimal = Decimal(0)
    _last_id: int = -1
    _sum: Decimal = Decimal(0)
    _prices: deque[Decimal] = field(default_factory=deque)

    def add(self, trade_id: int, price: str) -> bool:
        """Take a trade in; False if it came before."""
        if trade_id <= self._last_id:
            return False
        self._last_id = trade_id
        self.price = Decimal(price)
        self._prices.append(self.price)
        self._sum += self.price
        if len(self._prices) > self.window:
            self._sum -= self._prices.popleft()
        with localcontext() as context:
            context.prec = _PRECISION
            weight = Decimal(2) / (self.window + 1)
            self.ema = self.price if not self.count else self.price * weight + self.ema * (1 - weight)
        self.count += 1
        return True

    @property
    def sma(self) -> Decimal:
        """The mean of the last prices, as many as there are up to the window; 0 before the first."""
        return self._sum / len(self._prices) if self._prices else Decimal(0)

    @property
    def full(self) -> bool:
        """Whether the simple average covers its whole window."""
        return len(self._prices) == self.window
