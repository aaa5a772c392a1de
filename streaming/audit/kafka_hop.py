"""What Kafka holds of the tape: one pass over the raw trades topic.

What belongs here: reading the topic up to the offsets it had when the audit began. What does not: judging
(`streaming.audit.verdict`).
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime

import msgspec
from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from streaming import topics
from streaming.audit.ids import IdSet, count
from streaming.audit.verdict import PairKey, TapeSummary
from streaming.errors import ServiceUnavailableError
from streaming.kafka import TIMEOUT_S, consumer, watermarks
from streaming.settings import Settings

WATERMARK_DELAY_US = 1_000_000
"""How far behind the newest trade of its partition a trade may be before Flink counts it late."""

BATCH = 10_000
SILENCE_S = 30.0


class _Trade(msgspec.Struct):
    exchange: str
    pair: str
    first_id: int
    trade_id: int
    exchange_time_us: int
    source: str


class _PairTape:
    def __init__(self) -> None:
        self.ids = IdSet()
        self.claimed = 0
        self.late = 0

    def add(self, trade: _Trade, newest_us: int) -> None:
        self.ids.add(trade.first_id, trade.trade_id)
        self.claimed += trade.trade_id - trade.first_id + 1
        if trade.exchange_time_us < newest_us - WATERMARK_DELAY_US:
            self.late += 1

    def summary(self) -> TapeSummary:
        ranges = tuple(self.ids.ranges())
        return TapeSummary(ranges, repeated=self.claimed - count(ranges), late=self.late)


def read(settings: Settings, since: datetime) -> dict[PairKey, TapeSummary]:
    """The tape of every exchange and pair in the raw trades topic, from exchange time `since` (UTC) on.

    Raises:
        ServiceUnavailableError: Kafka does not answer, or stops answering half-way.
    """
    client = consumer(settings, f"audit-{uuid.uuid4()}", fetch_max_bytes=52_428_800)
    try:
        partitions = client.list_topics(topics.TRADES, timeout=TIMEOUT_S).topics[topics.TRADES].partitions
        ends = watermarks(client, topics.TRADES, partitions)
        starts = _starts(client, ends, since)
        tapes: dict[PairKey, _PairTape] = {}
        newest: dict[int, int] = {}
        remaining = {p: ends[p][1] for p, start in starts.items() if start < ends[p][1]}
        client.assign([TopicPartition(topics.TRADES, p, starts[p]) for p in remaining])
        decoder = msgspec.json.Decoder(_Trade)
        since_us = int(since.timestamp() * 1_000_000)
        heard = time.monotonic()
        while remaining:
            messages = client.consume(BATCH, timeout=1.0)
            if not messages and time.monotonic() - heard > SILENCE_S:
                raise ServiceUnavailableError(
                    f"Kafka stopped answering while {topics.TRADES} was read.",
                    "Look at its brokers: `crypto-platform status`.",
                )
            for message in messages:
                heard = time.monotonic()
                partition, offset = message.partition(), message.offset()
                if message.error() or partition not in remaining or offset >= remaining[partition]:
                    continue
                trade = decoder.decode(message.value())
                if trade.exchange_time_us >= since_us:
                    key = (trade.exchange, trade.pair)
                    tapes.setdefault(key, _PairTape()).add(trade, newest.get(partition, 0))
                    newest[partition] = max(newest.get(partition, 0), trade.exchange_time_us)
                if offset + 1 >= remaining[partition]:
                    del remaining[partition]
            for position in client.position([TopicPartition(topics.TRADES, p) for p in remaining]):
                # a transaction marker at the end of a partition is an offset without a message
                if position.offset >= remaining[position.partition]:
                    del remaining[position.partition]
        return {key: tape.summary() for key, tape in tapes.items()}
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.bootstrap_servers} does not answer ({error}).",
            "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
        ) from error
    finally:
        client.close()


def _starts(client: object, ends: dict[int, tuple[int, int]], since: datetime) -> dict[int, int]:
    """The first offset to read: a message is written after its trade happened, never before."""
    wanted = [TopicPartition(topics.TRADES, p, int(since.timestamp() * 1000)) for p in ends]
    found = client.offsets_for_times(wanted, timeout=TIMEOUT_S)  # type: ignore[attr-defined]
    return {
        p.partition: ends[p.partition][1] if p.offset == OFFSET_END else max(p.offset, ends[p.partition][0])
        for p in found
    }
