"""The Prometheus metrics of the job service.

What belongs here: declarations. What does not: values (`streaming.flink.watcher` sets them), the operators'
own metrics (Flink's reporters serve those).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """One set of metrics in a registry of its own; those of a job have the label `job`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.up = self._gauge("crypto_flink_job_up", "1 while every task of the job runs")
        self.checkpoint_age = self._gauge(
            "crypto_flink_checkpoint_age_seconds", "Seconds since the latest completed checkpoint"
        )
        self.checkpoint_duration = self._gauge(
            "crypto_flink_checkpoint_duration_seconds", "Duration of the latest completed checkpoint"
        )
        self.checkpoint_size = self._gauge(
            "crypto_flink_checkpoint_size_bytes", "State size of the latest completed checkpoint"
        )
        self.restarts = self._gauge("crypto_flink_restarts", "Restarts within this life of the job")
        self.pending = self._gauge("crypto_flink_pending_records", "Kafka records not read yet")
        self.late = self._gauge(
            "crypto_flink_late_records", "Rows dropped behind the watermark in this life of the job"
        )
        self.quote_records = Gauge(
            "crypto_flink_quote_records",
            "Tickers the tick job read (in), quote bars the bars job wrote (out), in this life of each",
            ["direction"],
            registry=self.registry,
        )
        self.quote_bytes = Gauge(
            "crypto_flink_quote_bytes",
            "Bytes of the tickers read (in) and of the quote bars written for them (out)",
            ["direction"],
            registry=self.registry,
        )
        self.duplicates = self._gauge(
            "crypto_flink_duplicate_records", "Copies dropped by de-duplication in this life of the job"
        )
        self.submissions = Counter(
            "crypto_flink_submissions",
            "Submissions of the job by this service",
            ["job"],
            registry=self.registry,
        )

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ["job"], registry=self.registry)
