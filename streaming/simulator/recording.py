"""A recording replayed as a source of trades and quotes.

What belongs here: reading and checking the Parquet files, and their pacing. What does not: what happens to
the trades afterwards (`market`).

A folder holds `<pair>-trades.parquet` and `<pair>-quotes.parquet`, the pair in lower case
without a dash: `btcusdt-trades.parquet` with timestamp, trade_id, price, quantity, buyer_maker, and
`btcusdt-quotes.parquet` with timestamp, bid, bid_size, ask, ask_size. Recorded floats are read as prices of 2
decimals and sizes of 6, decimals as what the trades file's columns declare. `buyer_maker` "True" says that
the buyer was resting, so the taker sold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streaming.errors import SettingsError
from streaming.simulator.events import Quote, RawFill
from streaming.simulator.instruments import Instrument, instrument_of

PRICE_DECIMALS = 2
SIZE_DECIMALS = 6
TRADE_COLUMNS = ("timestamp", "trade_id", "price", "quantity", "buyer_maker")
QUOTE_COLUMNS = ("timestamp", "bid", "bid_size", "ask", "ask_size")
_SIDES = {"True": True, "False": False, True: True, False: False}


@dataclass(frozen=True, slots=True)
class Recording:
    """One pair's recorded trades and quotes, oldest first."""

    instrument: Instrument
    first_id: int
    trades: list[RawFill]
    quotes: list[Quote]


def read_recordings(folder: Path, pairs: Sequence[str]) -> dict[str, Recording]:
    """The recordings of those pairs that the folder has a trades file of.

    Raises:
        SettingsError: there is none, or one of them cannot be replayed (see `read_recording`).
    """
    present = [pair for pair in pairs if _file(folder, pair, "trades").exists()]
    if not present:
        names = ", ".join(_file(folder, pair, "trades").name for pair in pairs)
        raise SettingsError(
            f"CRYPTO_SIM_RECORDING: {folder} has no recording of a configured pair.",
            f"Put one of these there: {names}.",
        )
    return {pair: read_recording(folder, pair) for pair in present}


def read_recording(folder: Path, pair: str) -> Recording:
    """Read and check the recording of a pair.

    Raises:
        SettingsError: a file is missing, empty, unreadable, has wrong columns, a value that cannot be
            traded, ids that are not consecutive or times that go back.
    """
    path = _file(folder, pair, "trades")
    rows = _rows(path, TRADE_COLUMNS)
    price_decimals = _decimals(path, "price", PRICE_DECIMALS)
    size_decimals = _decimals(path, "quantity", SIZE_DECIMALS)
    trades: list[RawFill] = []
    first_id = int(rows[0]["trade_id"])
    for position, row in enumerate(rows):
        if row["trade_id"] != first_id + position:
            raise _wrong(path, f"trade_id {row['trade_id']} in row {position} is not consecutive")
        if row["buyer_maker"] not in _SIDES:
            raise _wrong(path, f"buyer_maker is {row['buyer_maker']!r} in row {position}")
        price = _units(path, row["price"], price_decimals, "price", position)
        size = _units(path, row["quantity"], size_decimals, "quantity", position)
        time_ms = _ms(path, row["timestamp"], position)
        if trades and time_ms < trades[-1].time_ms:
            raise _wrong(path, f"timestamp goes back in row {position}")
        trades.append(RawFill(time_ms, price, size, _SIDES[row["buyer_maker"]], False))
    quotes_path = _file(folder, pair, "quotes")
    quotes = [
        Quote(
            _ms(quotes_path, row["timestamp"], position),
            _units(quotes_path, row["bid"], price_decimals, "bid", position),
            _units(quotes_path, row["bid_size"], size_decimals, "bid_size", position),
            _units(quotes_path, row["ask"], price_decimals, "ask", position),
            _units(quotes_path, row["ask_size"], size_decimals, "ask_size", position),
        )
        for position, row in enumerate(_rows(quotes_path, QUOTE_COLUMNS))
    ]
    instrument = replace(instrument_of(pair), price_decimals=price_decimals, size_decimals=size_decimals)
    return Recording(instrument, first_id, trades, sorted(quotes, key=lambda quote: quote.time_ms))


def _file(folder: Path, pair: str, kind: str) -> Path:
    return folder / f"{pair.replace('-', '').lower()}-{kind}.parquet"


