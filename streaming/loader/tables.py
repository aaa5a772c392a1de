"""The warehouse tables the loader writes: columns in row order, identity, and the SQL made from them.

What belongs here: what a row looks like and the statements for it, as pure data. What does not: how a message
becomes a row (`streaming.loader.rows`), running statements (`streaming.loader.sink`), table definitions
(`snowflake_sql/migrations`; a test holds the two together).

A batch travels as one JSON array of arrays in one bind: `value[i]` is the i-th column. Row by row inserts are
a hundred times slower on both engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

TEXT: Final = "VARCHAR"
INTEGER: Final = "NUMBER(38, 0)"
DECIMAL: Final = "NUMBER(38, 18)"
MICROS: Final = "TIMESTAMP_NTZ(6)"
NANOS: Final = "TIMESTAMP_NTZ(9)"
FLAG: Final = "BOOLEAN"
FLOAT: Final = "FLOAT"

_TIMES: Final = (MICROS, NANOS)
"""Types whose text a column takes as it is: an insert need not cast it, which halves its planning on the
emulator (measured). A comparison must."""


class Mode(Enum):
    """How rows meet those that are there.

    APPEND: a row whose identity is in the table is a duplicate and dropped.
    KEEP: every row is new.
    UPSERT: a row with the same identity is replaced when the new one is later.
    """

    APPEND = "append"
    KEEP = "keep"
    UPSERT = "upsert"


@dataclass(frozen=True, eq=False)
class Table:
    """One table.

    Args:
        name: schema and table.
        columns: name and type, in the order of a row's values; the last is LOADED_AT, set when written.
        identity: the columns that identify a row; of an APPEND table the last one is a number that grows
            with time within the others, so that a row above the highest known one must be new.
        prune: a column that narrows a search for given rows to few blocks of the table.
        later: for UPSERT, the condition under which a new row `s` replaces the present row `t`.
        renewed: for UPSERT, columns that are computed instead of taken from `s` when a row is replaced.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    mode: Mode
    identity: tuple[str, ...] = ()
    prune: str = ""
    later: str = ""
    renewed: tuple[tuple[str, str], ...] = ()

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    def index(self, column: str) -> int:
        """Position of a column in a row."""
        return self.column_names.index(column)

    @cached_property
    def identity_of(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """Takes a row's identity out of it; every table with one has several columns in it."""
        return itemgetter(*(self.index(name) for name in self.identity))

    @cached_property
    def insert(self) -> str:
        """INSERT of rows that are known to be new. Bind: the rows."""
        return f"INSERT INTO {self.name} ({', '.join(self.column_names)})\n{self._rows(times=TEXT)}"

    @cached_property
    def insert_missing(self) -> str:
        """INSERT of the rows whose identity is not there. Binds: the rows, lowest and highest `prune`."""
        return (
            f"INSERT INTO {self.name} ({', '.join(self.column_names)})\n"
            f"SELECT {', '.join(f's.{name}' for name in self.column_names)}\n"
            f"FROM (\n{self._rows()}\n) s\n"
            f"WHERE NOT EXISTS (\n  SELECT 1 FROM {self.name} t WHERE {self._same()} AND {self._bounds()}\n)"
        )

    @cached_property
    def update_later(self) -> str:
        """UPDATE of the rows that a later one replaces. Binds: the rows, lowest and highest `prune`."""
        renewed = dict(self.renewed)
        taken = [
            f"{name} = {renewed.get(name, f's.{name}')}"
            for name in self.column_names
            if name not in self.identity
        ]
        return (
            f"UPDATE {self.name} t\nSET {', '.join(taken)}\nFROM (\n{self._rows()}\n) s\n"
            f"WHERE {self._same()} AND {self._bounds()} AND {self.later}"
        )

    @cached_property
    def select_known(self) -> str:
        """Which of the given identities are in the table. Binds: the identities, bounds of `prune`."""
        types = dict(self.columns)
        given = ", ".join(f"{_cast(i, types[name])} AS {name}" for i, name in enumerate(self.identity))
        return (
            f"SELECT {', '.join(f't.{name}' for name in self.identity)}\nFROM {self.name} t\n"
            f"JOIN (SELECT {given} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?)))) s ON {self._same()}\n"
            f"WHERE {self._bounds()}"
        )

    @cached_property
    def select_highest(self) -> str:
        """The highest last part of the identity within each of its other parts."""
        *group, last = self.identity
        return f"SELECT {', '.join(group)}, MAX({last}) FROM {self.name} GROUP BY {', '.join(group)}"

    def copy(self, file: str) -> str:
        """COPY INTO of a staged Parquet file with one text column per column of the table."""
        values = ", ".join(f"$1:{name}::{kind} AS {name}" for name, kind in self.columns)
        return (
            f"COPY INTO {self.name} ({', '.join(self.column_names)})\n"
            f"FROM (SELECT {values} FROM @RAW.LOADER/{file})\n"
            "FILE_FORMAT = (TYPE = PARQUET) ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
        )

    def _rows(self, times: str | None = None) -> str:
        """The bound rows as a SELECT; `times` is the type times are read as, if not their own."""
        kinds = [(name, times if times and kind in _TIMES else kind) for name, kind in self.columns]
        values = ", ".join(f"{_cast(i, kind)} AS {name}" for i, (name, kind) in enumerate(kinds))
        return f"SELECT {values} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?)))"

    def _same(self) -> str:
        return " AND ".join(f"t.{name} = s.{name}" for name in self.identity)

    def _bounds(self) -> str:
        kind = dict(self.columns)[self.prune]
        return f"t.{self.prune} BETWEEN CAST(? AS {kind}) AND CAST(? AS {kind})"


def _cast(index: int, kind: str) -> str:
    """A value of a JSON row as a column's type; times by way of text, which both engines read exactly."""
    return f"value[{index}]::VARCHAR::{kind}" if kind in _TIMES else f"value[{index}]::{kind}"


_RECORD_TAIL: Final = (
    ("EXCHANGE_TIME", MICROS),
    ("RECEIVE_TIME", NANOS),
    ("SOURCE", TEXT),
    ("IS_SIMULATED", FLAG),
    ("PRODUCER_ID", TEXT),
    ("PRODUCER_EPOCH", INTEGER),
    ("PRODUCER_SEQ", INTEGER),
    ("SCHEMA_VERSION", INTEGER),
)
_KAFKA: Final = (("KAFKA_PARTITION", INTEGER), ("KAFKA_OFFSET", INTEGER), ("LOADED_AT", MICROS))

TRADES: Final = Table(
    name="RAW.TRADES",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("FIRST_ID", INTEGER),
        ("TRADE_ID", INTEGER),
        ("FILL_COUNT", INTEGER),
        ("PRICE", DECIMAL),
        ("SIZE", DECIMAL),
        ("SIDE", TEXT),
        *_RECORD_TAIL,
        ("RULES", TEXT),
        *_KAFKA,
    ),
    mode=Mode.APPEND,
    identity=("EXCHANGE", "PAIR", "TRADE_ID"),
    prune="TRADE_ID",
)

