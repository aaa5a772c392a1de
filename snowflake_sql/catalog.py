"""Reads the SQL files of this folder and splits them into statements.

What belongs here: file access, includes, the form of bind parameters, and what each rollup reads and writes.
What does not: SQL itself, and running it.

A file names its parameters `:name`; `statements` turns them into `%(name)s`, which is what the connector and
dagster-snowflake bind by default.

A line `-- include: fragments/name with A = B, C = D` stands for that file without its header, in which
every A is written as B and every C as D, so that a formula stands in one place. A fragment is itself valid
SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rollup:
    """A file of `rollups`: one MERGE that may be run again for any span of whole partitions.

    Args:
        name: the file, without `.sql`.
        table: what it writes.
        grain: one row of it, as a sentence's end: "One row per …".
        partition: the span it computes at once, by `:from_time` and `:to_time`; windows are as long.
        reads: the tables it reads.
        time_column: the column of `table` that tells a row's partition.
        corrects: whether the stream writes the table too, so that it is run only for windows that are wrong.
    """

    name: str
    table: str
    grain: str
    partition: timedelta
    reads: tuple[str, ...]
    time_column: str = "WINDOW_START"
    corrects: bool = False


ROLLUPS: Final = (
    Rollup(
        "rollups/bars_1m_recompute",
        "MARKET.BARS_1M",
        "pair and minute",
        MINUTE,
        ("RAW.TRADES",),
        corrects=True,
    ),
    Rollup(
        "rollups/bars_5m_recompute",
        "MARKET.BARS_5M",
        "pair and five minutes",
        5 * MINUTE,
        ("RAW.TRADES",),
        corrects=True,
    ),
    Rollup(
        "rollups/bars_15m_recompute",
        "MARKET.BARS_15M",
        "pair and quarter of an hour",
        15 * MINUTE,
        ("RAW.TRADES",),
        corrects=True,
    ),
    Rollup("rollups/bars_1h", "MARKET.BARS_1H", "pair and hour", HOUR, ("RAW.TRADES",), corrects=True),
    Rollup("rollups/bars_1d", "MARKET.BARS_1D", "pair and day", DAY, ("RAW.TRADES",)),
    Rollup(
        "rollups/daily_statistics",
        "MARKET.DAILY_STATISTICS",
        "pair and day that traded: volatility, spreads, volume and completeness",
        DAY,
        ("MARKET.BARS_1M", "MARKET.QUOTE_BARS_1S", "RAW.TRADES"),
    ),
    Rollup(
        "rollups/volume_profiles",
        "MARKET.VOLUME_PROFILES",
        "pair, day and twentieth of the day's range of prices",
        DAY,
        ("RAW.TRADES",),
    ),
    Rollup(
        "rollups/correlations",
        "MARKET.CORRELATIONS",
        "two pairs of an exchange and day",
        DAY,
        ("MARKET.BARS_1M",),
    ),
    Rollup(
        "rollups/exchange_spreads",
        "MARKET.EXCHANGE_SPREADS",
        "pair on two exchanges and day",
        DAY,
        ("MARKET.BARS_1M",),
    ),
    Rollup("rollups/latencies", "OPS.LATENCIES", "pair, hour and stage", HOUR, ("RAW.TRADES",)),
)
"""Every file of `rollups`."""

_PARAMETER = re.compile(r"(?<![\w:\])\"]):([a-z_]+)\b")
_STRING_OR_COMMENT_OR_END = re.compile(r"'(?:[^']|'')*'|--[^\n]*|;")
_END = "\x00"
_INCLUDE = re.compile(r"^( *)-- include: (\S+)(?: with (.+))?$", re.MULTILINE)
_HEADER = re.compile(r"\A(?:--[^\n]*\n|\n)+")


def read(name: str) -> str:
    """The text of a file by its name without `.sql`: `read("rollups/bars_1h")`.

    What it includes is part of it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an include replaces something that the fragment does not have.
    """
    return _INCLUDE.sub(_included, (ROOT / f"{name}.sql").read_text(encoding="utf-8"))


def _included(match: re.Match[str]) -> str:
    indent, name, replacements = match.groups()
    text = _HEADER.sub("", read(name)).rstrip().removesuffix(";" if indent else "")
    for replacement in replacements.split(", ") if replacements else ():
        before, _, after = replacement.partition(" = ")
        if before not in text:
            raise ValueError(f"{name} has no {before} to replace.")
        text = text.replace(before, after)
    return "\n".join(indent + line if line else line for line in text.splitlines())


@cache
def statements(name: str) -> tuple[str, ...]:
    """The statements of a file in order, without comments, parameters as `%(name)s`."""
    return tuple(bindable(one) for one in split(read(name)))


def statement(name: str) -> str:
    """The statement of a file that has just one.

    Raises:
        ValueError: the file has none or several.
    """
    (only,) = statements(name)
    return only


def split(text: str) -> list[str]:
    """The statements of `text`, without comments and final semicolons. A file here has no scripting block."""

    def mark(match: re.Match[str]) -> str:
        found = match.group()
        return "" if found.startswith("--") else _END if found == ";" else found

    parts = _STRING_OR_COMMENT_OR_END.sub(mark, text).split(_END)
    tidy = ("\n".join(line.rstrip() for line in part.splitlines() if line.strip()).strip() for part in parts)
    return [part for part in tidy if part]


def names(folder: str) -> list[str]:
    """The names of the files of a folder, in order."""
    return sorted(f"{folder}/{path.stem}" for path in (ROOT / folder).glob("*.sql"))


def bindable(text: str) -> str:
    """A statement with its parameters `:name` as `%(name)s`."""
    return _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
