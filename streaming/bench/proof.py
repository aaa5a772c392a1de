"""The proof of a run: Kafka read back from beginning to end, every id of the feed once and in order.

What belongs here: reading the trades topic and comparing ids. What does not: the audit against an exchange
and the warehouse (`streaming.audit`).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from streaming import kafka, topics
from streaming.errors import PlatformError, ServiceUnavailableError, SettingsError
from streaming.pairs import partition_count
from streaming.settings import Settings

_BATCH: Final = 10_000
_POLL_S: Final = 10.0
_LEADERS_S: Final = 30.0


class _Ids(msgspec.Struct, gc=False):
    """The part of a trade record that the proof needs."""

    pair: str
    first_id: int
    trade_id: int


_decoder: Final = msgspec.json.Decoder(_Ids)


@dataclass(frozen=True, slots=True)
class PairProof:
    """What Kafka holds of one pair, against ids `first..next - 1` of the feed.

    `out_of_order` counts records whose id is not above all before it in its partition.
    """

    expected: int
    records: int
    min_id: int | None
    max_id: int | None
    lost: int
    duplicated: int
    unexpected: int
    out_of_order: int

    @property
    def exact(self) -> bool:
        return self.lost == self.duplicated == self.unexpected == self.out_of_order == 0


def _ends(consumer: Consumer, settings: Settings) -> dict[int, tuple[int, int]]:
    return kafka.watermarks(consumer, topics.TRADES, range(partition_count(settings.partitions)))


def require_empty(settings: Settings) -> None:
    """Refuse a cluster that already has trades: a measurement's must not mix with anybody's.

    Raises:
        SettingsError: there are trades.
        ServiceUnavailableError: Kafka does not answer.
    """
    kafka.create_topics(settings)
    consumer = kafka.consumer(settings, "crypto-platform-bench")
    try:
        # Topics that were created just now have leaders only a moment later.
        retrying = Retrying(
            retry=retry_if_exception_type(KafkaException),
            stop=stop_after_delay(_LEADERS_S),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            reraise=True,
        )
        filled = [p for p, (low, high) in retrying(_ends, consumer, settings).items() if high > low]
    except KafkaException as error:
        raise ServiceUnavailableError(f"Kafka does not answer ({error}).", "Start it.") from error
    finally:
        consumer.close()
    if filled:
        raise SettingsError(
            f"KAFKA_BOOTSTRAP_SERVERS ({settings.bootstrap_servers}) has trades in {topics.TRADES}.",
            "Unset it, or name a cluster for measurements; its trades are deleted when a run ends.",
        )


def read(settings: Settings, feed: Mapping[str, tuple[int, int]]) -> dict[str, PairProof]:
    """Read every partition to its end and compare with the ranges [first, next) of the feed.

    Raises:
        PlatformError: Kafka did not hand out what it holds.
    """
    consumer = kafka.consumer(settings, "crypto-platform-bench", queued_max_messages_kbytes=65_536)
    found: dict[str, array[int]] = {pair: array("q") for pair in feed}
    try:
        for partition, (low, high) in _ends(consumer, settings).items():
            if high == low:
                continue
            consumer.assign([TopicPartition(topics.TRADES, partition, low)])
            while low < high:
                batch = consumer.consume(min(_BATCH, high - low), timeout=_POLL_S)
                if not batch:
                    raise PlatformError(f"{topics.TRADES} [{partition}] ends at {low}, not at {high}.")
                for message in batch:
                    if message.error() is not None:
                        raise PlatformError(f"{topics.TRADES} [{partition}]: {message.error().str()}.")
                    ids = _decoder.decode(message.value())
                    found.setdefault(ids.pair, array("q")).extend(range(ids.first_id, ids.trade_id + 1))
                low = batch[-1].offset() + 1
    finally:
        consumer.close()
    return {pair: compare(feed.get(pair, (0, 0)), ids) for pair, ids in found.items()}


def compare(expected: tuple[int, int], found: Sequence[int]) -> PairProof:
    """Compare the ids found, in Kafka's order, with the range [first, next) that was sent."""
    first, following = expected
    ids = np.array(found, dtype=np.int64)
    inside = ids[(ids >= first) & (ids < following)]
    unique = np.unique(inside)
    return PairProof(
        expected=following - first,
        records=len(ids),
        min_id=int(ids.min()) if len(ids) else None,
        max_id=int(ids.max()) if len(ids) else None,
        lost=following - first - len(unique),
        duplicated=len(inside) - len(unique),
        unexpected=len(ids) - len(inside),
        out_of_order=int((np.diff(ids) <= 0).sum()),
    )


def delete_trades(settings: Settings) -> None:
    """Delete what the run has written to the trades topic. Raises ServiceUnavailableError."""
    consumer = kafka.consumer(settings, "crypto-platform-bench")
    try:
        ends = _ends(consumer, settings)
    finally:
        consumer.close()
    client: AdminClient = kafka.admin(settings)
    wanted = [TopicPartition(topics.TRADES, partition, high) for partition, (_, high) in ends.items()]
    for future in client.delete_records(wanted).values():
        try:
            future.result(timeout=kafka.TIMEOUT_S)
        except KafkaException as error:
            raise ServiceUnavailableError(
                f"Kafka refused to delete the measurement's trades ({error}).", f"Delete {topics.TRADES}."
            ) from error
