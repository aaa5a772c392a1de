"""What Kafka is asked every minute.

What belongs here: the questions. What does not: verdicts (`watch`), how an answer becomes events
(`looks.py`).
"""

from typing import Final

from crypto_platform import catalog
from crypto_platform.looks import Context, Look, check_of, sensor_of
from crypto_platform.watch import group_lag, replicas
from crypto_platform.watch.findings import Finding
from streaming import settings as platform_settings
from streaming import topics

GROUPS: Final = {
    "crypto-tick": (topics.TRADES, topics.TICKERS),
    "crypto-bars": (topics.CLEAN_TRADES, topics.CLEAN_TICKERS),
}
"""What each Flink job reads; its group is named like it."""


def _replicas(context: Context) -> list[Finding]:
    assets = {topic: catalog.topic_key(topic).to_user_string() for topic in topics.ALL_TOPICS}
    return replicas.judge_all(assets, context.resources.kafka.partition_states(topics.ALL_TOPICS))


def _group_lag(context: Context) -> list[Finding]:
    kafka = context.resources.kafka
    read = [topic for group in GROUPS.values() for topic in group]
    ends = kafka.end_offsets(read)
    pairs: dict[int, str] = {}
    for pair, partition in platform_settings.load().partitions.items():
        pairs[partition] = f"{pairs[partition]}+{pair}" if partition in pairs else pair
    findings = []
    for group, its_topics in GROUPS.items():
        committed = kafka.committed_offsets(group, [place for place in ends if place[0] in its_topics])
        for topic in its_topics:
            if any(name == topic for name, _ in ends):
                asset = catalog.topic_key(topic).to_user_string()
                findings.append(group_lag.judge(group, topic, asset, ends, committed, pairs))
    return findings


REPLICAS: Final = Look(
    name="kafka_under_replicated",
    check="replicas_are_in_step",
    meaning="Every partition of the topic has a leader and all its replicas in step.",
    assets=[catalog.topic_key(topic) for topic in topics.ALL_TOPICS],
    resources=frozenset({"kafka"}),
    ask=_replicas,
)

GROUP_LAG: Final = Look(
    name="flink_lag_exceeded",
    check="flink_keeps_up",
    meaning="The Flink job that reads the topic is not far behind, over all pairs.",
    assets=[catalog.topic_key(topic) for group in GROUPS.values() for topic in group],
    resources=frozenset({"kafka"}),
    ask=_group_lag,
)

kafka_under_replicated_sensor, replicas_check = sensor_of(REPLICAS), check_of(REPLICAS)
flink_lag_exceeded_sensor, group_lag_check = sensor_of(GROUP_LAG), check_of(GROUP_LAG)