TICKERS: Final = Table(
    name="RAW.TICKERS",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("BID_PRICE", DECIMAL),
        ("BID_SIZE", DECIMAL),
        ("ASK_PRICE", DECIMAL),
        ("ASK_SIZE", DECIMAL),
        ("LAST_PRICE", DECIMAL),
        ("LAST_SIZE", DECIMAL),
        ("OPEN_24H", DECIMAL),
        ("HIGH_24H", DECIMAL),
        ("LOW_24H", DECIMAL),
        ("BASE_VOLUME_24H", DECIMAL),
        ("QUOTE_VOLUME_24H", DECIMAL),
        *_RECORD_TAIL,
        *_KAFKA,
    ),
    mode=Mode.APPEND,
    identity=("EXCHANGE", "PAIR", "PRODUCER_ID", "PRODUCER_EPOCH", "PRODUCER_SEQ"),
    # A repeated ticker is the same record again, so it carries the same time.
    prune="EXCHANGE_TIME",
)

_LATER_OFFSET: Final = "(s.KAFKA_PARTITION <> t.KAFKA_PARTITION OR s.KAFKA_OFFSET > t.KAFKA_OFFSET)"

_BAR_FIGURES: Final = (
    ("OPEN", DECIMAL),
    ("HIGH", DECIMAL),
    ("LOW", DECIMAL),
    ("CLOSE", DECIMAL),
    ("VOLUME", DECIMAL),
    ("QUOTE_VOLUME", DECIMAL),
    ("VWAP", DECIMAL),
    ("TRADE_COUNT", INTEGER),
    ("FIRST_TRADE_ID", INTEGER),
    ("LAST_TRADE_ID", INTEGER),
    ("BUY_VOLUME", DECIMAL),
    ("SELL_VOLUME", DECIMAL),
    ("REALIZED_VARIANCE", FLOAT),
    ("GARMAN_KLASS", FLOAT),
    ("ROGERS_SATCHELL", FLOAT),
    ("FLAGGED_COUNT", INTEGER),
)
"""What a rollup computes from the stored trades."""
_SPREAD: Final = (("SPREAD", DECIMAL), ("SPREAD_BP", DECIMAL), ("QUOTED_MS", INTEGER))
"""What only the stream computes, which has every quote."""


