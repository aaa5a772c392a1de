"""What the warehouse holds of the tape, and which of its bars do not follow from it.

What belongs here: running the audit's queries. What does not: their SQL (`snowflake_sql`), judging
(`streaming.audit.verdict`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from snowflake_sql import catalog
from streaming import warehouse
from streaming.audit.verdict import PairKey, TapeSummary
from streaming.settings import Settings

SETTLING: Final = timedelta(seconds=10)


def read(settings: Settings, since: datetime) -> dict[PairKey, TapeSummary]:
    """The tape of every exchange and pair in RAW.TRADES from exchange time `since` (UTC) on.

    Raises:
        ServiceUnavailableError: the warehouse does not answer.
    """
    query = catalog.statement("queries/tape_id_ranges")
    with warehouse.connect(settings) as connection:
        rows = warehouse.rows(connection, query, {"since_time": since.replace(tzinfo=None)})
    ranges: dict[PairKey, list[tuple[int, int]]] = defaultdict(list)
    repeated: dict[PairKey, int] = defaultdict(int)
    for exchange, pair, first, last, _, id_total in rows:
        ranges[exchange, pair].append((int(first), int(last)))
        repeated[exchange, pair] += int(id_total) - (int(last) - int(first) + 1)
    return {key: TapeSummary(tuple(ranges[key]), repeated=repeated[key]) for key in ranges}


def mismatched_bars(settings: Settings, since: datetime) -> dict[PairKey, tuple[str, ...]]:
    """The closed minutes whose stored bar is not what the stored trades say, by pair.

    A minute counts as closed when a trade of any pair is `SETTLING` newer than its end: that trade has moved
    Flink's watermark past it, and its bar has had time to be committed and loaded.

    Raises:
        ServiceUnavailableError: the warehouse does not answer.
    """
    with warehouse.connect(settings) as connection:
        ((newest,),) = warehouse.rows(connection, "SELECT MAX(EXCHANGE_TIME) FROM RAW.TRADES")
        if newest is None:
            return {}
        bounds = {
            "from_time": since.replace(tzinfo=None, second=0, microsecond=0),
            "to_time": (newest - SETTLING).replace(second=0, microsecond=0),
        }
        query = catalog.statement("checks/bars_equal_raw_trades")
        rows = warehouse.rows(connection, query, bounds)
    found: dict[PairKey, list[str]] = defaultdict(list)
    for exchange, pair, window_start, problem, *_ in rows:
        found[exchange, pair].append(f"{window_start.isoformat()}Z {problem}")
    return {key: tuple(windows) for key, windows in found.items()}
