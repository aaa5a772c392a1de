"""Kafka topics: their names, partitions and settings.

What belongs here: names and settings, as pure data. What does not: talking to Kafka (creation is in
`streaming.kafka`), the shape of a message (`streaming.records`), which pair goes where (`streaming.pairs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICKERS: Final = "CryptoCurrency_analysis"
TRADES: Final = "CryptoCurrency_trades"
CLEAN_TRADES: Final = "CryptoCurrency_clean_trades"
CLEAN_TICKERS: Final = "CryptoCurrency_clean_tickers"
BARS_1M: Final = "CryptoCurrency_bars_1m"
BARS_5M: Final = "CryptoCurrency_bars_5m"
BARS_15M: Final = "CryptoCurrency_bars_15m"
BARS_1H: Final = "CryptoCurrency_bars_1h"
BARS_FORMING: Final = "CryptoCurrency_bars_forming"
QUOTE_BARS_1S: Final = "CryptoCurrency_quote_bars_1s"
LATE_TRADES: Final = "CryptoCurrency_late_trades"
ANOMALIES: Final = "CryptoCurrency_anomalies"
GAPS: Final = "CryptoCurrency_gaps"
DEAD_LETTERS: Final = "CryptoCurrency_dead_letters"
PAIRS: Final = "CryptoCurrency_pairs"
"""Which partition each pair has (`streaming.pair_registry`); one partition, kept for ever."""

ALL_TOPICS: Final = (
    TICKERS,
    TRADES,
    CLEAN_TRADES,
    CLEAN_TICKERS,
    BARS_1M,
    BARS_5M,
    BARS_15M,
    BARS_1H,
    BARS_FORMING,
    QUOTE_BARS_1S,
    LATE_TRADES,
    ANOMALIES,
    GAPS,
    DEAD_LETTERS,
)
"""The topics of records, partitioned by pair."""

SEED_PARTITIONS: Final[dict[str, int]] = {
    "BTC-USDT": 0,
    "ETH-USDT": 1,
    "SOL-USDT": 2,
    "BNB-USDT": 3,
    "XRP-USDT": 4,
}
"""The five first pairs. A pair's partition never changes, on any exchange."""

REPLICATION_FACTOR: Final = 3
RETENTION_HOURS: Final = 168
FORMING_RETENTION_HOURS: Final = 1
"""A bar that forms is of no use once its minute is closed, and there is one a second and pair."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is created: partitions, replication factor and its configuration."""

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str]


def topic_specs(partitions: int, replication_factor: int = REPLICATION_FACTOR) -> list[TopicSpec]:
    """Every topic: those of records with `partitions` partitions, 168 h retention (forming bars 1 h) and
    snappy; the pairs'."""
    config = {
        "retention.ms": str(RETENTION_HOURS * 3_600_000),
        "compression.type": "snappy",
        "min.insync.replicas": str(max(1, replication_factor - 1)),
        "message.timestamp.type": "CreateTime",
    }
    forming = {
        "retention.ms": str(FORMING_RETENTION_HOURS * 3_600_000),
        # Only whole segments are removed, so they must not last much longer than what they hold.
        "segment.ms": str(FORMING_RETENTION_HOURS * 3_600_000 // 2),
    }
    return [
        *(
            TopicSpec(
                name, partitions, replication_factor, config | (forming if name == BARS_FORMING else {})
            )
            for name in ALL_TOPICS
        ),
        TopicSpec(PAIRS, 1, replication_factor, config | {"retention.ms": "-1"}),
    ]
