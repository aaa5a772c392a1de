"""The dashboard's Prometheus metrics, read from the parts' own counters when somebody asks.

What belongs here: names and help texts. What does not: counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crypto_platform.dashboard.feed import Feed
from crypto_platform.dashboard.frames import Frames
from crypto_platform.dashboard.history import History
from crypto_platform.dashboard.state import MarketState

_PREFIX: Final = "crypto_dashboard_"


class DashboardCollector(Collector):
    """Yields every metric; `viewers` tells how many streams are open."""

    def __init__(
        self, state: MarketState, feed: Feed, frames: Frames, history: History, viewers: Callable[[], int]
    ) -> None:
        self._state = state
        self._feed = feed
        self._frames = frames
        self._history = history
        self._viewers = viewers

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(f"{_PREFIX}viewers", "Streams that are open", self._viewers())
        yield CounterMetricFamily(
            f"{_PREFIX}frames", "Frames made, each for all viewers", self._frames.number
        )
        yield CounterMetricFamily(
            f"{_PREFIX}skips", "Times a slow viewer skipped to a snapshot", self._frames.skipped
        )
        yield GaugeMetricFamily(f"{_PREFIX}kafka_connected", "1 while Kafka is read", self._feed.connected)
        yield GaugeMetricFamily(f"{_PREFIX}lag", "Tickers and trades in Kafka not read yet", self._feed.lag)
        yield CounterMetricFamily(
            f"{_PREFIX}unreadable_records", "Records of Kafka in an unknown form", self._feed.unreadable
        )
        records = CounterMetricFamily(f"{_PREFIX}records", "Records read, by topic", labels=["topic"])
        for topic, count in sorted(self._state.counts.copy().items()):
            records.add_metric([topic], count)
        yield records
        last = GaugeMetricFamily(
            f"{_PREFIX}last_exchange_time_seconds",
            "Exchange time of the newest record of a pair",
            labels=["exchange", "pair"],
        )
        for market in self._state.markets():
            last.add_metric([market.exchange, market.pair], market.exchange_time_us / 1e6)
        yield last
        ages = GaugeMetricFamily(
            f"{_PREFIX}stage_age_seconds",
            "Greatest age of a record when it had passed the stage, last 10 to 20 s",
            labels=["stage"],
        )
        for name, stage in self._state.stages.items():
            ages.add_metric([name], stage.max_ms / 1000)
        yield ages
        yield GaugeMetricFamily(f"{_PREFIX}open_gaps", "Gaps that are open", len(self._state.open_gaps()))
        yield CounterMetricFamily(
            f"{_PREFIX}history_queries", "Statements sent to the warehouse", self._history.queries
        )
        yield CounterMetricFamily(
            f"{_PREFIX}history_hits",
            "Chunks of bars of questions that the cache answered alone",
            self._history.hits,
        )


def registry(collector: DashboardCollector) -> CollectorRegistry:
    """A registry with these metrics alone."""
    made = CollectorRegistry()
    made.register(collector)
    return made
