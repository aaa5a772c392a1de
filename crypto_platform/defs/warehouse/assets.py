"""The tables that the loader writes.

What belongs here: one external asset per such table. What does not: tables that Dagster computes or corrects
(`defs/rollups`), the tables' definition (`snowflake_sql/migrations`) and loading (`streaming.loader`).
"""

from typing import Any

import dagster as dg

from crypto_platform import catalog
from crypto_platform.table_schemas import table_metadata
from streaming import topics


def loaded(
    topic: str, grain: str, *, layer: catalog.Layer = "warehouse", steady: bool = False, **metadata: Any
) -> dg.AssetSpec:
    """The table that the loader fills from `topic`."""
    name = catalog.TABLE_OF_TOPIC[topic]
    return catalog.external(
        catalog.table_key(name),
        grain,
        layer=layer,
        kinds={"snowflake", "table"},
        deps=[catalog.topic_key(topic)],
        metadata={
            **table_metadata(name),
            **catalog.code("streaming/loader/rows.py", "snowflake_sql/schema.sql"),
            **metadata,
        },
        steady=steady,
    )


trades = loaded(
    topics.CLEAN_TRADES,
    "One row per trade (exchange, pair, trade id), loaded exactly once with its Kafka partition and offset.",
    steady=True,
)

tickers = (
    loaded(
        topics.CLEAN_TICKERS,
        "One row per ticker push (exchange, pair, producer, epoch, sequence number), with its Kafka "
        "partition "
        "and offset.",
        steady=True,
    )
    if catalog.LOADS_RAW_TICKERS
    else None
)

quote_bars_1s = loaded(
    topics.QUOTE_BARS_1S,
    "One row per pair and second that had a quote (exchange, pair, window start): bid and ask as bars, "
    "and the "
    "spread weighted with time. It stands for the tickers, which are loaded only by setting.",
    layer="bars",
    steady=True,
)

late_trades = loaded(
    topics.LATE_TRADES,
    "One row per trade (exchange, pair, trade id) that came after its bar was closed, so that the bar was "
    "recomputed.",
)

anomalies = loaded(
    topics.ANOMALIES,
    "One row per finding (exchange, pair, rule, subject): what a rule flagged, its score and the threshold.",
)

dead_letters = loaded(
    topics.DEAD_LETTERS,
    "One row per message that could not become a record or a row, with its raw text and the reason.",
)

gaps = loaded(
    topics.GAPS,
    "One row per gap (exchange, pair, first missing trade id) in its latest state: open, filled or "
    "unrecoverable.",
)
