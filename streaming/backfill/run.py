"""The back-fill of a span of time, all pairs of all configured exchanges.

What belongs here: the walk over exchanges and pairs, and its report. What does not: one pair's trades
(`streaming.backfill.trades`), printing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from streaming import kafka, pair_registry, warehouse
from streaming.backfill.asking import ask
from streaming.backfill.trades import BackfillError, Stored, TradeWriter, missing, walk
from streaming.exchanges.venue import RestError
from streaming.producer import source as sources
from streaming.producer.rest_client import RestClient
from streaming.producer.source import Source
from streaming.settings import Settings

FLUSH_S = 60.0


@dataclass(frozen=True, slots=True)
class Filled:
    """What one pair got: trades written, and the exchange times of the first and the last, microseconds."""

    exchange: str
    pair: str
    trades: int
    first_us: int | None
    last_us: int | None


def run(
    settings: Settings, begin: datetime, end: datetime, report: Callable[[Filled], None] = lambda filled: None
) -> list[Filled]:
    """Write the trades of [begin, end) that the warehouse lacks into Kafka.

    Raises:
        BackfillError: an exchange does not give its history, or Kafka refuses it.
        ServiceUnavailableError: Kafka or the warehouse does not answer.
    """
    found = []
    for source in sources.named(settings, ()):
        # Every pair that is read has its place by now; one that never was has no history of ours to complete.
        pairs = settings.pair_choice.of(pair_registry.read(settings))
        partitions = pair_registry.placements(settings, pairs)
        producer = kafka.producer(settings)
        client = RestClient(source.rest_url, threading.Event())

        def send(topic: str, **message: object) -> None:
            while True:
                try:
                    producer.produce(topic, **message)  # noqa: B023
                    producer.poll(0)  # noqa: B023
                    return
                except BufferError:
                    producer.poll(0.1)  # noqa: B023

        writer = TradeWriter(send, source, partitions)
        try:
            for pair in pairs:
                filled = _fill(settings, source, client, writer, pair, begin, end)
                if producer.flush(FLUSH_S) or writer.failure is not None:
                    raise writer.failure or BackfillError(
                        f"Kafka did not take the trades of {pair} within {FLUSH_S:.0f} s.",
                        "Repeat the command.",
                    )
                report(filled)
                found.append(filled)
        except RestError as error:
            raise BackfillError(f"{source.exchange} does not give its history: {error}") from error
        finally:
            client.close()
    return found


def _fill(
    settings: Settings,
    source: Source,
    client: RestClient,
    writer: TradeWriter,
    pair: str,
    begin: datetime,
    end: datetime,
) -> Filled:
    stored, after = _stored(settings, source.exchange, pair, begin, end)
    newest = (
        after - 1
        if after is not None
        else ask(client, source.venue.newest_request(pair), source.venue.newest_id)
    )
    from_us, to_us = _us(begin), _us(end)
    times: list[int] = []
    for ids in missing(stored, newest or 0):
        for trade in walk(source.venue, client, pair, ids, from_us, to_us):
            writer.write(trade)
            times.append(trade.exchange_time_us)
    return Filled(source.exchange, pair, len(times), min(times, default=None), max(times, default=None))


def _stored(
    settings: Settings, exchange: str, pair: str, begin: datetime, end: datetime
) -> tuple[list[Stored], int | None]:
    """What the warehouse has in the span, and the lowest id it has after it."""
    from snowflake_sql import catalog

    span = {"exchange": exchange, "pair": pair, "from_time": _naive(begin), "to_time": _naive(end)}
    with warehouse.connect(settings) as connection:
        rows = warehouse.rows(connection, catalog.statement("queries/stored_ids"), span)
        after = {"exchange": exchange, "pair": pair, "from_time": _naive(end)}
        ((first_id, count),) = warehouse.rows(connection, catalog.statement("queries/first_id_since"), after)
    stored = [Stored(int(first), int(last), _us(at.replace(tzinfo=UTC))) for first, last, at in rows]
    return stored, int(first_id) if count else None


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