def _wrong(path: Path, what: str) -> SettingsError:
    return SettingsError(
        f"CRYPTO_SIM_RECORDING: {path} cannot be replayed: {what}.",
        "Name a folder with Parquet files of the documented columns.",
    )


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    if not path.is_file():
        raise _wrong(path, "there is no such file")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _wrong(path, f"it is not readable as Parquet ({error})") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise _wrong(path, f"it has no column {', '.join(missing)}")
    if table.num_rows == 0:
        raise _wrong(path, "it has no rows")
    rows: list[dict[str, Any]] = table.select(columns).to_pylist()
    return rows


def _decimals(path: Path, column: str, otherwise: int) -> int:
    """The decimals that a column declares, if it is one of decimals."""
    kind = pq.read_schema(path).field(column).type
    return int(kind.scale) if pa.types.is_decimal(kind) else otherwise


def _units(path: Path, value: Any, decimals: int, column: str, row: int) -> int:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        exact = Decimal(str(value))
        if exact.is_finite() and exact > 0:
            units = int(exact.scaleb(decimals).to_integral_value(rounding=ROUND_HALF_EVEN))
            if units > 0:
                return units
    raise _wrong(path, f"{column} is {value!r} in row {row}")


def _ms(path: Path, value: Any, row: int) -> int:
    if not isinstance(value, datetime):
        raise _wrong(path, f"timestamp is {value!r} in row {row}")
    return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)


class ReplaySource:
    """Paces a recording; see `events.Source`. It holds after the last trade.

    Args:
        recording: what to replay.
        speed: 1 is the original pace.
    """

    quotes_move_alone = False

    def __init__(self, recording: Recording, speed: float) -> None:
        self.first_id = recording.first_id
        self._trades = recording.trades
        self._quotes = recording.quotes
        self._speed = speed
        self._started_us: int | None = None
        self._next_trade = 0
        self._next_quote = 0
        self._begin_ms = min(self._trades[0].time_ms, *(q.time_ms for q in self._quotes[:1]))

    def start(self, now_us: int) -> None:
        if self._started_us is None:
            self._started_us = now_us

    def shift(self, by_us: int) -> None:
        if self._started_us is not None:
            self._started_us += by_us

    def set_rate(self, per_second: float, now_us: int) -> None:
        """A recording keeps its own pace."""

    def take(self, now_us: int) -> Sequence[RawFill]:
        begin = self._next_trade
        self._next_trade = self._passed(self._trades, begin, now_us)
        return self._trades[begin : self._next_trade]

    def quote(self, now_us: int) -> Quote | None:
        begin = self._next_quote
        self._next_quote = self._passed(self._quotes, begin, now_us)
        return self._quotes[self._next_quote - 1] if self._next_quote > begin else None

    def next_due_us(self) -> int | None:
        if self._started_us is None:
            return None
        waiting = self._trades[self._next_trade : self._next_trade + 1]
        more = self._quotes[self._next_quote : self._next_quote + 1]
        times = [trade.time_ms for trade in waiting] + [quote.time_ms for quote in more]
        return self._due_us(min(times)) if times else None

    def finished(self) -> bool:
        return self._next_trade == len(self._trades)

    def _due_us(self, time_ms: int) -> int:
        assert self._started_us is not None
        return self._started_us + int((time_ms - self._begin_ms) * 1000 / self._speed) + 1

    def _passed(self, events: Sequence[RawFill] | Sequence[Quote], begin: int, now_us: int) -> int:
        if self._started_us is None:
            return begin
        return bisect_right(events, now_us, lo=begin, key=lambda event: self._due_us(event.time_ms))


class SilentSource:
    """A pair that exists in a replay but was not recorded: it never trades by itself."""

    quotes_move_alone = False
    first_id = 1

    def start(self, now_us: int) -> None:
        """There is nothing to start."""

    def shift(self, by_us: int) -> None:
        """There is nothing to move."""

    def set_rate(self, per_second: float, now_us: int) -> None:
        """There is no pace."""

    def take(self, now_us: int) -> Sequence[RawFill]:
        return ()

    def quote(self, now_us: int) -> Quote | None:
        return None

    def next_due_us(self) -> int | None:
        return None

    def finished(self) -> bool:
        return True
