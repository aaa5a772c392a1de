"""The Kafka cluster as Dagster sees it: where its topics end.

What belongs here: bounded, read-only questions to the brokers. What does not: producing or consuming
(`streaming`), creating topics (`streaming.kafka`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

from crypto_platform.control.managed import ManagedResource
from streaming import settings as platform_settings
from streaming.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from crypto_platform.watch.lag import TopicPartition
    from crypto_platform.watch.replicas import PartitionState


class KafkaClusterResource(ManagedResource):
    """The brokers named by the platform's settings.

    Attributes:
        timeout_s: the longest wait for each of two requests, well below a sensor's 60 s.
    """

    component: ClassVar[str] = "kafka"
    timeout_s: float = 3.0

    def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """The next offset of every partition of `topics`; a topic that does not exist is left out.

        Raises:
            ServiceUnavailableError: the brokers do not answer in time.
        """
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient, OffsetSpec

        settings = platform_settings.load()
        client = AdminClient(settings.kafka_client_config() | {"log_level": 0})
        try:
            known = client.list_topics(timeout=self.timeout_s).topics
            wanted = [
                TopicPartition(topic, partition)
                for topic in topics
                if topic in known
                for partition in known[topic].partitions
            ]
            if not wanted:
                return {}
            futures = client.list_offsets(
                {place: OffsetSpec.latest() for place in wanted},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self.timeout_s,
            )
            return {
                (place.topic, place.partition): future.result(timeout=2 * self.timeout_s).offset
                for place, future in futures.items()
            }
        except (KafkaException, TimeoutError) as error:
            raise _unavailable(error) from error

    def partition_states(self, topics: Collection[str]) -> dict[str, list[PartitionState]]:
        """Leader and replicas of every partition of those of `topics` that exist.

        Raises:
            ServiceUnavailableError: the brokers do not answer in time.
        """
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        from crypto_platform.watch.replicas import PartitionState

        settings = platform_settings.load()
        try:
            client = AdminClient(settings.kafka_client_config() | {"log_level": 0})
            known = client.list_topics(timeout=self.timeout_s).topics
        except KafkaException as error:
            raise _unavailable(error) from error
        return {
            topic: [
                PartitionState(one.id, one.leader, len(one.replicas), len(one.isrs))
                for one in known[topic].partitions.values()
            ]
            for topic in topics
            if topic in known
        }

    def committed_offsets(self, group: str, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """What a consumer group has committed of `places`; below 0 where it has committed nothing.

        Raises:
            ServiceUnavailableError: the brokers do not answer in time.
        """
        from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient

        if not places:
            return {}
        client = AdminClient(platform_settings.load().kafka_client_config() | {"log_level": 0})
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
        try:
            (future,) = client.list_consumer_group_offsets([wanted], request_timeout=self.timeout_s).values()
            found = future.result(timeout=2 * self.timeout_s).topic_partitions
        except (KafkaException, TimeoutError) as error:
            raise _unavailable(error) from error
        return {(one.topic, one.partition): one.offset for one in found}


def _unavailable(error: Exception) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"Kafka at {platform_settings.load().bootstrap_servers} does not answer ({error}).",
        "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
    )
