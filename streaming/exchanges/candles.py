"""The exchanges' own candles: what one is, and which venues we can ask.

What belongs here: the value, the interface, the list. What does not: a venue's requests and rows
(`streaming.exchanges.<venue>.candles`), sending them (`streaming.backfill.candles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from streaming.exchanges.venue import RestReply, RestRequest


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed minute of a pair as the exchange itself tells it; `start_ms` in exchange time, UTC."""

    pair: str
    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal


class Candles(Protocol):
    """A venue's one-minute candles, without I/O."""

    def request(self, pair: str, from_ms: int, to_ms: int) -> RestRequest:
        """Asks for the newest candles with from_ms <= start < to_ms, as many as a page holds."""

    def closed(self, pair: str, reply: RestReply) -> Sequence[Candle]:
        """The closed candles of that reply, oldest first. Raises RestError."""


def candles_of(venue: str) -> Candles | None:
    """The candles of the venue with that word, None when we do not read them."""
    from streaming.exchanges.okx.candles import OkxCandles

    return OkxCandles() if venue.lower() == "okx" else None
