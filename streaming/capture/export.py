"""Writes replayed trades and quotes as the Parquet files that the simulated exchange can replay
(`streaming.simulator.recording` describes them), so that the whole platform runs on a recording.

What belongs here: which rows go into the files, and their columns. What does not: reading them back.

That replay wants consecutive trade ids and times that never go back. So of each pair:

* ids consecutive: every trade, under its own id;
* a gap in the ids: the longest run without one; the rest is left out and counted;
* a venue whose ids have holes: every trade, numbered from the first id on (`renumbered`);
* a time before its predecessor's is raised to it (`times_raised`);
* a ticker without both sides of the book is no quote and is left out.

Prices and sizes are decimals as fine as the finest that was recorded. Everything is kept in memory until the
end: about 300 bytes a trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from streaming.capture.errors import RecordingError
from streaming.exchanges.events import TickerEvent, TradeEvent

_PRECISION: Final = 38
_TIME: Final = pa.timestamp("us", tz="UTC")


class _Trade(NamedTuple):
    trade_id: int
    time_us: int
    price: Decimal
    size: Decimal
    buyer_maker: bool


class _Quote(NamedTuple):
    time_us: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of one pair. `left_out` trades lay beyond a gap; `files` is empty when nothing can be
    replayed, and `why` says why."""

    pair: str
    trades: int
    quotes: int
    left_out: int
    times_raised: int
    renumbered: bool
    files: tuple[Path, ...]
    why: str = ""


@dataclass(slots=True)
class _Pair:
    trades: list[_Trade] = field(default_factory=list)
    quotes: list[_Quote] = field(default_factory=list)


class Exporter:
    """Gathers with `trade` and `ticker`, writes with `finish`.

    Args:
        folder: is made; must hold no Parquet file yet.
        contiguous: the venue's ids grow by one.

    Raises:
        RecordingError: the folder cannot be made or written, or is in use.
    """

    def __init__(self, folder: Path, *, contiguous: bool) -> None:
        self._folder = folder
        self._contiguous = contiguous
        self._pairs: dict[str, _Pair] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.glob("*.parquet")):
                raise RecordingError(f"{folder} already holds Parquet files.", "Name another folder.")
        except OSError as error:
            raise self._unwritable(error) from error

    def trade(self, event: TradeEvent) -> None:
        """Keep a trade."""
        row = _Trade(
            event.trade_id,
            event.exchange_time_us,
            Decimal(event.price),
            Decimal(event.size),
            event.side == "sell",
        )
        self._pairs.setdefault(event.pair, _Pair()).trades.append(row)

    def ticker(self, event: TickerEvent) -> None:
        """Keep a ticker's quote, if it has both sides."""
        values = [
            Decimal(text)
            for text in (event.bid_price, event.bid_size, event.ask_price, event.ask_size)
            if text is not None
        ]
        if len(values) == 4 and all(values):
            self._pairs.setdefault(event.pair, _Pair()).quotes.append(_Quote(event.exchange_time_us, *values))

    def finish(self) -> list[Exported]:
        """Write the files of every pair that can be replayed."""
        try:
            return [self._write(pair, rows) for pair, rows in sorted(self._pairs.items())]
        except (OSError, pa.ArrowException) as error:
            raise self._unwritable(error) from error

    def _write(self, pair: str, rows: _Pair) -> Exported:
        ordered = sorted(rows.trades)
        kept = _longest_run(ordered) if self._contiguous else ordered
        renumbered = bool(kept) and kept[-1].trade_id - kept[0].trade_id != len(kept) - 1
        trades, raised = _raise_times(
            [t._replace(trade_id=kept[0].trade_id + at) for at, t in enumerate(kept)] if renumbered else kept
        )
        left_out = len(rows.trades) - len(trades)
        if not trades or not rows.quotes:
            why = f"no {'quotes' if trades else 'trades'} were recorded"
            return Exported(pair, len(trades), len(rows.quotes), left_out, raised, renumbered, (), why)
        quotes = sorted(rows.quotes)
        price_type = _decimal_type(
            [t.price for t in trades] + [q.bid for q in quotes] + [q.ask for q in quotes]
        )
        size_type = _decimal_type(
            [t.size for t in trades] + [q.bid_size for q in quotes] + [q.ask_size for q in quotes]
        )
        stem = pair.replace("-", "").lower()
        files = (self._folder / f"{stem}-trades.parquet", self._folder / f"{stem}-quotes.parquet")
        pq.write_table(
            pa.table(
                {
                    "timestamp": pa.array([t.time_us for t in trades], _TIME),
                    "trade_id": pa.array([t.trade_id for t in trades], pa.int64()),
                    "price": pa.array([t.price for t in trades], price_type),
                    "quantity": pa.array([t.size for t in trades], size_type),
                    "buyer_maker": pa.array([t.buyer_maker for t in trades], pa.bool_()),
                }
            ),
            files[0],
        )
        pq.write_table(
            pa.table(
                {
                    "timestamp": pa.array([q.time_us for q in quotes], _TIME),
                    "bid": pa.array([q.bid for q in quotes], price_type),
                    "bid_size": pa.array([q.bid_size for q in quotes], size_type),
                    "ask": pa.array([q.ask for q in quotes], price_type),
                    "ask_size": pa.array([q.ask_size for q in quotes], size_type),
                }
            ),
            files[1],
        )
        return Exported(pair, len(trades), len(quotes), left_out, raised, renumbered, files)

    def _unwritable(self, error: Exception) -> RecordingError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return RecordingError(
            f"The Parquet files cannot be written to {self._folder}: {reason}.",
            "Name another folder with --parquet.",
        )


def _longest_run(trades: Sequence[_Trade]) -> Sequence[_Trade]:
    """The longest stretch of consecutive ids, the latest of equals."""
    best = begin = 0
    end = 0
    for at in range(len(trades)):
        if at and trades[at].trade_id != trades[at - 1].trade_id + 1:
            begin = at
        if at + 1 - begin >= end - best:
            best, end = begin, at + 1
    return trades[best:end]


def _raise_times(trades: Sequence[_Trade]) -> tuple[list[_Trade], int]:
    result: list[_Trade] = []
    raised = 0
    for trade in trades:
        if result and trade.time_us < result[-1].time_us:
            raised += 1
            result.append(trade._replace(time_us=result[-1].time_us))
        else:
            result.append(trade)
    return result, raised


def _decimal_type(values: Sequence[Decimal]) -> pa.DataType:
    """The coarsest decimal type that holds all values exactly."""
    scale = 0
    for value in values:
        exponent = value.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        scale = max(scale, -exponent)
    return pa.decimal128(_PRECISION, scale)
