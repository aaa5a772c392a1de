"""The loader's Prometheus metrics.

What belongs here: their declaration and how a finished batch is counted. What does not: serving them
(`streaming.telemetry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streaming.loader.batch import Batch, TopicPartition
from streaming.loader.sink import Written

SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60)


class LoaderMetrics:
    """All metrics, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter("crypto_loader_rows", "Rows written, by table", ["table"], registry=self.registry)
        self.duplicates = Counter(
            "crypto_loader_duplicates",
            "Rows dropped because their identity was loaded already, by table",
            ["table"],
            registry=self.registry,
        )
        self.quarantined = Counter(
            "crypto_loader_quarantined", "Messages sent to RAW.DEAD_LETTERS", registry=self.registry
        )
        self.dropped = Counter(
            "crypto_loader_rows_dropped",
            "Rows that Snowpipe Streaming left out and that are dead letters now, by table; alert above 0",
            ["table"],
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "crypto_loader_batch_seconds",
            "Time of one transaction",
            registry=self.registry,
            buckets=SECONDS,
        )
        self.latency_seconds = Histogram(
            "crypto_exchange_to_warehouse_seconds",
            "From the exchange's time of a record to the commit of its row, by table",
            ["table"],
            registry=self.registry,
            buckets=SECONDS,
        )
        self.lag = Gauge(
            "crypto_loader_lag",
            "Messages not read yet",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.last_commit = Gauge(
            "crypto_loader_last_commit_timestamp_seconds",
            "When the last transaction was committed",
            registry=self.registry,
        )
        self.lost_offsets = Counter(
            "crypto_loader_lost_offsets",
            "Times Kafka no longer had the offset to load next, by topic",
            ["topic"],
            registry=self.registry,
        )
        self.warehouse_up = Gauge(
            "crypto_loader_warehouse_up",
            "1 while the warehouse takes batches",
            registry=self.registry,
        )

    def count(self, batch: Batch, written: Written, seconds: float) -> None:
        """Count one committed batch that took `seconds`."""
        for table, rows in written.rows.items():
            self.rows.labels(table).inc(rows)
        for counted in (written.duplicates, batch.repeated):
            for table, rows in counted.items():
                self.duplicates.labels(table).inc(rows)
        for table, rows in written.dropped.items():
            self.dropped.labels(table).inc(rows)
        self.quarantined.inc(batch.quarantined + sum(written.dropped.values()))
        self.batch_seconds.observe(seconds)
        self.last_commit.set(written.committed_at_ns / 1e9)
        committed_at_us = written.committed_at_ns // 1000
        for kind, entries in batch.entries.items():
            latency = self.latency_seconds.labels(kind.name)
            for entry in entries.values():
                if entry.exchange_time_us is not None:
                    latency.observe((committed_at_us - entry.exchange_time_us) / 1e6)

    def set_lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """Show how much of each partition is left."""
        for (topic, partition), messages in lag.items():
            self.lag.labels(topic, str(partition)).set(messages)
