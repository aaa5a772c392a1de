"""The one Kafka consumer of the dashboard: a thread that keeps the market state up to date.

What belongs here: where reading begins, decoding, and going on after failures. What does not: what a record
means (`crypto_platform.dashboard.state`).

It belongs to no group's progress: it assigns itself every partition, begins shortly before now, and commits
nothing, so that any number of dashboards can run.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import Final

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, wait_random_exponential

from crypto_platform.dashboard.state import Arrival, MarketState
from streaming import topics
from streaming.errors import ServiceUnavailableError
from streaming.kafka import TIMEOUT_S, consumer
from streaming.records import Anomaly, Bar, CleanTrade, FormingBar, Gap, Ticker, Trade
from streaming.settings import Settings

log = structlog.get_logger(__name__)

HOUR_MS: Final = 3_600_000
TAIL_RECORDS: Final = 200
"""Of a topic of ticks the last ones are enough: there are many a second."""

BEGIN_BACK_MS: Final[dict[str, int | None]] = {
    topics.TICKERS: None,
    topics.TRADES: None,
    topics.CLEAN_TRADES: None,
    topics.BARS_1M: 4 * HOUR_MS,
    topics.BARS_5M: 12 * HOUR_MS,
    topics.BARS_15M: 24 * HOUR_MS,
    topics.BARS_1H: 48 * HOUR_MS,
    topics.BARS_FORMING: HOUR_MS // 30,
    topics.ANOMALIES: 24 * HOUR_MS,
    topics.GAPS: topics.RETENTION_HOURS * HOUR_MS,
}
"""How far back each topic is read at the start; None: its last records."""

_DECODERS: Final[dict[str, msgspec.json.Decoder[Ticker | Trade | Bar | FormingBar | Anomaly | Gap]]] = {
    topics.TICKERS: msgspec.json.Decoder(Ticker),
    topics.TRADES: msgspec.json.Decoder(Trade),
    topics.CLEAN_TRADES: msgspec.json.Decoder(CleanTrade),
    topics.BARS_1M: msgspec.json.Decoder(Bar),
    topics.BARS_5M: msgspec.json.Decoder(Bar),
    topics.BARS_15M: msgspec.json.Decoder(Bar),
    topics.BARS_1H: msgspec.json.Decoder(Bar),
    topics.BARS_FORMING: msgspec.json.Decoder(FormingBar),
    topics.ANOMALIES: msgspec.json.Decoder(Anomaly),
    topics.GAPS: msgspec.json.Decoder(Gap),
}

BATCH: Final = 500
POLL_S: Final = 0.1
NEW_PARTITIONS_S: Final = 30.0
LAG_S: Final = 5.0


class Feed:
    """Reads until `stop` is set. `caught_up` is set when what was there at the start has been read."""

    def __init__(self, settings: Settings, state: MarketState, stop: threading.Event) -> None:
        self._settings = settings
        self._state = state
        self._stop = stop
        self._waiting: set[tuple[str, int]] = set()
        self._assigned: set[tuple[str, int]] = set()
        self._next_look_s = 0.0
        self.caught_up = threading.Event()
        self.connected = False
        self.unreadable = 0
        self.lag = 0
        """Records of ticks that are in Kafka and not read yet, looked at every few seconds."""
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended; `stop` must be set."""
        self._thread.join(timeout=15)

    def _run(self) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type((KafkaException, ServiceUnavailableError)),
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            sleep=sleep_using_event(self._stop),
            stop=lambda state: self._stop.is_set(),
            before_sleep=lambda state: log.warning(
                "Kafka cannot be read", error=str(state.outcome and state.outcome.exception())
            ),
            retry_error_callback=lambda state: None,
        )
        retrying(self._read)

    def _read(self) -> None:
        client = consumer(
            self._settings,
            f"dashboard-{uuid.uuid4()}",
            enable_partition_eof="true",
            fetch_wait_max_ms=50,
            queued_max_messages_kbytes=16_384,
        )
        try:
            self._assigned.clear()
            self._waiting.clear()
            self._assign_new(client)
            self.connected = True
            lag_at_s = 0.0
            while not self._stop.is_set():
                first = client.poll(POLL_S)
                now_s = time.monotonic()
                if first is not None:
                    self._take([first, *client.consume(BATCH - 1, timeout=0)])
                if now_s >= self._next_look_s:
                    self._assign_new(client)
                if now_s - lag_at_s > LAG_S:
                    lag_at_s = now_s
                    self.lag = self._read_lag(client)
        finally:
            self.connected = False
            client.close()

    def _assign_new(self, client: Consumer) -> None:
        """Assign the partitions that are new since the last look.

        Raises:
            ServiceUnavailableError: a topic is missing.
        """
        self._next_look_s = time.monotonic() + NEW_PARTITIONS_S
        known = client.list_topics(timeout=TIMEOUT_S).topics
        missing = [name for name in BEGIN_BACK_MS if name not in known]
        if missing:
            raise ServiceUnavailableError(
                f"Kafka has no topic {missing[0]}.", "`crypto-platform up` creates it."
            )
        new = [
            (name, number)
            for name in BEGIN_BACK_MS
            for number in known[name].partitions
            if (name, number) not in self._assigned
        ]
        if new:
            client.incremental_assign(self._beginnings(client, new))
            self._assigned.update(new)
            if not self.caught_up.is_set():
                self._waiting.update(new)

    def _beginnings(self, client: Consumer, partitions: list[tuple[str, int]]) -> list[TopicPartition]:
        now_ms = time.time_ns() // 1_000_000
        begin: list[TopicPartition] = []
        by_time: list[TopicPartition] = []
        for name, number in partitions:
            back_ms = BEGIN_BACK_MS[name]
            if back_ms is None:
                low, high = client.get_watermark_offsets(TopicPartition(name, number), timeout=TIMEOUT_S)
                begin.append(TopicPartition(name, number, max(low, high - TAIL_RECORDS)))
            else:
                by_time.append(TopicPartition(name, number, now_ms - back_ms))
        if by_time:
            begin += client.offsets_for_times(by_time, timeout=TIMEOUT_S)
        return begin

    def _take(self, batch: list[Message]) -> None:
        read_ms = time.time_ns() / 1e6
        arrivals: list[Arrival] = []
        for message in batch:
            error = message.error()
            topic = message.topic() or ""
            if error is not None:
                self._hear(error, topic, message.partition())
                continue
            try:
                arrivals.append(Arrival(topic, _DECODERS[topic].decode(message.value() or b""), read_ms))
            except msgspec.DecodeError as reason:
                if not self.unreadable:
                    log.warning("a record cannot be read", topic=topic, reason=str(reason))
                self.unreadable += 1
        self._state.apply(arrivals)

    def _hear(self, error: KafkaError, topic: str, partition: int | None) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._waiting.discard((topic, partition or 0))
            if not self._waiting:
                self.caught_up.set()
        elif error.fatal():
            raise KafkaException(error)
        else:
            log.warning("Kafka says", error=error.str(), topic=topic)

    def _read_lag(self, client: Consumer) -> int:
        """What the client knows of itself: the ends it has heard of, less where it stands."""
        ticks = [
            TopicPartition(name, number)
            for name, number in self._assigned
            if name in (topics.TICKERS, topics.TRADES)
        ]
        total = 0
        for at in client.position(ticks):
            _, high = client.get_watermark_offsets(at, cached=True)
            if at.offset >= 0 and high >= 0:
                total += max(0, high - at.offset)
        return total
