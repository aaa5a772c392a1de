"""Closed bars of the warehouse, through a cache: never asked twice for what it has just said.

What belongs here: the query, the cache and its times. What does not: bars that are younger than the warehouse
(`crypto_platform.dashboard.candles` joins them).

Bars are read in chunks of whole numbers of bars, so that all viewers of a range share its chunks. A recent
chunk may still grow and is asked for again after some seconds; an old one only changes when a rollup
recomputes it. While the warehouse does not answer, what is cached stays valid and nobody waits for a second
failure.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import snowflake.connector.errors
import structlog
from snowflake.connector import SnowflakeConnection

from crypto_platform.dashboard.numbers import plain, plain_or_none, volatility_bp
from crypto_platform.dashboard.views import INTERVALS, Candle
from infra.local.ports import is_open
from snowflake_sql import catalog
from streaming import warehouse
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.settings import Settings

log = structlog.get_logger(__name__)

CHUNK_BARS: Final = 360
CHUNKS_KEPT: Final = 600
"""About 200,000 bars, 100 MB at most."""
RECENT_MS: Final = 3 * 3_600_000
RECENT_VALID_S: Final = 20.0
OLD_VALID_S: Final = 600.0
PAUSE_AFTER_FAILURE_S: Final = 5.0
STATEMENT_TIMEOUT_S: Final = 15

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the warehouse's times are UTC without a zone
_MILLISECOND = timedelta(milliseconds=1)
_PARAMETER = re.compile(r":([a-z_]+)\b")


def query(name: str) -> str:
    """The one statement of a file of `sql/`, parameters as `%(name)s`."""
    (statement,) = catalog.split((Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
    return _PARAMETER.sub(r"%(\1)s", statement)


@dataclass(frozen=True, slots=True)
class _Chunk:
    candles: tuple[Candle, ...]
    valid_until_s: float


Key = tuple[str, str, str, int]


class History:
    """Closed bars by range. Thread-safe; one statement at a time, however many ask."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._statement = query("candles")
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        """Held while the warehouse is asked; what is cached is given meanwhile."""
        self._connection: SnowflakeConnection | None = None
        self._chunks: OrderedDict[Key, _Chunk] = OrderedDict()
        self._failed: tuple[float, PlatformError] | None = None
        self.hits = 0
        self.queries = 0

    def candles(self, exchange: str, pair: str, interval: str, begin_ms: int, end_ms: int) -> list[Candle]:
        """The bars whose windows start in [begin_ms, end_ms), by start.

        Raises:
            ServiceUnavailableError: the warehouse does not answer and the range is not cached.
        """
        step = CHUNK_BARS * INTERVALS[interval]
        keys = [(exchange, pair, interval, start) for start in range(begin_ms // step * step, end_ms, step)]
        if self._missing(keys):
            with self._asking:
                missing = self._missing(keys)  # who asked just before may have brought it
                if missing:
                    self._fill(exchange, pair, interval, missing[0][3], missing[-1][3] + step)
        else:
            self.hits += len(keys)
        found: list[Candle] = []
        with self._lock:
            for key in keys:
                if key in self._chunks:
                    self._chunks.move_to_end(key)
                    chunk = self._chunks[key]
                    found += [candle for candle in chunk.candles if begin_ms <= candle.start_ms < end_ms]
            while len(self._chunks) > CHUNKS_KEPT:
                self._chunks.popitem(last=False)
        return found

    def _missing(self, keys: list[Key]) -> list[Key]:
        now_s = self._clock()
        with self._lock:
            return [
                key for key in keys if (chunk := self._chunks.get(key)) is None or chunk.valid_until_s < now_s
            ]

    def _fill(self, exchange: str, pair: str, interval: str, begin_ms: int, end_ms: int) -> None:
        step = CHUNK_BARS * INTERVALS[interval]
        keys = [(exchange, pair, interval, start) for start in range(begin_ms, end_ms, step)]
        try:
            rows = self._ask(exchange, pair, interval, begin_ms, end_ms)
        except ServiceUnavailableError:
            if all(key in self._chunks for key in keys):
                return  # what was cached is better than nothing
            raise
        now_s = self._clock()
        chunks: dict[Key, list[Candle]] = {key: [] for key in keys}
        for row in rows:
            candle = _candle(exchange, pair, interval, row)
            chunks[exchange, pair, interval, candle.start_ms // step * step].append(candle)
        with self._lock:
            for key, candles in chunks.items():
                recent = key[3] + step > now_s * 1000 - RECENT_MS
                valid_s = RECENT_VALID_S if recent else OLD_VALID_S
                self._chunks[key] = _Chunk(tuple(candles), now_s + valid_s)

    def _ask(
        self, exchange: str, pair: str, interval: str, begin_ms: int, end_ms: int
    ) -> list[warehouse.Row]:
        if self._failed is not None and self._clock() - self._failed[0] < PAUSE_AFTER_FAILURE_S:
            raise self._failed[1]
        self.queries += 1
        try:
            if self._settings.uses_emulator and not is_open(self._settings.ports.emulator):
                # The connector would try again for many seconds, and a chart would wait for it.
                raise warehouse.unavailable(self._settings, ConnectionRefusedError("its port is closed"))
            if self._connection is None:
                self._connection = warehouse.open_connection(
                    self._settings, network_timeout_s=STATEMENT_TIMEOUT_S
                )
            rows = warehouse.rows(
                self._connection,
                self._statement,
                {
                    "exchange": exchange,
                    "pair": pair,
                    "interval_name": interval,
                    "begins": _timestamp(begin_ms),
                    "ends": _timestamp(end_ms),
                },
            )
        except (snowflake.connector.errors.Error, OSError, ServiceUnavailableError) as error:
            self.close()
            failure = (
                error
                if isinstance(error, ServiceUnavailableError)
                else warehouse.unavailable(self._settings, error)
            )
            log.warning("the warehouse cannot be read", error=str(error))
            self._failed = (self._clock(), failure)
            raise failure from error
        self._failed = None
        return rows

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close(retry=False)
            self._connection = None


def _timestamp(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _candle(exchange: str, pair: str, interval: str, row: tuple[Any, ...]) -> Candle:
    (
        start,
        end,
        opened,
        high,
        low,
        closed,
        volume,
        quote_volume,
        vwap,
        trade_count,
        buy_volume,
        sell_volume,
        spread_bp,
        variance,
        flagged_count,
        simulated,
        revision,
    ) = row
    return Candle(
        exchange=exchange,
        pair=pair,
        interval=interval,
        start_ms=_ms(start),
        end_ms=_ms(end),
        open=plain(opened),
        high=plain(high),
        low=plain(low),
        close=plain(closed),
        volume=plain(volume),
        quote_volume=plain(quote_volume),
        vwap=plain_or_none(vwap),
        trade_count=int(trade_count),
        buy_volume=plain_or_none(buy_volume),
        sell_volume=plain_or_none(sell_volume),
        spread_bp=plain_or_none(spread_bp),
        volatility_bp=volatility_bp(variance),
        flagged_count=None if flagged_count is None else int(flagged_count),
        simulated=bool(simulated),
        closed=True,
        revision=int(revision),
    )
