"""The Kafka topics that the producer writes.

What belongs here: one external asset per such topic. What does not: topics that Flink writes
(`defs/flink`), and how topics are created (`streaming.kafka`).
"""

from crypto_platform import catalog, table_schemas
from streaming import records, topics

raw_trades = catalog.external(
    catalog.topic_key(topics.TRADES),
    "One message per trade as the producer received it, in one partition per pair. A trade can stand twice "
    "after a reconnect or a back-fill; the clean topic has it once.",
    layer="topics",
    kinds={"kafka", "json"},
    deps=catalog.FEEDS_OF_TRADES,
    metadata={
        "topic": topics.TRADES,
        **table_schemas.record_metadata(records.Trade),
        **catalog.code("streaming/producer/tape.py", "streaming/records.py"),
    },
    steady=True,
)

raw_tickers = catalog.external(
    catalog.topic_key(topics.TICKERS),
    "One message per ticker push as the producer received it, in one partition per pair; under pressure "
    "older pushes give way to the latest.",
    layer="topics",
    kinds={"kafka", "json"},
    deps=catalog.FEEDS_OF_TICKERS,
    metadata={
        "topic": topics.TICKERS,
        **table_schemas.record_metadata(records.Ticker),
        **catalog.code("streaming/producer/tape.py", "streaming/records.py"),
    },
    steady=True,
)

gaps = catalog.external(
    catalog.topic_key(topics.GAPS),
    "One message per state of a gap (a run of trade ids that was not received): open, then filled or "
    "unrecoverable.",
    layer="topics",
    kinds={"kafka", "json"},
    deps=catalog.FEEDS_OF_TRADES,
    metadata={
        "topic": topics.GAPS,
        **table_schemas.record_metadata(records.Gap),
        **catalog.code("streaming/producer/ledger.py", "streaming/records.py"),
    },
)
