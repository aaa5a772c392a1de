"""Writing to Kafka: blocks when Kafka is slow, spools when it is away, stops when a delivery fails.

What belongs here: the one librdkafka producer of the process and its rules. What does not: what is
written (`tape`, `ledger`), where a pair goes (`streaming.topics`), the order on the way through the disk
(`detour`) and how a silent Kafka is noticed (`pulse`).

* `enable.gapless.guarantee` and no message time-out: librdkafka retries for as long as it takes, in order,
  so Kafka's copy of a pair's tape never has a hole that later trades hide.
* A full queue blocks the caller, that is, the thread that reads the socket: the exchange is slowed down or
  closes the connection, and what was missed is a gap like any other.
* A Kafka that acknowledges nothing for `AWAY_S` is away: records go to the spool, and tickers are refused.
  When all that was in flight is acknowledged the spool is drained, and when it is empty records go to
  librdkafka again. A full spool blocks like a full queue.
* An error that librdkafka cannot retry ends the process; the next one resumes from what Kafka has.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from streaming import kafka
from streaming.errors import PlatformError
from streaming.producer.detour import Detour
from streaming.producer.pulse import Delivered, Pulse
from streaming.producer.spool import Spool, SpooledRecord
from streaming.settings import Settings

log = structlog.get_logger(__name__)

QUEUE_MESSAGES: Final = 200_000
LINGER_MS: Final = 10
"""Longer than a request takes: while a batch is due and the request before it is not answered, librdkafka's
thread for a broker polls without a pause, which took several times the processor time."""
REQUESTS_IN_FLIGHT: Final = 1
"""A broker gets one request at a time: while it works, the next batch grows. So batches are small when there
is little to send and large when there is much, which spares the brokers work exactly when they have most."""
SERVED_S: Final = 0.02
"""For this long after a reader has run the callbacks, the poll thread leaves them to the readers. It is more
than a busy reader takes for one read, but not much: what is acknowledged just after a burst waits for it."""
AWAY_S: Final = 3.0
"""Longer than a broker's pause or a crowded machine, shorter than the election after a broker's death."""
DRAIN_MESSAGES: Final = 10_000
"""Most messages in flight while the spool is drained."""
_DRAIN_WAIT_S: Final = 0.005
_WAIT_S: Final = 0.05


class DeliveryError(PlatformError):
    """Kafka refused a message for good; what is in Kafka stays consistent, the process must start anew."""


class StoppingError(Exception):
    """The process is stopping: nothing more is accepted."""


class KafkaSink:
    """Thread-safe. `stop` ends every wait with `StoppingError`.

    Args:
        settings: where Kafka is.
        stop: set by the engine when the process has to end.
        spool: where records wait while Kafka is away; without one, reading waits. Closed with the sink.
    """

    def __init__(self, settings: Settings, stop: threading.Event, spool: Spool | None = None) -> None:
        self._stop = stop
        self._pulse = Pulse()
        self.detour = Detour(spool) if spool is not None else None
        self.spooling = False
        """Kafka is away, or was a moment ago: records go through the spool. Set by the poll thread alone."""
        self._closing = threading.Event()
        self.failure: DeliveryError | None = None
        self.blocked_seconds = 0.0
        self._served_s = 0.0
        self._producer = kafka.producer(
            settings,
            on_error=self._on_error,
            linger_ms=LINGER_MS,
            max_in_flight=REQUESTS_IN_FLIGHT,
            enable_gapless_guarantee="true",
            message_timeout_ms=0,
            queue_buffering_max_messages=QUEUE_MESSAGES,
            queue_buffering_max_kbytes=262_144,
        )
        self._poller = threading.Thread(target=self._poll, name="kafka-poll", daemon=True)
        self._poller.start()

    @property
    def depth(self) -> int:
        """Messages that Kafka has not acknowledged yet, those in the spool included."""
        return len(self._producer) + (self.detour.unread if self.detour is not None else 0)

    def await_partitions(self, count: int) -> None:
        """Return when the client knows `count` partitions. Raises ServiceUnavailableError."""
        kafka.await_partitions(self._producer, count)

    def send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered | None) -> None:
        """Hand a message to librdkafka or to the spool, waiting while there is no room.

        One caller at a time writes what has an order of its own, such as a pair's trades.

        `delivered` None: a later message of the same partition tells for this one too. If Kafka refuses this
        one, `enable.gapless.guarantee` makes that an error of the whole client.

        Raises:
            StoppingError: the process is stopping; the message was not taken.
            DeliveryError: an earlier message was refused; this one was not taken.
        """
        if self.spooling or self._pulse.due or not self._produce(topic, partition, key, value, delivered):
            self._send_slowly(SpooledRecord(topic, partition, key, value), delivered)

    def try_send(self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered) -> bool:
        """Like `send`, but gives up at once while spooling or when the queue is half full: trades first."""
        if self.spooling or len(self._producer) > QUEUE_MESSAGES // 2:
            return False
        return self._produce(topic, partition, key, value, delivered)

    def send_ahead(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        """Send, and return when Kafka will have it before anything that the caller sends later.

        That is, when Kafka has acknowledged it, or the spool, which keeps the order, takes what is later.
        Raises like `send`.
        """
        detour = self.detour
        if detour is None:
            self.send_and_wait(topic, partition, key, value)
            return
        done = threading.Event()
        self._send_slowly(SpooledRecord(topic, partition, key, value, barrier=True), self._setting(done))
        while not (detour.open or done.wait(_WAIT_S)):
            self.raise_if_ending()
        if self.failure is not None:
            raise self.failure

    def send_and_wait(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        """Send and return only when Kafka has acknowledged. Raises like `send`."""
        done = threading.Event()
        self.send(topic, partition, key, value, self._setting(done))
        while not done.wait(_WAIT_S):
            self.raise_if_ending()
        if self.failure is not None:
            raise self.failure

    def _setting(self, done: threading.Event) -> Delivered:
        def delivered(error: KafkaError | None, message: Message) -> None:
            self.check(error, message)
            done.set()

        return delivered

    def _send_slowly(self, record: SpooledRecord, delivered: Delivered | None) -> None:
        waited = False
        while not self._take(record, delivered):
            self._wait_for_room()
            waited = True
        if waited:
            self._pulse.heard()

    def _take(self, record: SpooledRecord, delivered: Delivered | None) -> bool:
        if self.failure is not None:
            raise self.failure
        detour = self.detour
        if detour is not None and detour.open and not record.barrier:
            return detour.take(record, delivered)
        watched = self._pulse.watch(delivered)
        if detour is not None and record.barrier:
            taken = detour.take_barrier(record, watched, self._produce_record)
        else:
            taken = self._produce_record(record, watched)
        if not taken:
            self._pulse.refused()
        return taken

    def _produce_record(self, record: SpooledRecord, delivered: Delivered | None) -> bool:
        return self._produce(record.topic, record.partition, record.key, record.value, delivered)

    def _produce(
        self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered | None
    ) -> bool:
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
        """Wait until all is acknowledged or `timeout_s` is over; return how many messages were not.

        What is in the spool stays there. librdkafka gives back nothing: its gapless guarantee makes a purge a
        fatal error.
        """
        left: int = self._producer.flush(timeout_s)
        self._closing.set()
        self._poller.join(timeout=5)
        if left:
            self._producer.purge()
        if self.detour is not None:
            self.detour.close()
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
        try:
            while not self._closing.is_set():
                if self.detour is not None and self.spooling:
                    self._drain(self.detour)
                elif time.monotonic() - self._served_s < SERVED_S:
                    self._closing.wait(SERVED_S)
                else:
                    self._producer.poll(SERVED_S)
                if self.detour is not None and not self.spooling:
                    self._begin_spooling_if_away(self.detour)
        except DeliveryError:
            return  # `_fail` has kept it and stops the process
        except PlatformError as error:
            self._fail(str(error))
        except Exception as error:
            log.exception("the thread that waits for Kafka failed")
            self._fail(f"Waiting for Kafka failed: {error!r}.")

    def _begin_spooling_if_away(self, detour: Detour) -> None:
        silent_s = self._pulse.silent_s()
        if silent_s < AWAY_S or not len(self._producer):
            self._pulse.tick()
            return
        self.spooling = True
        detour.begin()
        log.warning("Kafka is away: spooling", silent_s=round(silent_s, 1), in_flight=len(self._producer))

    def _drain(self, detour: Detour) -> None:
        """Wait until all that was sent directly is acknowledged, then send what is in the spool."""
        while len(self._producer):
            self._producer.poll(SERVED_S)
            if self._closing.is_set():
                return
        log.info("Kafka is back: draining", spooled=detour.unread, spool_bytes=detour.bytes)
        while not detour.end_if_empty():
            batch = detour.next() if len(self._producer) < DRAIN_MESSAGES else []
            for record, delivered in batch:
                while not self._produce_record(record, delivered):
                    self._producer.poll(SERVED_S)
                    if self._closing.is_set():
                        return
            self._producer.poll(0 if batch else _DRAIN_WAIT_S)
            if self._closing.is_set():
                return
        self._pulse.heard()
        self.spooling = False
        log.info("the spool is drained", drained=detour.drained, seconds=round(detour.seconds, 1))

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
