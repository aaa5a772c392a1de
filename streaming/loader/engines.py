"""Which engine loads which topics, and how much it gathers before it writes.

What belongs here: the choice, as data. What does not: the engines (`streaming.loader.sink`,
`streaming.loader.snowpipe`) and the loop (`streaming.loader.service`).

The engine `batch` writes everything in transactions. The engine `streaming` appends what only grows by
Snowpipe Streaming, which costs no warehouse, and merges what is replaced (bars, quotes, anomalies, gaps) now
and then by transactions, because Snowpipe Streaming can only append.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streaming import topics
from streaming.loader import tables
from streaming.loader.rows import loaded_topics
from streaming.loader.tables import Mode, Table
from streaming.settings import Settings

APPENDED: Final[Mapping[str, Table]] = {
    topics.CLEAN_TRADES: tables.TRADES,
    topics.CLEAN_TICKERS: tables.TICKERS,
    topics.LATE_TRADES: tables.LATE_TRADES,
    topics.DEAD_LETTERS: tables.DEAD_LETTERS,
}
"""The topics whose rows never replace another one, with their tables."""
assert all(table.mode is not Mode.UPSERT for table in APPENDED.values())


@dataclass(frozen=True, slots=True)
class Pace:
    """A batch is written when it has `rows` messages, or `seconds` after it was begun."""

    rows: int
    seconds: float


LOWEST_LATENCY: Final = Pace(50_000, 0.2)
"""For the emulator: a transaction costs tens of milliseconds and nothing else."""
SNOWPIPE: Final = Pace(50_000, 1.0)
"""The service commits about every second and charges by volume, so waiting longer saves nothing."""
LOWEST_COST: Final = Pace(250_000, 300.0)
"""For a warehouse, whose every resume is billed for 60 s at least: every five minutes is a fifth of a day."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Topics that are loaded together by one engine."""

    streams: bool
    topics: tuple[str, ...]
    pace: Pace


def lanes(settings: Settings) -> tuple[Lane, ...]:
    """How the topics are divided among the engines."""
    wanted = loaded_topics(raw_tickers=settings.loader_raw_tickers)
    if settings.loader_engine == "batch":
        default = LOWEST_LATENCY if settings.uses_emulator else LOWEST_COST
        return (Lane(False, wanted, _pace(settings, default)),)
    appended = tuple(topic for topic in wanted if topic in APPENDED)
    merged = tuple(topic for topic in wanted if topic not in APPENDED)
    return (
        Lane(True, appended, _pace(settings, SNOWPIPE)),
        Lane(False, merged, Pace(LOWEST_COST.rows, settings.loader_merge_ms / 1000)),
    )


def _pace(settings: Settings, default: Pace) -> Pace:
    rows, milliseconds = settings.loader_batch_rows, settings.loader_batch_ms
    return Pace(rows or default.rows, milliseconds / 1000 if milliseconds else default.seconds)