def _bars(name: str) -> Table:
    """A table of bars. A rollup has seen every stored trade, late ones too; the stream has not, so of a bar
    that a rollup wrote it replaces nothing but the spread."""
    return Table(
        name=name,
        columns=(
            ("EXCHANGE", TEXT),
            ("PAIR", TEXT),
            ("WINDOW_START", MICROS),
            ("WINDOW_END", MICROS),
            *_BAR_FIGURES,
            *_SPREAD,
            ("IS_SIMULATED", FLAG),
            ("REVISION", INTEGER),
            ("COMPUTED_BY", TEXT),
            *_KAFKA,
        ),
        mode=Mode.UPSERT,
        identity=("EXCHANGE", "PAIR", "WINDOW_START"),
        prune="WINDOW_START",
        later=(
            f"(t.COMPUTED_BY = 'flink' AND {_LATER_OFFSET}"
            " OR t.COMPUTED_BY = 'rollup' AND t.QUOTED_MS IS NULL AND s.QUOTED_MS IS NOT NULL)"
        ),
        renewed=(
            *(
                (column, f"CASE WHEN t.COMPUTED_BY = 'flink' THEN s.{column} ELSE t.{column} END")
                for column in (*(name for name, _ in _BAR_FIGURES), "COMPUTED_BY")
            ),
            ("REVISION", "t.REVISION + 1"),
        ),
    )


BARS_1M: Final = _bars("MARKET.BARS_1M")
BARS_5M: Final = _bars("MARKET.BARS_5M")
BARS_15M: Final = _bars("MARKET.BARS_15M")
BARS_1H: Final = _bars("MARKET.BARS_1H")

QUOTE_BARS_1S: Final = Table(
    name="MARKET.QUOTE_BARS_1S",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("WINDOW_START", MICROS),
        ("WINDOW_END", MICROS),
        ("BID_OPEN", DECIMAL),
        ("BID_HIGH", DECIMAL),
        ("BID_LOW", DECIMAL),
        ("BID_CLOSE", DECIMAL),
        ("ASK_OPEN", DECIMAL),
        ("ASK_HIGH", DECIMAL),
        ("ASK_LOW", DECIMAL),
        ("ASK_CLOSE", DECIMAL),
        ("SPREAD", DECIMAL),
        ("SPREAD_BP", DECIMAL),
        ("QUOTED_MS", INTEGER),
        ("QUOTE_COUNT", INTEGER),
        ("IS_SIMULATED", FLAG),
        *_KAFKA,
    ),
    mode=Mode.UPSERT,
    identity=("EXCHANGE", "PAIR", "WINDOW_START"),
    prune="WINDOW_START",
    later=_LATER_OFFSET,
)

LATE_TRADES: Final = Table(
    name="OPS.LATE_TRADES",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("FIRST_ID", INTEGER),
        ("TRADE_ID", INTEGER),
        ("EXCHANGE_TIME", MICROS),
        ("RECEIVE_TIME", NANOS),
        ("SOURCE", TEXT),
        ("IS_SIMULATED", FLAG),
        *_KAFKA,
    ),
    mode=Mode.APPEND,
    identity=("EXCHANGE", "PAIR", "TRADE_ID"),
    prune="TRADE_ID",
)

