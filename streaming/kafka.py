"""Clients of Kafka with the platform's settings: topic creation, producers, consumers, offsets.

What belongs here: how every part of ours talks to the brokers. What does not: what it says
(`streaming.records`), where (`streaming.topics`), or running brokers (`infra.local`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from streaming import topics
from streaming.errors import ServiceUnavailableError, SettingsError
from streaming.settings import Settings

TIMEOUT_S = 15.0


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


def create_topics(settings: Settings) -> list[str]:
    """Create every topic that is missing and grow those with too few partitions; return what changed.

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
    specs = topics.topic_specs(topics.partition_count(settings.partitions))
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
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ServiceUnavailableError(f"Kafka refused to create {name}: {error}.") from error
    return sorted(futures)


def watermarks(client: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """The first and the next offset of each partition of `topic`."""
    return {
        partition: client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        for partition in partitions
    }
