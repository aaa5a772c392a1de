"""The market as the dashboard knows it: what came last, in memory, the same for all viewers.

What belongs here: which record replaces which, and what has changed since a version. What does not: reading
Kafka (`crypto_platform.dashboard.feed`), clocks (times come in as arguments), JSON (`frames`).

Rules: a record older than what is known changes no price. A closed bar replaces the one that formed, and
nothing replaces a closed bar but a closed bar. The same finding twice is one.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from crypto_platform.dashboard import views
from crypto_platform.dashboard.views import BAR_TOPICS, INTERVALS, Candle, Finding, Market
from streaming.records import Anomaly, Bar, CleanTrade, FormingBar, Gap, Ticker, Trade

BARS_KEPT: Final = 240
"""Closed bars kept of each pair and interval: what the warehouse may not have yet, and a forming hour."""
FINDINGS_KEPT: Final = 1_000
STAGE_WINDOW_MS: Final = 10_000

MarketKey = tuple[str, str]
"""(exchange, pair)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it was read: from where, and when (ms since the epoch)."""

    topic: str
    value: Ticker | Trade | Bar | FormingBar | Anomaly | Gap
    read_ms: float


@dataclass(slots=True)
class Stage:
    """How old the records of one hop were when they passed it: the newest, and the worst of two windows."""

    newest_exchange_us: int = 0
    age_ms: float = 0.0
    worst_ms: float = 0.0
    earlier_worst_ms: float = 0.0
    window_began_ms: float = 0.0
    records: int = 0

    def pass_through(self, exchange_us: int, at_ms: float) -> None:
        """A record with this exchange time has passed at `at_ms`."""
        if at_ms - self.window_began_ms > STAGE_WINDOW_MS:
            fresh = at_ms - self.window_began_ms < 2 * STAGE_WINDOW_MS
            self.earlier_worst_ms = self.worst_ms if fresh else 0.0
            self.worst_ms = 0.0
            self.window_began_ms = at_ms
        self.records += 1
        self.age_ms = at_ms - exchange_us / 1000
        self.worst_ms = max(self.worst_ms, self.age_ms)
        self.newest_exchange_us = max(self.newest_exchange_us, exchange_us)

    @property
    def max_ms(self) -> float:
        """The greatest age within the last 10 to 20 seconds of records."""
        return max(self.worst_ms, self.earlier_worst_ms)


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that changed after one version, up to `version`."""

    version: int
    markets: list[Market] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.markets or self.candles or self.findings)


