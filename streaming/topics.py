"""Kafka topics: their names, partitions and settings, and which pair goes to which partition.

What belongs here: names and placement, as pure data and functions. What does not: talking to Kafka
(creation is in `streaming.kafka`), the shape of a message (`streaming.records`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streaming.errors import SettingsError

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
    """Every topic of the platform with `partitions` partitions, 168 h retention (forming bars 1 h) and
    snappy."""
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
        TopicSpec(name, partitions, replication_factor, config | (forming if name == BARS_FORMING else {}))
        for name in ALL_TOPICS
    ]


def assign_partitions(pairs: list[tuple[str, int | None]]) -> dict[str, int]:
    """Map each configured pair to its partition.

    The seed pairs have theirs; any other pair must name its own (`DOGE-USDT:5`), so that no later edit
    of the list can move it.

    Raises:
        SettingsError: a pair stands twice, lacks a partition, contradicts the seed, or shares one.
    """
    taken = {partition: pair for pair, partition in SEED_PARTITIONS.items()}
    assigned: dict[str, int] = {}
    for pair, wanted in pairs:
        if pair in assigned:
            raise SettingsError(f"CRYPTO_PAIRS names {pair} twice.", "Name each pair once.")
        seed = SEED_PARTITIONS.get(pair)
        if seed is not None:
            if wanted is not None and wanted != seed:
                raise SettingsError(
                    f"CRYPTO_PAIRS places {pair} on partition {wanted}, but it is on {seed} for good.",
                    f"Write {pair} or {pair}:{seed}.",
                )
            assigned[pair] = seed
            continue
        if wanted is None:
            raise SettingsError(
                f"CRYPTO_PAIRS names {pair}, which has no partition yet.",
                f"Give it one that is free, and never change it: {pair}:{max(taken) + 1}.",
            )
        if wanted in taken:
            raise SettingsError(
                f"CRYPTO_PAIRS places {pair} on partition {wanted}, which belongs to {taken[wanted]}.",
                f"Use a free one: {pair}:{max(taken) + 1}.",
            )
        taken[wanted] = pair
        assigned[pair] = wanted
    return assigned


def partition_count(assigned: dict[str, int]) -> int:
    """Partitions every topic needs: one for each placed pair, and never fewer than the seed's five."""
    return max([*SEED_PARTITIONS.values(), *assigned.values()]) + 1
