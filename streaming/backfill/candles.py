"""Reads an exchange's own candles of a span.

What belongs here: paging and sending. What does not: requests and rows
(`streaming.exchanges.<venue>.candles`).
"""

from __future__ import annotations

from streaming.backfill.asking import ask
from streaming.exchanges.candles import Candle, Candles
from streaming.producer.rest_client import RestClient

MINUTE_MS = 60_000


def read(client: RestClient, candles: Candles, pair: str, from_ms: int, to_ms: int) -> list[Candle]:
    """The closed minutes of [from_ms, to_ms) that the exchange has, oldest first.

    Raises:
        RestError: the exchange does not answer, refuses, or answers something unreadable.
    """
    found: dict[int, Candle] = {}
    end_ms = to_ms
    while end_ms > from_ms:
        request = candles.request(pair, from_ms, end_ms)
        page = ask(client, request, lambda reply: candles.closed(pair, reply))
        wanted = [candle for candle in page if from_ms <= candle.start_ms < end_ms]
        if not wanted:
            break
        found |= {candle.start_ms: candle for candle in wanted}
        end_ms = wanted[0].start_ms
    return [found[start] for start in sorted(found)]
