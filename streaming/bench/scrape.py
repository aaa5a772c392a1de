"""What a running producer says about itself, in numbers.

What belongs here: reading `/metrics` and quantiles of its histograms. What does not: which metrics exist
(`streaming.producer.metrics`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "crypto_producer_"
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """Sums over all pairs. Histograms map an upper bound in seconds to a cumulative count."""

    sent: int
    duplicates: int
    gaps: int
    queue_depth: int
    blocked_s: float
    acked: int
    receive_to_acked: Mapping[float, int]
    exchange_to_receive: Mapping[float, int]


def scrape(port: int) -> Scrape:
    """Ask the producer whose endpoint is on 127.0.0.1:port. Raises httpx.HTTPError."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S)
    answer.raise_for_status()
    totals: dict[str, float] = {}
    histograms: dict[str, dict[float, int]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX)
            if name.endswith("_bucket"):
                buckets = histograms.setdefault(name.removesuffix("_bucket"), {})
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0) + int(sample.value)
            else:
                totals[name] = totals.get(name, 0.0) + sample.value
    acked = histograms.get("receive_to_acked_seconds", {})
    return Scrape(
        sent=int(totals.get("trades_total", 0)),
        duplicates=int(totals.get("duplicates_dropped_total", 0)),
        gaps=int(totals.get("gaps_total", 0)),
        queue_depth=int(totals.get("queue_depth", 0)),
        blocked_s=totals.get("blocked_seconds_total", 0.0),
        acked=acked.get(math.inf, 0),
        receive_to_acked=acked,
        exchange_to_receive=histograms.get("exchange_to_receive_seconds", {}),
    )


def between(before: Mapping[float, int], after: Mapping[float, int]) -> dict[float, int]:
    """The cumulative counts of what was observed between two scrapes."""
    return {bound: count - before.get(bound, 0) for bound, count in after.items()}


def quantile_ms(cumulative: Mapping[float, int], quantile: float) -> float | None:
    """A quantile in milliseconds, interpolated within its bucket as Prometheus does; None without data.

    What lies beyond the last finite bound is given as that bound.

    Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
    """
    total = cumulative.get(math.inf, 0)
    if total == 0:
        return None
    wanted = quantile * total
    below_bound, below_count = 0.0, 0
    for bound in sorted(cumulative):
        count = cumulative[bound]
        if count >= wanted:
            if math.isinf(bound):
                return below_bound * 1000
            share = (wanted - below_count) / (count - below_count) if count > below_count else 1.0
            return (below_bound + (bound - below_bound) * share) * 1000
        below_bound, below_count = bound, count
    return below_bound * 1000
