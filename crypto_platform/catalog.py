"""The names under which Dagster knows each box of the platform, and what every declared asset must say.

What belongs here: asset keys, layers, the owner, and the constructor of an external asset. What does not:
the assets themselves (`defs/<domain>/assets.py`).

The first part of a key is the system that holds the asset (an exchange, `kafka`, `snowflake`), the rest is
its name there. The database is left out of a table's key, so that renaming it does not lose its history.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import dagster as dg

from streaming import settings as platform_settings
from streaming import topics

OWNER: Final = "team:data-platform"
ROOT: Final = Path(__file__).parent.parent

Layer = Literal[
    "feeds", "topics", "stream", "warehouse", "bars", "rollups", "statistics", "dashboard", "control"
]
"""Where a box stands between the exchange and the dashboard; it is also the asset's group."""


def topic_key(topic: str) -> dg.AssetKey:
    """The key of a Kafka topic."""
    return dg.AssetKey(["kafka", topic])


def table_key(name: str) -> dg.AssetKey:
    """The key of a table named `SCHEMA.TABLE`."""
    return dg.AssetKey(["snowflake", *name.split(".")])


CONTROL_PLANE: Final = dg.AssetKey(["dagster", "instance"])
DASHBOARD: Final = dg.AssetKey(["dashboard", "pages"])


def feed_key(exchange: str, what: str) -> dg.AssetKey:
    """The key of an exchange's feed of `trades` or `tickers`."""
    return dg.AssetKey([exchange, what])


EXCHANGES: Final = platform_settings.load().exchanges
"""The exchanges that are read."""
FEEDS_OF_TRADES: Final = [feed_key(exchange, "trades") for exchange in EXCHANGES]
FEEDS_OF_TICKERS: Final = [feed_key(exchange, "tickers") for exchange in EXCHANGES]

LOADS_RAW_TICKERS: Final = platform_settings.load().loader_raw_tickers
"""Whether the loader fills RAW.TICKERS besides the quote bars."""

TABLE_OF_TOPIC: Final[dict[str, str]] = {
    topics.CLEAN_TRADES: "RAW.TRADES",
    **({topics.CLEAN_TICKERS: "RAW.TICKERS"} if LOADS_RAW_TICKERS else {}),
    topics.BARS_1M: "MARKET.BARS_1M",
    topics.BARS_5M: "MARKET.BARS_5M",
    topics.BARS_15M: "MARKET.BARS_15M",
    topics.BARS_1H: "MARKET.BARS_1H",
    topics.QUOTE_BARS_1S: "MARKET.QUOTE_BARS_1S",
    topics.LATE_TRADES: "OPS.LATE_TRADES",
    topics.ANOMALIES: "MARKET.ANOMALIES",
    topics.DEAD_LETTERS: "RAW.DEAD_LETTERS",
    topics.GAPS: "OPS.GAPS",
}
"""Which table the loader fills from which topic."""

STEADY_TOPICS: Final = (
    topics.TRADES,
    topics.TICKERS,
    topics.CLEAN_TRADES,
    topics.CLEAN_TICKERS,
    topics.BARS_1M,
    topics.BARS_5M,
    topics.BARS_15M,
    topics.BARS_FORMING,
    topics.QUOTE_BARS_1S,
)
"""Topics that never rest while a market trades; gaps, anomalies, dead letters and late trades are silent on a
good day, and an hour is longer than the limit of `STALE_AFTER`."""

LOADER_KEEPS_UP: Final = "loader_keeps_up"
CHECKPOINTS_ARE_RECENT: Final = "checkpoints_are_recent"
"""Checks that a sensor feeds and a person can also run."""

STALE_AFTER: Final = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=1), warn_window=timedelta(minutes=30)
)
"""For what never rests: sensors report progress every ten minutes, so thirty is three missed reports."""


def code(*paths: str) -> dict[str, dg.CodeReferencesMetadataValue]:
    """Metadata that leads to the files, relative to the repository, in which an asset is made."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Class `(LocalFileCodeReference|CodeReferencesMetadataValue)` is currently in beta"
        )
        references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
            dg.LocalFileCodeReference(file_path=str(ROOT / path), line_number=1, label=path) for path in paths
        ]
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references)}


def external(
    key: dg.AssetKey,
    grain: str,
    *,
    layer: Layer,
    kinds: set[str],
    deps: Iterable[dg.AssetKey] = (),
    metadata: Mapping[str, Any] | None = None,
    steady: bool = False,
) -> dg.AssetSpec:
    """An asset that another process writes.

    Args:
        key: its name.
        grain: what one row or message is, and who writes it.
        layer: its place in the lineage.
        kinds: technologies, at most three.
        deps: what it is made from.
        metadata: anything else worth showing.
        steady: whether silence means trouble; then it carries a freshness policy.
    """
    return dg.AssetSpec(
        key,
        description=grain,
        group_name=layer,
        owners=[OWNER],
        kinds=kinds,
        deps=list(deps),
        tags={"layer": layer},
        metadata=metadata,
        freshness_policy=STALE_AFTER if steady else None,
    )
