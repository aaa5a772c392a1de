"""The Kafka cluster as Dagster sees it: where its topics end.

What belongs here: bounded, read-only questions to the brokers. What does not: producing or consuming
(`streaming`), creating topics (`streaming.kafka`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import dagster as dg

from streaming import settings as platform_settings

if TYPE_CHECKING:
    from crypto_platform.watch.lag import TopicPartition


class KafkaClusterResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The brokers named by the platform's settings.

    Attributes:
        timeout_s: the longest wait for each of two requests, well below a sensor's 60 s.
    """

    timeout_s: float = 5.0

    def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """The next offset of every partition of `topics`; a topic that does not exist is left out.

        Raises:
            ServiceUnavailableError: the brokers do not answer in time.
        """
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient, OffsetSpec

        from streaming.errors import ServiceUnavailableError

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
            raise ServiceUnavailableError(
                f"Kafka at {settings.bootstrap_servers} does not answer ({error}).",
                "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
            ) from error


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={"kafka": KafkaClusterResource()})
