"""The producer's Prometheus metrics, read from the parts' own plain counters when somebody asks.

What belongs here: names, labels, help texts. What does not: counting; the hot path only adds to integers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streaming.exchanges.session import State
from streaming.producer.connection import Connection
from streaming.producer.detour import Detour
from streaming.producer.ledger import GapLedger
from streaming.producer.sink import KafkaSink
from streaming.producer.tape import LATENCY_BUCKETS_S, Latency, Tape

_PREFIX = "crypto_producer_"


class Running(Protocol):
    """What the metrics are read from."""

    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def tapes(self) -> Mapping[str, Tape]: ...
    @property
    def ledger(self) -> GapLedger: ...
    @property
    def sink(self) -> KafkaSink: ...
    @property
    def exchange(self) -> str: ...


class ProducerCollector(Collector):
    """Yields every metric of a running producer."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def collect(self) -> Iterator[Metric]:
        yield from self._connections()
        yield from self._tapes()
        yield from self._gaps()
        sink = self._running.sink
        yield GaugeMetricFamily(
            f"{_PREFIX}queue_depth", "Messages that Kafka has not acknowledged yet", sink.depth
        )
        yield CounterMetricFamily(
            f"{_PREFIX}blocked_seconds", "Seconds in which reading waited for Kafka", sink.blocked_seconds
        )
        if sink.detour is not None:
            yield from _spool(sink.detour)

    def _connections(self) -> Iterator[Metric]:
        frames: Counter[str] = Counter()
        bad: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        reconnects: Counter[tuple[str, str]] = Counter()
        ready: dict[str, bool] = {}
        for connection in self._running.connections:
            name = connection.plan.name
            frames[name] += connection.frames
            bad[name] += connection.bad_frames
            unknown[name] += connection.unknown_events
            ready[name] = ready.get(name, False) or connection.state is State.READY
            for reason, count in connection.reconnects.copy().items():
                reconnects[(name, reason)] += count
        for suffix, text, counts in (
            ("frames", "WebSocket messages received", frames),
            ("parse_errors", "Frames or rows that went to the dead letters", bad),
            ("unknown_events", "Well-formed messages without a rule", unknown),
        ):
            family = CounterMetricFamily(f"{_PREFIX}{suffix}", text, labels=["connection"])
            for name, value in counts.items():
                family.add_metric([name], value)
            yield family
        lost = CounterMetricFamily(
            f"{_PREFIX}reconnects", "Connections lost, by reason", labels=["connection", "reason"]
        )
        for (name, reason), value in reconnects.items():
            lost.add_metric([name, reason], value)
        yield lost
        up = GaugeMetricFamily(
            f"{_PREFIX}connection_ready", "1 when all data of the connection flows", labels=["connection"]
        )
        for name, is_ready in ready.items():
            up.add_metric([name], float(is_ready))
        yield up

    def _tapes(self) -> Iterator[Metric]:
        labels = ["exchange", "pair"]
        exchange = self._running.exchange
        trades = CounterMetricFamily(f"{_PREFIX}trades", "Trades sent to Kafka", labels=[*labels, "source"])
        tickers = CounterMetricFamily(f"{_PREFIX}tickers", "Tickers sent to Kafka", labels=labels)
        duplicates = CounterMetricFamily(
            f"{_PREFIX}duplicates_dropped", "Trades that were seen before", labels=labels
        )
        conflated = CounterMetricFamily(
            f"{_PREFIX}tickers_conflated",
            "Tickers replaced by newer ones before they were sent",
            labels=labels,
        )
        last = GaugeMetricFamily(
            f"{_PREFIX}last_data_time_seconds", "When data last came", labels=[*labels, "record"]
        )
        acked = HistogramMetricFamily(
            f"{_PREFIX}receive_to_acked_seconds",
            "From the socket to Kafka's acknowledgement, trades",
            labels=labels,
        )
        received = HistogramMetricFamily(
            f"{_PREFIX}exchange_to_receive_seconds",
            "From the exchange's time of a trade to the socket, live trades; two clocks",
            labels=labels,
        )
        ahead = CounterMetricFamily(
            f"{_PREFIX}exchange_clock_ahead",
            "Live trades that the exchange's clock puts after their arrival",
            labels=labels,
        )
        for pair, tape in self._running.tapes.items():
            key = [exchange, pair]
            for source, value in tape.trades_by_source.items():
                trades.add_metric([*key, source], value)
            tickers.add_metric(key, tape.tickers_sent)
            duplicates.add_metric(key, tape.duplicates)
            conflated.add_metric(key, tape.tickers_conflated)
            for record, time_ns in (("trade", tape.last_trade_ns), ("ticker", tape.last_ticker_ns)):
                if time_ns:
                    last.add_metric([*key, record], time_ns / 1e9)
            _add(acked, key, tape.receive_to_acked)
            _add(received, key, tape.exchange_to_receive)
            ahead.add_metric(key, tape.exchange_to_receive.negative)
        yield from (trades, tickers, duplicates, conflated, last, acked, received, ahead)

    def _gaps(self) -> Iterator[Metric]:
        labels = ["exchange", "pair"]
        exchange = self._running.exchange
        total = CounterMetricFamily(
            f"{_PREFIX}gaps", "Gaps that went into a status", labels=[*labels, "status"]
        )
        for (pair, status), count in self._running.ledger.counts.copy().items():
            total.add_metric([exchange, pair, status], count)
        open_now: Counter[str] = Counter()
        missing: Counter[str] = Counter()
        oldest_us = time.time_ns() // 1000
        for gap in self._running.ledger.open_gaps():
            open_now[gap.pair] += 1
            missing[gap.pair] += gap.to_id - gap.from_id + 1
            oldest_us = min(oldest_us, gap.detected_at_us)
        gaps = GaugeMetricFamily(f"{_PREFIX}gaps_open", "Gaps being filled", labels=labels)
        ids = GaugeMetricFamily(f"{_PREFIX}gap_trades_open", "Trades in open gaps", labels=labels)
        for pair in self._running.tapes:
            gaps.add_metric([exchange, pair], open_now[pair])
            ids.add_metric([exchange, pair], missing[pair])
        yield from (total, gaps, ids)
        yield GaugeMetricFamily(
            f"{_PREFIX}oldest_gap_age_seconds",
            "Age of the oldest open gap, 0 when there is none",
            time.time() - oldest_us / 1e6 if open_now else 0.0,
        )


def _spool(detour: Detour) -> Iterator[Metric]:
    yield GaugeMetricFamily(f"{_PREFIX}spool_bytes", "Bytes on disk that wait for Kafka", detour.bytes)
    for suffix, text, value in (
        ("spooled_records", "Records that went to disk because Kafka was away", detour.appended),
        ("drained_records", "Records from disk that Kafka has acknowledged", detour.drained),
        ("spooling_seconds", "Seconds in which records went through the disk", detour.seconds),
    ):
        yield CounterMetricFamily(f"{_PREFIX}{suffix}", text, value)


def _add(family: HistogramMetricFamily, labels: Sequence[str], latency: Latency) -> None:
    bounds = [*map(str, LATENCY_BUCKETS_S), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(latency.counts)), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=latency.sum_ns / 1e9)


def registry(running: Running) -> CollectorRegistry:
    """A registry of its own for one running producer."""
    result = CollectorRegistry()
    result.register(ProducerCollector(running))
    return result
