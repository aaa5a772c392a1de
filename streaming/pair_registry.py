"""Where each pair's partition is kept: a topic of its own, so that every process and machine agrees.

What belongs here: reading and adding placements. What does not: the rules of placement (`streaming.pairs`).

The topic has one partition and is kept for ever; the first record about a pair holds. So two producers that
place the same new pair at the same moment both learn, by reading again, which of them was first.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from confluent_kafka import KafkaException
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from streaming import kafka, topics
from streaming.errors import ServiceUnavailableError
from streaming.pairs import PairChoice, place
from streaming.settings import Settings
from streaming.topics import SEED_PARTITIONS

RETRY_S: Final = 30.0


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the registry: the pair lies on `partition` of every topic."""

    v: int = 1
    pair: str
    partition: int
    placed_at_us: int


_decoder = msgspec.json.Decoder(Placement)


def read(settings: Settings) -> dict[str, int]:
    """Every placement ever made, apart from the first five pairs'.

    Raises:
        ServiceUnavailableError: Kafka does not answer, or lacks the topic.
    """
    # A topic that was created just now has a leader only a moment later.
    retrying = Retrying(
        retry=retry_if_exception_type(KafkaException),
        stop=stop_after_delay(RETRY_S),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        reraise=True,
    )
    try:
        return retrying(_read, settings)
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.bootstrap_servers} did not give the pairs' partitions ({error}).",
            "Look at the brokers' logs.",
        ) from error


def _read(settings: Settings) -> dict[str, int]:
    consumer = kafka.consumer(settings, f"crypto-platform-pairs-{uuid.uuid4()}")
    placed: dict[str, int] = {}
    try:
        begin, end = kafka.watermarks(consumer, topics.PAIRS, [0])[0]
        for message in kafka.messages(consumer, topics.PAIRS, 0, begin, end):
            line = _decoder.decode(message.value())
            placed.setdefault(line.pair, line.partition)
    finally:
        consumer.close()
    return placed


def placements(settings: Settings, pairs: Sequence[str]) -> dict[str, int]:
    """The partition of each of `pairs`; those that have none get one, and it is written down.

    Raises:
        ServiceUnavailableError: Kafka does not answer or does not take the new lines.
        SettingsError: CRYPTO_PAIRS contradicts what was placed before.
    """
    choice = settings.pair_choice
    if all(pair in SEED_PARTITIONS for pair in pairs):
        return place(pairs, choice, {})
    known = read(settings)
    placed = place(pairs, choice, known)
    new = {pair: n for pair, n in placed.items() if pair not in known and pair not in SEED_PARTITIONS}
    if not new:
        return placed
    _write(settings, new)
    return place(pairs, PairChoice({}), read(settings))


def _write(settings: Settings, placed: Mapping[str, int]) -> None:
    now_us = time.time_ns() // 1000
    refused: list[str] = []
    producer = kafka.producer(settings)
    for pair, partition in placed.items():
        line = Placement(pair=pair, partition=partition, placed_at_us=now_us)
        producer.produce(
            topics.PAIRS,
            msgspec.json.encode(line),
            pair.encode(),
            0,
            lambda error, message: refused.append(error.str()) if error is not None else None,
        )
    left = producer.flush(kafka.TIMEOUT_S)
    if left or refused:
        raise ServiceUnavailableError(
            f"Kafka at {settings.bootstrap_servers} did not take the partitions of {len(placed)} new pairs "
            f"({refused[0] if refused else 'no answer'}).",
            "Look at the brokers' logs.",
        )
