"""Candles of what was traded, kept minute by minute as trades happen.

What belongs here: exact open, high, low, close and volumes in ticks and lots, and their folding into longer
bars. What does not: the text a venue gives them.

Open and close follow (exchange time, trade id), not the order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streaming.simulator.events import Fill

MINUTE_MS = 60_000
MINUTES_KEPT = 31 * 1440
DAY_MINUTES = 1440


@dataclass(slots=True)
class Candle:
    """A bar. Prices in ticks, `volume` in lots, `quote_volume` in ticks times lots."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    count: int
    first: tuple[int, int]
    """(time_ms, trade id) of the opening trade."""
    last: tuple[int, int]

    def add(self, other: Candle) -> None:
        """Take in another candle, whatever the order of the two."""
        if other.first < self.first:
            self.first, self.open = other.first, other.open
        if other.last > self.last:
            self.last, self.close = other.last, other.close
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.volume += other.volume
        self.quote_volume += other.quote_volume
        self.count += other.count


def _copy(candle: Candle, start_ms: int) -> Candle:
    return Candle(
        start_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.quote_volume,
        candle.count,
        candle.first,
        candle.last,
    )


class MinuteCandles:
    """The minutes of one pair that had trades, and the last day's statistics."""

    def __init__(self) -> None:
        self._minutes: dict[int, Candle] = {}
        self._day: Candle | None = None
        self._day_until = 0
        self._opens: dict[int, int] = {}
        self._newest_ms = 0

    def add(self, fill: Fill) -> None:
        """Count one fill."""
        time_ms, price, size = fill.time_ms, fill.price, fill.size
        start = time_ms - time_ms % MINUTE_MS
        if start < self._newest_ms:
            self._day_until = 0
            self._opens.clear()
        else:
            self._newest_ms = start
        candle = self._minutes.get(start)
        key = (time_ms, fill.trade_id)
        if candle is None:
            self._minutes[start] = Candle(start, price, price, price, price, size, price * size, 1, key, key)
            if len(self._minutes) > MINUTES_KEPT:
                del self._minutes[min(self._minutes)]
            return
        if key > candle.last:
            candle.last, candle.close = key, price
        elif key < candle.first:
            candle.first, candle.open = key, price
        if price > candle.high:
            candle.high = price
        elif price < candle.low:
            candle.low = price
        candle.volume += size
        candle.quote_volume += price * size
        candle.count += 1

    def newest_first(self, minutes: int = 1, offset_ms: int = 0) -> Iterator[Candle]:
        """Bars of that many minutes; `offset_ms` moves their edges away from multiples since 1970 in UTC."""
        length = minutes * MINUTE_MS
        bar: Candle | None = None
        for key in sorted(self._minutes, reverse=True):
            minute = self._minutes[key]
            start = (minute.start_ms + offset_ms) // length * length - offset_ms
            if bar is not None and bar.start_ms == start:
                bar.add(minute)
                continue
            if bar is not None:
                yield bar
            bar = _copy(minute, start)
        if bar is not None:
            yield bar

    def last_day(self, now_ms: int) -> Candle | None:
        """The 24 hours up to the end of the minute of `now_ms` as one candle; None without trades."""
        current = now_ms - now_ms % MINUTE_MS
        if current + MINUTE_MS != self._day_until:
            span = (self._minutes.get(current - k * MINUTE_MS) for k in range(DAY_MINUTES - 1, 0, -1))
            self._day = _fold(c for c in span if c is not None)
            self._day_until = current + MINUTE_MS
        now = self._minutes.get(current)
        return _fold(c for c in (self._day, now) if c is not None)

    def open_since(self, start_ms: int, now_ms: int) -> int | None:
        """The first price at or after a minute's start; None if there is none up to `now_ms`."""
        if start_ms not in self._opens:
            start = min((key for key in self._minutes if start_ms <= key <= now_ms), default=None)
            if start is None:
                return None
            # The minute that is forming may still get an earlier trade.
            if start == self._newest_ms:
                return self._minutes[start].open
            if len(self._opens) > 8:
                self._opens.clear()
            self._opens[start_ms] = self._minutes[start].open
        return self._opens[start_ms]


def _fold(candles: Iterable[Candle]) -> Candle | None:
    total: Candle | None = None
    for candle in candles:
        if total is None:
            total = _copy(candle, candle.start_ms)
        else:
            total.add(candle)
    return total
