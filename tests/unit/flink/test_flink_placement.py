"""Kafka's key hash, against the values of Kafka's own tests, and the keys that place a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.flink.placement import keys, murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(data: str, signed: int) -> None:
    assert murmur2(data.encode()) == signed & 0xFFFFFFFF


@given(st.integers(min_value=1, max_value=24))
def test_each_key_leads_to_its_partition(partitions: int) -> None:
    found = keys(partitions)
    assert [partition_of(key.encode(), partitions) for key in found] == list(range(partitions))
    assert len(set(found)) == partitions
