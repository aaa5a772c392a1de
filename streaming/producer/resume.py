"""What Kafka already has: the last trade of each pair, the open gaps, and what of them has arrived.

What belongs here: reading Kafka once, at start. What does not: acting on it (`engine`).

Offsets are read up to the end that Kafka reported when reading began. The trades partition of a pair is
read backwards in growing steps until a trade shows up that came live and lies in no gap of the ledger: such
trades are sent in the order of their ids. Back-filled ones are not, nor are live ones that fill a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from streaming import kafka, topics
from streaming.producer.sequencer import IdRange, IdSet
from streaming.records import Gap, Trade, key_of
from streaming.settings import Settings

log = structlog.get_logger(__name__)

FIRST_STEP: Final = 2_000
STEP_GROWTH: Final = 8
CLOCK_MARGIN_MS: Final = 60_000
RETRY_S: Final = 30.0

_trade_decoder = msgspec.json.Decoder(Trade)
_gap_decoder = msgspec.json.Decoder(Gap)


@dataclass(slots=True)
class Position:
    """Where a pair's tape stands in Kafka. `missing` are the ids of open gaps that Kafka does not have."""

    last_id: int | None = None
    last_time_us: int | None = None
    missing: IdSet = field(default_factory=IdSet)
    gaps: list[Gap] = field(default_factory=list)


def read(settings: Settings, exchange: str, partitions: dict[str, int]) -> dict[str, Position]:
    """The position of every pair of `partitions` on `exchange`.

    Raises:
        ServiceUnavailableError: Kafka does not answer.
    """
    # Topics that were created just now have leaders only a moment later.
    retrying = Retrying(
        retry=retry_if_exception_type(KafkaException),
        stop=stop_after_delay(RETRY_S),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        reraise=True,
    )
    try:
        return retrying(_read, settings, exchange, partitions)
    except KafkaException as error:
        raise kafka.unavailable("where the tape ends", error) from error


def _read(settings: Settings, exchange: str, partitions: dict[str, int]) -> dict[str, Position]:
    consumer = kafka.consumer(settings, "crypto-platform-producer-resume", queued_max_messages_kbytes=16_384)
    try:
        ledger = _ledger(consumer, exchange, partitions)
        positions: dict[str, Position] = {}
        for pair, partition in partitions.items():
            gaps = [gap for gap in ledger if gap.pair == pair]
            ever_missing = IdSet(IdRange(gap.from_id, gap.to_id) for gap in gaps)
            position = _last_trade(consumer, exchange, pair, partition, ever_missing)
            position.gaps = [gap for gap in gaps if gap.status == "open"]
            if position.gaps:
                # The process may have ended between writing a gap and sending the trade after it.
                position.last_id = max(position.last_id or 0, *(gap.to_id for gap in position.gaps))
                position.missing = _still_missing(consumer, exchange, pair, partition, position.gaps)
            positions[pair] = position
        return positions
    finally:
        consumer.close()


def _ledger(consumer: Consumer, exchange: str, partitions: dict[str, int]) -> list[Gap]:
    """The latest state of every gap."""
    latest: dict[tuple[str, int], Gap] = {}
    for pair, partition in partitions.items():
        key = key_of(exchange, pair)
        begin, end = kafka.watermarks(consumer, topics.GAPS, [partition])[partition]
        for message in kafka.messages(consumer, topics.GAPS, partition, begin, end):
            if message.key() == key:
                gap = _gap_decoder.decode(message.value())
                latest[(gap.pair, gap.from_id)] = gap
    return list(latest.values())


def steps_backwards(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut [begin, end) into pieces from the end, each larger than the one before."""
    size = FIRST_STEP
    while end > begin:
        start = max(begin, end - size)
        yield start, end
        end = start
        size *= STEP_GROWTH


def _last_trade(
    consumer: Consumer, exchange: str, pair: str, partition: int, ever_missing: IdSet
) -> Position:
    key = key_of(exchange, pair)
    begin, end = kafka.watermarks(consumer, topics.TRADES, [partition])[partition]
    position = Position()
    for start, stop in steps_backwards(begin, end):
        live = False
        for message in kafka.messages(consumer, topics.TRADES, partition, start, stop):
            if message.key() != key:
                continue
            trade = _trade_decoder.decode(message.value())
            in_order = trade.source != "rest" and not ever_missing.within(
                IdRange(trade.first_id, trade.trade_id)
            )
            live = live or in_order
            if position.last_id is None or trade.trade_id > position.last_id:
                position.last_id, position.last_time_us = trade.trade_id, trade.exchange_time_us
        if live:
            break
        if stop - start > 1_000_000:
            log.info("searching the last trade", pair=pair, partition=partition, searched=end - start)
    return position


def _still_missing(consumer: Consumer, exchange: str, pair: str, partition: int, gaps: list[Gap]) -> IdSet:
    missing = IdSet(IdRange(gap.from_id, gap.to_id) for gap in gaps)
    key = key_of(exchange, pair)
    since_ms = min(gap.detected_at_us for gap in gaps) // 1000 - CLOCK_MARGIN_MS
    _, end = kafka.watermarks(consumer, topics.TRADES, [partition])[partition]
    begin = _first_offset_since(consumer, partition, since_ms, end)
    for message in kafka.messages(consumer, topics.TRADES, partition, begin, end):
        if message.key() == key:
            trade = _trade_decoder.decode(message.value())
            missing.remove(IdRange(trade.first_id, trade.trade_id))
    return missing


def _first_offset_since(consumer: Consumer, partition: int, since_ms: int, end: int) -> int:
    """The offset of the first trade written at or after `since_ms`; `end` if none is as young as that."""
    asked = [TopicPartition(topics.TRADES, partition, since_ms)]
    offset: int = consumer.offsets_for_times(asked, timeout=kafka.TIMEOUT_S)[0].offset
    return offset if offset >= 0 else end
