"""Samples of the producer's health and of Kafka's acknowledged trades while a run goes on.

What belongs here: asking, at a steady pace, without disturbing what is asked. What does not: judging
(`outcome`).
"""

from __future__ import annotations

import threading
import time
from typing import Final

from confluent_kafka import Consumer, KafkaException

from streaming import kafka, topics
from tests.chaos.outcome import FoundGap, Health, Stored
from tests.integration.producer_bench import Bench

HEALTH_EVERY_S: Final = 0.2
HEALTH_TIMEOUT_S: Final = 1.0
STORED_EVERY_S: Final = 1.0
KAFKA_TIMEOUT_S: Final = 5.0
_JOIN_S: Final = 30.0


class Watch:
    """Two threads that sample until `stop`. `now_s` counts from the beginning, as all times of a run do."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._began = time.monotonic()
        self._began_us = time.time_ns() // 1000
        self._stop = threading.Event()
        self.health: list[Health] = []
        self.stored: list[Stored] = []
        self._threads = [
            threading.Thread(target=self._watch_health, name="chaos-health"),
            threading.Thread(target=self._watch_stored, name="chaos-stored"),
        ]

    def now_s(self) -> float:
        return time.monotonic() - self._began

    def ledger(self) -> list[FoundGap]:
        """What the gap ledger in Kafka says now."""
        return [
            FoundGap(
                gap.pair,
                gap.from_id,
                gap.to_id,
                None if gap.filled_at_us is None else (gap.filled_at_us - self._began_us) / 1e6,
            )
            for gap in self._bench.gaps().values()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _watch_health(self) -> None:
        while not self._stop.wait(HEALTH_EVERY_S):
            status = self._bench.status(timeout_s=HEALTH_TIMEOUT_S)
            at_s = self.now_s()
            pairs = status.get("pairs", {})
            self.health.append(
                Health(
                    at_s,
                    bool(status["ready"]),
                    {pair: state["last_trade_id"] for pair, state in pairs.items()},
                    {
                        pair: at_s - state["last_ticker_age_s"]
                        for pair, state in pairs.items()
                        if state["last_ticker_age_s"] is not None
                    },
                )
            )

    def _watch_stored(self) -> None:
        consumer = kafka.consumer(self._bench.platform.settings, "chaos-watch")
        try:
            while not self._stop.wait(STORED_EVERY_S):
                try:
                    self.stored.append(self._stored(consumer))
                except KafkaException:
                    # A partition has no leader right now; the next sample tells what this one cannot.
                    continue
        finally:
            consumer.close()

    def _stored(self, consumer: Consumer) -> Stored:
        partitions = (
            consumer.list_topics(topics.TRADES, timeout=KAFKA_TIMEOUT_S).topics[topics.TRADES].partitions
        )
        in_sync = all(len(p.isrs) == len(p.replicas) for p in partitions.values())
        ends = kafka.watermarks(consumer, topics.TRADES, partitions)
        return Stored(self.now_s(), sum(end for _, end in ends.values()), in_sync)