class MarketState:
    """All markets; safe to use from several threads. `acknowledged` tells which findings were seen."""

    def __init__(self, acknowledged: Callable[[], set[str]] = set) -> None:
        self._lock = threading.Lock()
        self._acknowledged = acknowledged
        self._markets: dict[MarketKey, tuple[int, Market]] = {}
        self._quote_times: dict[MarketKey, int] = {}
        self._bars: dict[tuple[str, str, str], OrderedDict[int, tuple[int, Candle]]] = {}
        self._findings: OrderedDict[str, tuple[int, Finding]] = OrderedDict()
        self._gaps: dict[tuple[str, str, int], Gap] = {}
        self.version = 0
        self.counts: Counter[str] = Counter()
        self.stages = {name: Stage() for name in ("producer", "kafka", "flink")}

    def apply(self, arrivals: Iterable[Arrival]) -> None:
        """Take in records in the order in which they were read."""
        with self._lock:
            for arrival in arrivals:
                self._apply(arrival)

    def _apply(self, arrival: Arrival) -> None:
        self.counts[arrival.topic] += 1
        value = arrival.value
        if isinstance(value, Ticker):
            self._take_ticker(value, arrival.read_ms)
        elif isinstance(value, CleanTrade):
            self.stages["flink"].pass_through(value.exchange_time_us, arrival.read_ms)
        elif isinstance(value, Trade):
            self._take_trade(value, arrival.read_ms)
        elif isinstance(value, Bar):
            self._take_candle(views.closed_candle(value, BAR_TOPICS[arrival.topic]))
        elif isinstance(value, FormingBar):
            self._take_candle(views.forming_candle(value))
        elif isinstance(value, Anomaly):
            self._take_finding(views.finding(value))
        else:
            self._gaps[value.exchange, value.pair, value.from_id] = value

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _market(self, key: MarketKey) -> Market:
        known = self._markets.get(key)
        return known[1] if known else Market(exchange=key[0], pair=key[1])

    def _take_ticker(self, ticker: Ticker, read_ms: float) -> None:
        self._pass_by(ticker, read_ms)
        key = (ticker.exchange, ticker.pair)
        if ticker.exchange_time_us < self._quote_times.get(key, 0):
            return
        self._quote_times[key] = ticker.exchange_time_us
        self._markets[key] = (self._next(), views.with_ticker(self._market(key), ticker))

    def _take_trade(self, trade: Trade, read_ms: float) -> None:
        if trade.source == "ws":
            self._pass_by(trade, read_ms)
        key = (trade.exchange, trade.pair)
        before = self._market(key)
        if trade.exchange_time_us >= before.exchange_time_us:
            self._markets[key] = (self._next(), views.with_trade(before, trade))

    def _pass_by(self, record: Ticker | Trade, read_ms: float) -> None:
        self.stages["producer"].pass_through(record.exchange_time_us, record.receive_time_ns / 1e6)
        self.stages["kafka"].pass_through(record.exchange_time_us, read_ms)

    def _take_candle(self, candle: Candle) -> None:
        bars = self._bars.setdefault((candle.exchange, candle.pair, candle.interval), OrderedDict())
        known = bars.get(candle.start_ms)
        if known is not None and known[1].closed and not candle.closed:
            return
        if known is not None and not candle.closed and (candle.as_of_ms or 0) < (known[1].as_of_ms or 0):
            return
        bars[candle.start_ms] = (self._next(), candle)
        while len(bars) > BARS_KEPT:
            bars.popitem(last=False)

    def _take_finding(self, found: Finding) -> None:
        if found.id not in self._findings:
            seen = found.id in self._acknowledged()
            self._findings[found.id] = (self._next(), msgspec.structs.replace(found, acknowledged=seen))
            while len(self._findings) > FINDINGS_KEPT:
                self._findings.popitem(last=False)

    def acknowledge(self, finding_id: str) -> bool:
        """Mark a finding as seen for all viewers; False if there is none of this name."""
        with self._lock:
            if finding_id not in self._findings:
                return False
            _, found = self._findings[finding_id]
            self._findings[finding_id] = (self._next(), msgspec.structs.replace(found, acknowledged=True))
            return True

    def markets(self) -> list[Market]:
        """Every market, by pair and exchange."""
        with self._lock:
            return sorted((m for _, m in self._markets.values()), key=lambda m: (m.pair, m.exchange))

    def findings(self) -> list[Finding]:
        """The findings, the latest first."""
        with self._lock:
            found = [one for _, one in self._findings.values()]
        return sorted(found, key=lambda one: one.exchange_time_us, reverse=True)

    def open_gaps(self) -> list[Gap]:
        """Gaps of the ledger that are neither filled nor given up."""
        with self._lock:
            return [gap for gap in self._gaps.values() if gap.status == "open"]

    def gap_counts(self) -> Counter[str]:
        """How many gaps are in each state."""
        with self._lock:
            return Counter(gap.status for gap in self._gaps.values())

    def candles(self, exchange: str, pair: str, interval: str) -> list[Candle]:
        """What is known of one interval by start: closed bars, and those that form last."""
        with self._lock:
            stored = self._bars.get((exchange, pair, interval), OrderedDict())
            bars = {start: candle for start, (_, candle) in stored.items()}
            if interval != "1m":
                forming = self._folded(exchange, pair, interval)
                if forming is not None:
                    bars[forming.start_ms] = forming
        return [bars[start] for start in sorted(bars)]

    def _folded(self, exchange: str, pair: str, interval: str) -> Candle | None:
        minutes = self._bars.get((exchange, pair, "1m"))
        if not minutes:
            return None
        length = INTERVALS[interval]
        start = max(minutes) // length * length
        if start in self._bars.get((exchange, pair, interval), {}):
            return None  # it is closed
        inside = [minutes[at][1] for at in sorted(minutes) if start <= at < start + length]
        return views.folded(inside, interval)

    def changes_since(self, version: int) -> Changes:
        """What is newer than `version`; of bars only the open ends, which is what a live chart needs."""
        with self._lock:
            markets = [market for at, market in self._markets.values() if at > version]
            findings = [found for at, found in self._findings.values() if at > version]
            candles: list[Candle] = []
            for (exchange, pair, interval), bars in self._bars.items():
                recent = list(bars.values())[-3:]
                fresh = [candle for at, candle in recent if at > version]
                candles += fresh
                if interval == "1m" and fresh:
                    longer = (self._folded(exchange, pair, other) for other in INTERVALS if other != "1m")
                    candles += [candle for candle in longer if candle is not None]
            return Changes(self.version, markets, candles, findings)
