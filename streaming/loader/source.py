"""Reads the loaded topics from Kafka at offsets that the warehouse keeps.

What belongs here: assignment, batches of messages, lag, new partitions, and offsets that Kafka no longer has.
What does not: what a message means (`streaming.loader.rows`), when to read (`streaming.loader.service`).

No consumer group is used: partitions are assigned by hand and offsets are never committed to Kafka, because
the warehouse knows better than Kafka what it has stored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streaming import kafka
from streaming.errors import ServiceUnavailableError
from streaming.loader.batch import TopicPartition as Place
from streaming.loader.rows import Message, loaded_topics
from streaming.settings import Settings

GROUP: Final = "crypto-loader"
DISCOVER_EVERY_S: Final = 30.0
TIMEOUT_S: Final = 10.0
PREFETCH_KBYTES: Final = 16_384

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LostOffsets:
    """Where Kafka dropped messages before they were loaded: the offset wanted and the first it has."""

    place: Place
    wanted: int
    earliest: int


class Source(Protocol):
    """Where messages come from."""

    @property
    def complaint(self) -> str | None:
        """Why nothing is delivered at the moment, or None."""
        ...

    def partition_count(self) -> int:
        """How many partitions there are now."""
        ...

    def discover(self) -> dict[Place, int]:
        """Every partition there is, with its earliest offset."""
        ...

    def assign(self, position: Mapping[Place, int]) -> list[LostOffsets]:
        """Read these partitions from these offsets; where Kafka lacks one, from the earliest it has."""
        ...

    def read(self, rows: int, seconds: float) -> list[Message]:
        """Up to `rows` messages, waiting at most `seconds`."""
        ...

    def positions(self) -> dict[Place, int]:
        """The offset each assigned partition is read from next."""
        ...

    def lag(self) -> dict[Place, int]:
        """Messages of each assigned partition that were not read yet."""
        ...

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...


@dataclass
class KafkaSource:
    """The topics that `settings` want loaded, or some of them, on their brokers."""

    settings: Settings
    topics: tuple[str, ...] = ()
    _consumer: Consumer = field(init=False)
    _positions: dict[Place, int] = field(default_factory=dict)
    _ends: dict[Place, int] = field(default_factory=dict)
    _complaint: str | None = None

    def __post_init__(self) -> None:
        if not self.topics:
            self.topics = loaded_topics(raw_tickers=self.settings.loader_raw_tickers)
        self._consumer = kafka.consumer(
            self.settings,
            GROUP,
            auto_offset_reset="error",
            enable_partition_eof="true",
            queued_max_messages_kbytes=PREFETCH_KBYTES,
            enable_auto_offset_store="false",
            # A batch collects for longer anyway, and an answer for each message keeps the brokers busy.
            fetch_min_bytes=65_536,
            fetch_wait_max_ms=50,
        )

    @property
    def complaint(self) -> str | None:
        return self._complaint

    def discover(self) -> dict[Place, int]:
        """Every partition of the loaded topics and its earliest offset.

        Raises:
            ServiceUnavailableError: the brokers do not answer, or a topic does not exist.
        """
        try:
            found = self._consumer.list_topics(timeout=TIMEOUT_S).topics
            missing = [name for name in self.topics if name not in found]
            if missing:
                raise ServiceUnavailableError(
                    f"Kafka at {self.settings.bootstrap_servers} has no topic {', '.join(missing)}.",
                    "Create the topics; the stack does so when it starts.",
                )
            return {
                (name, partition): self._watermarks((name, partition))[0]
                for name in self.topics
                for partition in found[name].partitions
            }
        except KafkaException as error:
            raise self._unavailable(error) from error

    def partition_count(self) -> int:
        """Partitions of the loaded topics, by one metadata request. Raises as `discover`."""
        try:
            found = self._consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self._unavailable(error) from error
        return sum(len(found[name].partitions) for name in self.topics if name in found)

    def assign(self, position: Mapping[Place, int]) -> list[LostOffsets]:
        """Read from `position`.

        Raises:
            ServiceUnavailableError: the brokers do not answer.
        """
        lost: list[LostOffsets] = []
        self._positions = {}
        try:
            for place, wanted in position.items():
                earliest, end = self._watermarks(place)
                if not earliest <= wanted <= end:
                    lost.append(LostOffsets(place, wanted, earliest))
                self._positions[place] = wanted if earliest <= wanted <= end else earliest
            self._consumer.assign([TopicPartition(*place, at) for place, at in self._positions.items()])
        except KafkaException as error:
            raise self._unavailable(error) from error
        self._ends = {}
        return lost

    def read(self, rows: int, seconds: float) -> list[Message]:
        """Up to `rows` messages within `seconds`.

        Raises:
            ServiceUnavailableError: Kafka no longer has the offset that comes next; assign anew.
        """
        messages: list[Message] = []
        deadline = time.monotonic() + seconds
        while len(messages) < rows and (left := deadline - time.monotonic()) > 0:
            for message in self._consumer.consume(rows - len(messages), timeout=left):
                error = message.error()
                place = (str(message.topic()), int(message.partition() or 0))
                if error is not None:
                    self._note(error, place, message.offset())
                    continue
                offset = int(message.offset() or 0)
                messages.append(Message(*place, offset, message.value() or b""))
                self._positions[place] = offset + 1
                self._complaint = None
        return messages

    def positions(self) -> dict[Place, int]:
        return dict(self._positions)

    def lag(self) -> dict[Place, int]:
        """From the end offsets that came with the latest fetches, so it costs no request."""
        result: dict[Place, int] = {}
        for place, position in self._positions.items():
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            # Markers of transactions take offsets too; the end that was reached covers them.
            result[place] = max(0, end - max(position, self._ends.get(place, 0)))
        return result

    def pause(self) -> None:
        self._consumer.pause([TopicPartition(*place) for place in self._positions])

    def resume(self) -> None:
        self._consumer.resume([TopicPartition(*place) for place in self._positions])

    def close(self) -> None:
        self._consumer.close()

    def _note(self, error: KafkaError, place: Place, offset: int | None) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._ends[place] = int(offset or 0)
            self._complaint = None
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise ServiceUnavailableError(
                f"Kafka has no offset {offset} of {place[0]} [{place[1]}] any more."
            )
        elif error.str() != self._complaint:
            self._complaint = error.str()
            log.warning("kafka does not deliver", reason=error.str())

    def _watermarks(self, place: Place) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)
        return int(low), int(high)

    def _unavailable(self, error: KafkaException) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"Kafka at {self.settings.bootstrap_servers} does not answer ({error}).",
            "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
        )
