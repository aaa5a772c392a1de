"""The Kafka topics that Flink writes.

What belongs here: one external asset per output of a Flink job. What does not: the jobs' SQL and their
submission (`streaming.flink`).
"""

from crypto_platform import catalog
from streaming import topics

clean_trades = catalog.external(
    catalog.topic_key(topics.CLEAN_TRADES),
    "One message per trade (exchange, pair, trade id), duplicates removed, in the partition of its source.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TRADES)],
    metadata={"topic": topics.CLEAN_TRADES},
    steady=True,
)

clean_tickers = catalog.external(
    catalog.topic_key(topics.CLEAN_TICKERS),
    "One message per ticker push (exchange, pair, producer, epoch, sequence number), duplicates removed, in "
    "the partition of its source.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TICKERS)],
    metadata={"topic": topics.CLEAN_TICKERS},
    steady=True,
)

bars_1m = catalog.external(
    catalog.topic_key(topics.BARS_1M),
    "One message per closed minute of a pair on an exchange that had a trade: open, high, low, close, exact "
    "volumes and VWAP, in exchange time.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TRADES)],
    metadata={"topic": topics.BARS_1M},
    steady=True,
)

anomalies = catalog.external(
    catalog.topic_key(topics.ANOMALIES),
    "One message per finding of an anomaly rule about a trade, a quote or a pair: score, threshold and the "
    "rule's version. What is flagged stays; clean trades name the rules that flag them.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[catalog.topic_key(topics.TRADES), catalog.topic_key(topics.TICKERS)],
    metadata={"topic": topics.ANOMALIES},
)

dead_letters = catalog.external(
    catalog.topic_key(topics.DEAD_LETTERS),
    "One message per input that could not become a record, with its raw text, the stage and the reason. The "
    "producer writes what it cannot parse, Flink what violates the contract.",
    layer="stream",
    kinds={"flink", "kafka"},
    deps=[
        catalog.FEED_TRADES,
        catalog.FEED_TICKERS,
        catalog.topic_key(topics.TRADES),
        catalog.topic_key(topics.TICKERS),
    ],
    metadata={"topic": topics.DEAD_LETTERS},
)
