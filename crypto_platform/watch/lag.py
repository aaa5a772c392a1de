"""How far the loader is behind Kafka: the arithmetic and the verdict.

What belongs here: pure functions on offsets. What does not: asking Kafka or the warehouse
(`defs/topics/resources.py`, `defs/warehouse/resources.py`), or when a verdict is worth an event
(`watch/reporting.py`).

Lag of a partition = its end offset − the next offset the loader will read (OPS.LOAD_OFFSETS, committed in
the transaction of the rows). A partition without a row there counts as read up to offset 0. Markers of
Kafka transactions occupy offsets, so a topic written exactly once may keep a lag of a few for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

TopicPartition = tuple[str, int]

LIMIT_MESSAGES: Final = 5_000
"""About one minute of the busiest measured market; a loader that works stays below one second."""

State = Literal["ok", "exceeded", "ahead"]
"""`ahead`: the loader has read past the end, so the topic was recreated and its rows will be skipped."""


@dataclass(frozen=True, slots=True)
class TopicLag:
    """One topic at one moment; offsets are summed over its partitions."""

    topic: str
    lag_messages: int
    end_offset: int
    loaded_offset: int
    ahead: bool
    worst_partition: int
    worst_lag_messages: int

    @property
    def state(self) -> State:
        """`ahead` outranks `exceeded`: catching up does not cure it."""
        if self.ahead:
            return "ahead"
        return "exceeded" if self.lag_messages > LIMIT_MESSAGES else "ok"


def lag_by_topic(
    ends: Mapping[TopicPartition, int], loaded: Mapping[TopicPartition, int]
) -> dict[str, TopicLag]:
    """The lag of every topic in `ends`; what the loader has of other topics is ignored."""
    topics: dict[str, dict[int, tuple[int, int]]] = {}
    for (topic, partition), end in ends.items():
        topics.setdefault(topic, {})[partition] = (end, loaded.get((topic, partition), 0))
    return {topic: _topic_lag(topic, partitions) for topic, partitions in topics.items()}


def _topic_lag(topic: str, partitions: Mapping[int, tuple[int, int]]) -> TopicLag:
    behind = {partition: max(0, end - following) for partition, (end, following) in partitions.items()}
    worst = max(behind, key=lambda partition: (behind[partition], -partition))
    return TopicLag(
        topic=topic,
        lag_messages=sum(behind.values()),
        end_offset=sum(end for end, _ in partitions.values()),
        loaded_offset=sum(following for _, following in partitions.values()),
        ahead=any(following > end for end, following in partitions.values()),
        worst_partition=worst,
        worst_lag_messages=behind[worst],
    )


def explain(lag: TopicLag) -> str:
    """The state in one sentence with its numbers and, if it is bad, what to do."""
    if lag.state == "ahead":
        return (
            f"The loader stands past the end of {lag.topic}: the topic was recreated. Delete its rows in "
            "OPS.LOAD_OFFSETS and restart the loader."
        )
    where = f"The loader is {lag.lag_messages} messages behind {lag.topic}"
    if lag.state == "ok":
        return f"{where}, within the limit of {LIMIT_MESSAGES}."
    return (
        f"{where}, over the limit of {LIMIT_MESSAGES}; worst is partition {lag.worst_partition} with "
        f"{lag.worst_lag_messages}. Look at the loader's log and at the warehouse."
    )
