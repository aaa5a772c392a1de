"""Message keys that put a record on a chosen partition.

What belongs here: Kafka's key hash and the search for keys. What does not: which pair has which partition
(`streaming.topics`).

Flink's SQL sink cannot name a partition: it hashes the message key as Kafka's own producer does. The records
that Flink writes must stay on the partition they came from, so their key is a short text per partition, found
here, whose hash leads there. It depends on the partition alone, so it works for any pair on any exchange.
"""

from __future__ import annotations

from itertools import count

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit MurmurHash2 with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`)."""
    length = len(data)
    h = _SEED ^ length
    whole = length - length % 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition Kafka's default partitioner chooses for `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def keys(partitions: int) -> list[str]:
    """One key for each partition of a topic, in order: `p0`, or `p0.3` if only the fourth try leads there."""
    return [_key(partition, partitions) for partition in range(partitions)]


def _key(partition: int, partitions: int) -> str:
    candidates = (f"p{partition}" if n == 0 else f"p{partition}.{n}" for n in count())
    return next(key for key in candidates if partition_of(key.encode(), partitions) == partition)
