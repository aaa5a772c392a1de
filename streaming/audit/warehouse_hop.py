"""What the warehouse holds of the tape, and which of its bars do not follow from it.

What belongs here: running the audit's queries. What does not: their SQL (`snowflake_sql`), judging
(`streaming.audit.verdict`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from snowflake_sql import catalog
from streaming import warehouse
from streaming.audit.verdict import PairKey, TapeSummary
from streaming.settings import Settings


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
