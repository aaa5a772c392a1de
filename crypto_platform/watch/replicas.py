"""Whether every partition has all its replicas in step.

What belongs here: the verdict on one topic's partitions. What does not: asking the brokers
(`defs/topics/resources.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crypto_platform.watch.findings import Finding


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition as the brokers' metadata show it; `leader` is -1 when there is none."""

    partition: int
    leader: int
    replicas: int
    in_sync: int


def judge(topic: str, asset: str, partitions: Sequence[PartitionState]) -> Finding:
    """A partition without a leader stops its pairs; one with fewer replicas in step is a failure away."""
    leaderless = [one.partition for one in partitions if one.leader < 0]
    behind = [one.partition for one in partitions if one.leader >= 0 and one.in_sync < one.replicas]
    numbers = {
        "partitions": len(partitions),
        "partitions_under_replicated": len(behind),
        "partitions_without_leader": len(leaderless),
    }
    if leaderless:
        state, sentence = (
            "leaderless",
            f"{topic} has no leader for partitions {leaderless}: start the dead brokers.",
        )
    elif behind:
        state, sentence = "under_replicated", f"{topic} lacks replicas in step in partitions {behind}."
    else:
        state, sentence = "ok", f"All {len(partitions)} partitions of {topic} have all replicas in step."
    return Finding(asset, state, sentence, numbers)


def judge_all(topics: Mapping[str, str], found: Mapping[str, Sequence[PartitionState]]) -> list[Finding]:
    """One finding for each topic that exists; `topics` maps its name to its asset."""
    return [judge(topic, asset, found[topic]) for topic, asset in topics.items() if topic in found]
