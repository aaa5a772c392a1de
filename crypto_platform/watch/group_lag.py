"""How far each consumer group is behind each pair.

What belongs here: the arithmetic and the verdict. What does not: the loader's lag, whose offsets are in the
warehouse (`watch/lag.py`), and asking Kafka (`defs/topics/resources.py`).

A partition holds one pair or several that share it, so the lag of a pair is that of its partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crypto_platform.watch.findings import Finding, Number
from crypto_platform.watch.lag import LIMIT_MESSAGES, TopicPartition

NO_OFFSET: Final = -1001
"""How librdkafka writes «this group has committed nothing here»."""


def judge(
    group: str,
    topic: str,
    asset: str,
    ends: Mapping[TopicPartition, int],
    committed: Mapping[TopicPartition, int],
    pairs: Mapping[int, str],
) -> Finding:
    """The lag of one group on one topic. Flink commits when it completes a checkpoint, so a lag of a few
    seconds' messages is normal."""
    behind: dict[int, int] = {}
    for (name, partition), end in ends.items():
        if name == topic:
            # A group that has committed nothing yet reads from the beginning or from its state: not known.
            offset = committed.get((topic, partition), NO_OFFSET)
            behind[partition] = max(0, end - offset) if offset >= 0 else 0
    total = sum(behind.values())
    numbers: dict[str, Number] = {f"lag_{group}": total}
    for partition, messages in sorted(behind.items()):
        numbers[f"lag_{group}_{pairs.get(partition, f'partition_{partition}')}"] = messages
    if total <= LIMIT_MESSAGES:
        return Finding(asset, "ok", f"{group} is {total} messages behind {topic}.", numbers)
    worst = max(behind, key=lambda partition: behind[partition])
    name = pairs.get(worst, f"partition {worst}")
    sentence = (
        f"{group} is {total} messages behind {topic}, over the limit of {LIMIT_MESSAGES}; worst is {name} "
        f"with {behind[worst]}. Look for back-pressure in Flink."
    )
    return Finding(asset, "exceeded", sentence, numbers)
