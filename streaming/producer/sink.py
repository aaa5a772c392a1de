"""Writing to Kafka: blocks when Kafka is slow, stops when a delivery fails, never drops.

What belongs here: the one librdkafka producer of the process and its rules. What does not: what is
written (`tape`, `ledger`) and where a pair goes (`streaming.topics`).

* `enable.gapless.guarantee` and no message time-out: librdkafka retries for as long as it takes, in order,
  so Kafka's copy of a pair's tape never has a hole that later trades hide.
* A full queue blocks the caller, that is, the thread that reads the socket: the exchange is slowed down or
  closes the connection, and what was missed is a gap like any other.
* An error that librdkafka cannot retry ends the process; the next one resumes from what Kafka has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from streaming import kafka
from streaming.errors import PlatformError
from streaming.settings import Settings

log = structlog.get_logger(__name__)

QUEUE_MESSAGES: Final = 200_000
LINGER_MS: Final = 2
SERVED_S: Final = 0.05
"""For this long after a reader has run the callbacks, the poll thread leaves them to the readers."""
_WAIT_S: Final = 0.05

Delivered = Callable[[KafkaError | None, Message], None]


class DeliveryError(PlatformError):
    """Kafka refused a message for good; what is in Kafka stays consistent, the process must start anew."""


class StoppingError(Exception):
    """The process is stopping: nothing more is accepted."""


class KafkaSink:
    """Thread-safe. `stop` ends every wait with `StoppingError`.

    Args:
        settings: where Kafka is.
        stop: set by the engine when the process has to end.
    """

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._stop = stop
        self._closing = threading.Event()
        self.failure: DeliveryError | None = None
        self.blocked_seconds = 0.0
        self._served_s = 0.0
        self._producer = kafka.producer(
            settings,
            on_error=self._on_error,
            linger_ms=LINGER_MS,
            enable_gapless_guarantee="true",
            message_timeout_ms=0,
            queue_buffering_max_messages=QUEUE_MESSAGES,
            queue_buffering_max_kbytes=262_144,
        )
        self._poller = threading.Thread(target=self._poll, name="kafka-poll", daemon=True)
        self._poller.start()

    @property
    def depth(self) -> int:
        """Messages that Kafka has not acknowledged yet."""
        return len(self._producer)

    def await_partitions(self, count: int) -> None:
        """Return when the client knows `count` partitions. Raises ServiceUnavailableError."""
        kafka.await_partitions(self._producer, count)

    def send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered) -> None:
        """Hand a message to librdkafka, waiting while its queue is full.

        Raises:
            StoppingError: the process is stopping; the message was not taken.
            DeliveryError: an earlier message was refused; this one was not taken.
        """
        while not self._produce(topic, partition, key, value, delivered):
            self._wait_for_room()

    def try_send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered) -> bool:
        """Like `send`, but gives up at once when the queue is half full: the rest is for trades."""
        if len(self._producer) > QUEUE_MESSAGES // 2:
            return False
        return self._produce(topic, partition, key, value, delivered)

    def send_and_wait(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        """Send and return only when Kafka has acknowledged. Raises like `send`."""
        done = threading.Event()

        def delivered(error: KafkaError | None, message: Message) -> None:
            self.check(error, message)
            done.set()

        self.send(topic, partition, key, value, delivered)
        while not done.wait(_WAIT_S):
            self.raise_if_ending()
        if self.failure is not None:
            raise self.failure

    def _produce(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered) -> bool:
        if self.failure is not None:
            raise self.failure
        try:
            self._producer.produce(topic, value, key, partition, delivered)
        except BufferError:
            return False
        except KafkaException as error:
            what = f"Kafka's client refuses a message for {topic} [{partition}]: {error}."
            raise self._fail(what) from error
        return True

    def check(self, error: KafkaError | None, message: Message) -> None:
        """What every delivery callback does first: an error ends the process."""
        if error is not None:
            self._fail(
                f"Kafka refused a message for {message.topic()} [{message.partition()}]: {error.str()}."
            )

    def raise_if_ending(self) -> None:
        """Raise StoppingError or DeliveryError when waiting has become pointless."""
        if self.failure is not None:
            raise self.failure
        if self._stop.is_set():
            raise StoppingError

    def close(self, timeout_s: float) -> int:
        """Wait until all is acknowledged or `timeout_s` is over; return how many messages were not."""
        left: int = self._producer.flush(timeout_s)
        self._closing.set()
        self._poller.join(timeout=5)
        if left:
            self._producer.purge()
        return left

    def _wait_for_room(self) -> None:
        began_s = time.monotonic()
        self._producer.poll(_WAIT_S)
        self.blocked_seconds += time.monotonic() - began_s
        self.raise_if_ending()

    def serve(self) -> None:
        """Run the delivery callbacks that are due, in the caller's thread.

        A reader calls it after a burst. The poll thread alone would have to wait for the interpreter lock
        once per message, up to five milliseconds each time, while a reader is busy.
        """
        self._served_s = time.monotonic()
        self._producer.poll(0)

    def _poll(self) -> None:
        while not self._closing.is_set():
            if time.monotonic() - self._served_s < SERVED_S:
                self._closing.wait(SERVED_S)
            else:
                self._producer.poll(SERVED_S)

    def _fail(self, what: str) -> DeliveryError:
        failure = self.failure
        if failure is None:
            failure = self.failure = DeliveryError(
                what, "The producer starts again from what Kafka has; if this repeats, see the brokers' logs."
            )
            log.error("delivery failed", reason=what)
        self._stop.set()
        return failure

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fail(f"Kafka's client cannot go on: {error.str()}.")
        log.warning("kafka", code=error.name(), error=error.str(), fatal=error.fatal())
