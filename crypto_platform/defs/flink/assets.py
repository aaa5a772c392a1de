"""The Kafka topics that Flink writes.

What belongs here: one external asset per output of a Flink job. What does not: the jobs' SQL and their
submission (`streaming.flink`).
"""

import dagster as dg

from crypto_platform import catalog, table_schemas
from streaming import records, topics

clean_trades = catalog.external(
    catalog.topic_key(topics.CLEAN_TRADES),
    "One message per trade (exchange, pair, trade id), duplicates removed, in the partition of its source.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TRADES)],
    metadata={
        "topic": topics.CLEAN_TRADES,
        **table_schemas.record_metadata(records.CleanTrade),
        **catalog.code("streaming/flink/sql/31_clean_trades_sink.sql"),
    },
    steady=True,
)

clean_tickers = catalog.external(
    catalog.topic_key(topics.CLEAN_TICKERS),
    "One message per ticker push (exchange, pair, producer, epoch, sequence number), duplicates removed, in "
    "the partition of its source.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TICKERS)],
    metadata={
        "topic": topics.CLEAN_TICKERS,
        **table_schemas.record_metadata(records.Ticker),
        **catalog.code("streaming/flink/sql/32_clean_tickers_sink.sql"),
    },
    steady=True,
)


def bars(
    topic: str,
    grain: str,
    *,
    record: type[records.Record] = records.Bar,
    sql: str = "77_bars",
    steady: bool = True,
) -> dg.AssetSpec:
    """An output of the bars job, which reads the clean topics."""
    return catalog.external(
        catalog.topic_key(topic),
        grain,
        layer="stream",
        kinds={"flink", "kafka"},
        deps=[catalog.topic_key(topics.CLEAN_TRADES), catalog.topic_key(topics.CLEAN_TICKERS)],
        metadata={
            "topic": topic,
            **table_schemas.record_metadata(record),
            **catalog.code(f"streaming/flink/sql/{sql}.sql"),
        },
        steady=steady,
    )


bars_1m = bars(
    topics.BARS_1M,
    "One message per closed minute of a pair on an exchange that had a trade or a quote: open, high, "
    "low, close, "
    "exact volumes, VWAP, spread and variances, in exchange time, without flagged trades.",
)

bars_5m = bars(topics.BARS_5M, "One message per closed five minutes, with the fields of the one-minute bars.")

bars_15m = bars(
    topics.BARS_15M, "One message per closed quarter of an hour, with the fields of the one-minute bars."
)

bars_1h = bars(
    topics.BARS_1H, "One message per closed hour, with the fields of the one-minute bars.", steady=False
)

bars_forming = bars(
    topics.BARS_FORMING,
    "One message per second of a minute that has begun: what has been traded in it so far, for showing.",
    record=records.FormingBar,
    sql="82_forming_bars_sink",
)

quote_bars_1s = bars(
    topics.QUOTE_BARS_1S,
    "One message per second of a pair that had a quote: bid and ask as bars, and the spread weighted "
    "with time.",
    record=records.QuoteBar,
    sql="83_quote_bars_sink",
)

late_trades = bars(
    topics.LATE_TRADES,
    "One message per trade that came after the bar of its minute was closed; the warehouse recomputes "
    "the bar.",
    record=records.LateTrade,
    sql="84_late_trades_sink",
    steady=False,
)

anomalies = catalog.external(
    catalog.topic_key(topics.ANOMALIES),
    "One message per finding of an anomaly rule about a trade, a quote or a pair: score, threshold and the "
    "rule's version. What is flagged stays; clean trades name the rules that flag them.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TRADES), catalog.topic_key(topics.TICKERS)],
    metadata={
        "topic": topics.ANOMALIES,
        **table_schemas.record_metadata(records.Anomaly),
        **catalog.code("streaming/flink/sql/49_anomalies.sql"),
    },
)

dead_letters = catalog.external(
    catalog.topic_key(topics.DEAD_LETTERS),
    "One message per input that could not become a record, with its raw text, the stage and the reason. The "
    "producer writes what it cannot parse, Flink what violates the contract.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[
        *catalog.FEEDS_OF_TRADES,
        *catalog.FEEDS_OF_TICKERS,
        catalog.topic_key(topics.TRADES),
        catalog.topic_key(topics.TICKERS),
    ],
    metadata={
        "topic": topics.DEAD_LETTERS,
        **table_schemas.record_metadata(records.DeadLetter),
        **catalog.code("streaming/flink/sql/33_dead_letters_sink.sql"),
    },
)
