"""Clients of Kafka with the platform's settings: topic creation, producers, consumers, offsets.

What belongs here: how every part of ours talks to the brokers. What does not: what it says
(`streaming.records`), where (`streaming.topics`), or running brokers (`infra.local`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_random_exponential,
)

from streaming import pairs, topics
from streaming.errors import ServiceUnavailableError, SettingsError
from streaming.settings import Settings

TIMEOUT_S = 15.0
LEADERS_S = 30.0
_ANOTHER_WAS_FIRST = (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS)
_BATCH = 5_000
_POLL_S = 5.0
_EMPTY_POLLS_MAX = 3


def admin(settings: Settings) -> AdminClient:
    """An admin client."""
    timeout_ms = int(TIMEOUT_S * 1000)
    return AdminClient(settings.kafka_client_config() | {"socket.timeout.ms": timeout_ms, "log_level": 3})


def producer(
    settings: Settings,
    *,
    on_error: Callable[[KafkaError], None] | None = None,
    **properties: str | int | float,
) -> Producer:
    """An idempotent producer with acks=all; `properties` (with underscores) override librdkafka's.

    `on_error` hears of troubles of the client as a whole, such as brokers that are down.
    """
    config: dict[str, str | int | float | Callable[[KafkaError], None]] = {
        **settings.kafka_client_config(),
        "enable.idempotence": "true",
        "acks": "all",
        "compression.type": "snappy",
        "linger.ms": 5,
    }
    config |= {name.replace("_", "."): value for name, value in properties.items()}
    if on_error is not None:
        config["error_cb"] = on_error
    return Producer(config, logger=logging.getLogger("librdkafka"))


def consumer(settings: Settings, group: str, **properties: str | int | float) -> Consumer:
    """A read_committed consumer that never commits by itself and starts at the earliest offset."""
    config: dict[str, str | int | float] = {
        **settings.kafka_client_config(),
        "group.id": group,
        "enable.auto.commit": "false",
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 100,
        "enable.partition.eof": "false",
    }
    config |= {name.replace("_", "."): value for name, value in properties.items()}
    return Consumer(config)


def create_topics(settings: Settings, partitions: int = 0) -> list[str]:
    """Create every topic that is missing and grow those with too few partitions; return what changed.

    Args:
        settings: where Kafka is, and partitions that the configuration names.
        partitions: how many are needed at least.

    Raises:
        ServiceUnavailableError: the brokers do not answer or refuse.
        SettingsError: topics are missing, and there are fewer brokers than their replication factor needs.
    """
    client = admin(settings)
    try:
        metadata = client.list_topics(timeout=TIMEOUT_S)
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.bootstrap_servers} does not answer ({error}).",
            "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
        ) from error
    specs = topics.topic_specs(max(partitions, pairs.partition_count(settings.partitions)))
    missing = [spec for spec in specs if spec.name not in metadata.topics]
    small = [
        spec
        for spec in specs
        if spec.name in metadata.topics and len(metadata.topics[spec.name].partitions) < spec.partitions
    ]
    # Topics that are there need no further broker: a part must be able to start while one of three is away.
    if (missing or small) and len(metadata.brokers) < topics.REPLICATION_FACTOR:
        raise SettingsError(
            f"Kafka at {settings.bootstrap_servers} has {len(metadata.brokers)} brokers, "
            f"but topics are kept {topics.REPLICATION_FACTOR} times.",
            "Wait until all brokers are up, or point KAFKA_BOOTSTRAP_SERVERS at a larger cluster.",
        )
    futures: dict[str, Future[None]] = {}
    if missing:
        futures |= client.create_topics(
            [
                NewTopic(
                    spec.name,
                    num_partitions=spec.partitions,
                    replication_factor=spec.replication_factor,
                    config=spec.config,
                )
                for spec in missing
            ],
            operation_timeout=TIMEOUT_S,
        )
    if small:
        futures |= client.create_partitions([NewPartitions(spec.name, spec.partitions) for spec in small])
    for name, future in futures.items():
        try:
            future.result(timeout=TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in _ANOTHER_WAS_FIRST:
                raise ServiceUnavailableError(f"Kafka refused to create {name}: {error}.") from error
    return sorted(futures)


def await_partitions(client: Producer | Consumer, count: int) -> None:
    """Return when `client` knows a leader for `count` partitions of every topic of records.

    Topics that were created or grown just now have leaders only a moment later.

    Raises:
        ServiceUnavailableError: they have none within 30 s.
    """
    waiting = Retrying(
        retry=retry_if_result(lambda missing: bool(missing)) | retry_if_exception_type(KafkaException),
        stop=stop_after_delay(LEADERS_S),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        retry_error_callback=lambda state: None,
    )
    if waiting(_without_leader, client, count) is None:
        raise ServiceUnavailableError(
            f"Kafka has no leaders for {count} partitions of every topic.", "Look at the brokers' logs."
        )


def _without_leader(client: Producer | Consumer, count: int) -> list[str]:
    known = client.list_topics(timeout=TIMEOUT_S).topics
    return [
        name
        for name in topics.ALL_TOPICS
        if name not in known
        or len(known[name].partitions) < count
        or any(partition.leader < 0 for partition in known[name].partitions.values())
    ]


def watermarks(client: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """The first and the next offset of each partition of `topic`."""
    return {
        partition: client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        for partition in partitions
    }


def messages(consumer: Consumer, topic: str, partition: int, begin: int, end: int) -> Iterator[Message]:
    """The messages of one partition with offsets in [begin, end), in order. It assigns the consumer.

    Raises:
        ServiceUnavailableError: Kafka stops giving messages before `end`.
        KafkaException: a message is an error.
    """
    if begin >= end:
        return
    consumer.assign([TopicPartition(topic, partition, begin)])
    empty_polls = 0
    position = begin
    while position < end:
        # `consume` waits for as many as it is asked for, so never ask for more than there are.
        batch = consumer.consume(min(_BATCH, end - position), timeout=_POLL_S)
        if not batch:
            # A control record at the very end has an offset but no message.
            position = max(position, consumer.position([TopicPartition(topic, partition)])[0].offset)
            empty_polls += 1
            if empty_polls > _EMPTY_POLLS_MAX:
                raise unavailable(f"{topic} [{partition}]", TimeoutError("no messages"))
            continue
        empty_polls = 0
        for message in batch:
            if message.error() is not None:
                raise KafkaException(message.error())
            position = message.offset() + 1
            if message.offset() < end:
                yield message


def unavailable(what: str, error: Exception) -> ServiceUnavailableError:
    """The error for a Kafka that does not answer while `what` is read."""
    return ServiceUnavailableError(
        f"Kafka did not answer while reading {what} ({error}).", "Look at the brokers' logs."
    )