GAPS: Final = Table(
    name="OPS.GAPS",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("FROM_ID", INTEGER),
        ("TO_ID", INTEGER),
        ("CAUSE", TEXT),
        ("DETECTED_AT", MICROS),
        ("FILLED_AT", MICROS),
        ("STATUS", TEXT),
        ("IS_SIMULATED", FLAG),
        ("SCHEMA_VERSION", INTEGER),
        *_KAFKA,
    ),
    mode=Mode.UPSERT,
    identity=("EXCHANGE", "PAIR", "FROM_ID"),
    prune="FROM_ID",
    later=_LATER_OFFSET,
)

ANOMALIES: Final = Table(
    name="MARKET.ANOMALIES",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("RULE_NAME", TEXT),
        ("RULE_VERSION", INTEGER),
        ("SUBJECT", TEXT),
        ("SUBJECT_ID", TEXT),
        ("SCORE", FLOAT),
        ("THRESHOLD", FLOAT),
        ("PRICE", DECIMAL),
        ("BID_PRICE", DECIMAL),
        ("ASK_PRICE", DECIMAL),
        ("EXCHANGE_TIME", MICROS),
        ("RECEIVE_TIME", NANOS),
        ("IS_SIMULATED", FLAG),
        ("SCHEMA_VERSION", INTEGER),
        *_KAFKA,
    ),
    mode=Mode.UPSERT,
    identity=("EXCHANGE", "PAIR", "RULE_NAME", "SUBJECT_ID"),
    # A repeated finding about a whole pair may carry another time within the one that identifies it.
    prune="SUBJECT_ID",
    later=_LATER_OFFSET,
)

DEAD_LETTERS: Final = Table(
    name="RAW.DEAD_LETTERS",
    columns=(
        ("EXCHANGE", TEXT),
        ("PAIR", TEXT),
        ("STAGE", TEXT),
        ("REASON", TEXT),
        ("RAW_TEXT", TEXT),
        ("RECEIVE_TIME", NANOS),
        ("PRODUCER_ID", TEXT),
        ("SCHEMA_VERSION", INTEGER),
        ("SOURCE_TOPIC", TEXT),
        *_KAFKA,
    ),
    mode=Mode.KEEP,
)

BARS: Final = (BARS_1M, BARS_5M, BARS_15M, BARS_1H)
ALL: Final = (TRADES, TICKERS, *BARS, QUOTE_BARS_1S, LATE_TRADES, ANOMALIES, GAPS, DEAD_LETTERS)

SELECT_OFFSETS: Final = "SELECT TOPIC, PARTITION_ID, NEXT_OFFSET FROM OPS.LOAD_OFFSETS"

INSERT_OFFSETS: Final = """\
INSERT INTO OPS.LOAD_OFFSETS (TOPIC, PARTITION_ID, NEXT_OFFSET, UPDATED_AT)
SELECT s.TOPIC, s.PARTITION_ID, s.NEXT_OFFSET, s.UPDATED_AT
FROM (
  SELECT value[0]::VARCHAR AS TOPIC, value[1]::NUMBER(38, 0) AS PARTITION_ID,
    value[2]::NUMBER(38, 0) AS NEXT_OFFSET, value[3]::VARCHAR AS UPDATED_AT
  FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?)))
) s
WHERE NOT EXISTS (
  SELECT 1 FROM OPS.LOAD_OFFSETS t WHERE t.TOPIC = s.TOPIC AND t.PARTITION_ID = s.PARTITION_ID
)"""
"""Binds: rows of topic, partition, first offset, time."""

MOVE_OFFSETS: Final = """\
UPDATE OPS.LOAD_OFFSETS t
SET NEXT_OFFSET = s.NEXT_OFFSET, UPDATED_AT = s.UPDATED_AT
FROM (
  SELECT value[0]::VARCHAR AS TOPIC, value[1]::NUMBER(38, 0) AS PARTITION_ID,
    value[2]::NUMBER(38, 0) AS EXPECTED, value[3]::NUMBER(38, 0) AS NEXT_OFFSET,
    value[4]::VARCHAR AS UPDATED_AT
  FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?)))
) s
WHERE t.TOPIC = s.TOPIC AND t.PARTITION_ID = s.PARTITION_ID AND t.NEXT_OFFSET = s.EXPECTED"""
"""Moves each offset from where this loader left it; a row that another loader moved is not touched, and the
count of updated rows tells. Binds: rows of topic, partition, expected offset, next offset, time."""
