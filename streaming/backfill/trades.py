"""Writes past trades of a pair into Kafka, with source `rest`.

What belongs here: which ids are missing in a span of time, walking the exchange's history over them, writing.
What does not: requests (`streaming.exchanges.<venue>.rest`), what happens after Kafka: de-duplication,
loading and the correction of bars are those of any late trade.

A trade that the warehouse has is not written again. The span is cut into runs of missing ids: between those
the warehouse has, and before the first it has. What is after the last one is the running producer's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, Message

from streaming import topics
from streaming.backfill.asking import ask
from streaming.errors import PlatformError
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.venue import Venue
from streaming.producer.rest_client import RestClient
from streaming.producer.source import Source
from streaming.records import Trade, encode, key_of

PRODUCER_ID: Final = "backfill"


class BackfillError(PlatformError):
    """History could not be read or written; what was written before stays, and a repetition goes on."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A trade row that the warehouse has: ids FIRST_ID..TRADE_ID and exchange time, microseconds."""

    first_id: int
    trade_id: int
    time_us: int


def missing(stored: Sequence[Stored], newest_id: int) -> list[tuple[int, int]]:
    """The runs of ids to ask for, newest first, from what the warehouse has in the span, by id.

    The run before the first stored row begins at id 1: how far back it goes is decided by time. Without any
    stored row everything up to `newest_id` is missing.
    """
    if not stored:
        return [(1, newest_id)]
    runs = [(1, stored[0].first_id - 1)]
    covered = stored[0].trade_id
    for row in stored[1:]:
        if row.first_id > covered + 1:
            runs.append((covered + 1, row.first_id - 1))
        covered = max(covered, row.trade_id)
    return [run for run in reversed(runs) if run[1] >= run[0]]


def walk(
    venue: Venue, client: RestClient, pair: str, ids: tuple[int, int], from_us: int, to_us: int
) -> Iterator[TradeEvent]:
    """The trades of the exchange's history with these ids and from_us <= time < to_us, newest page first.

    Each is there once, though pages overlap by a trade.

    Raises:
        RestError: the exchange does not answer, refuses, or answers something unreadable.
    """
    history = venue.history(pair, *ids)
    last_page: set[int] = set()
    while (request := history.next_request()) is not None:
        page = ask(client, request, history.receive)
        new = [trade for trade in page if trade.trade_id not in last_page]
        last_page = {trade.trade_id for trade in page}
        yield from (trade for trade in new if from_us <= trade.exchange_time_us < to_us)
        if page and page[0].exchange_time_us < from_us:
            return


class TradeWriter:
    """Writes one exchange's trades into Kafka; `close` waits until Kafka has them all.

    Args:
        settings: where Kafka is.
        source: whose trades they are.
        partitions: of each pair.
    """

    def __init__(self, send: Callable[..., None], source: Source, partitions: dict[str, int]) -> None:
        self._send = send
        self._source = source
        self._partitions = partitions
        self._epoch_ms = time.time_ns() // 1_000_000
        self._seq: dict[str, int] = {}
        self.failure: BackfillError | None = None

    def write(self, trade: TradeEvent) -> None:
        """Send one trade. Raises BackfillError when Kafka has refused an earlier one."""
        if self.failure is not None:
            raise self.failure
        seq = self._seq[trade.pair] = self._seq.get(trade.pair, 0) + 1
        record = Trade(
            exchange=self._source.exchange,
            pair=trade.pair,
            first_id=trade.first_id,
            trade_id=trade.trade_id,
            count=trade.count,
            price=trade.price,
            size=trade.size,
            side=trade.side,
            exchange_time_us=trade.exchange_time_us,
            receive_time_ns=trade.receive_time_ns,
            producer_id=PRODUCER_ID,
            producer_epoch=self._epoch_ms,
            seq=seq,
            source="rest",
            simulated=self._source.simulated,
        )
        self._send(
            topics.TRADES,
            partition=self._partitions[trade.pair],
            key=key_of(self._source.exchange, trade.pair),
            value=encode(record),
            on_delivery=self._delivered,
        )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failure = BackfillError(
                f"Kafka refused a trade of {message.topic()} ({error}).", "Repeat the command."
            )
