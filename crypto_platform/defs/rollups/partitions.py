"""The partitions of the rollups, and spans of time as runs name them.

What belongs here: hours, days, and the tags of a run over several of them. What does not: the assets.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from snowflake_sql.catalog import DAY, HOUR
from streaming import settings as platform_settings

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"

_START: Final = datetime.combine(platform_settings.load().history_start, datetime.min.time())

# What has begun is a partition too, so that it can be seen while it forms.
hours = dg.HourlyPartitionsDefinition(start_date=_START, end_offset=1)
days = dg.DailyPartitionsDefinition(start_date=_START, end_offset=1)


def partitions_of(length: timedelta) -> dg.TimeWindowPartitionsDefinition:
    """The partitions of a rollup whose rows stand for `length` of time: days, or else hours."""
    return days if length >= DAY else hours


def spans_of(starts: Iterable[datetime], length: timedelta) -> list[tuple[datetime, datetime]]:
    """The fewest spans [from, to) that cover exactly the windows of `length` with these starts."""
    spans: list[tuple[datetime, datetime]] = []
    for start in sorted(set(starts)):
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], start + length)
        else:
            spans.append((start, start + length))
    return spans


def touched(times: Iterable[datetime], length: timedelta) -> set[datetime]:
    """The starts of the hours or days in which these times (UTC) lie."""
    if length >= DAY:
        return {time.replace(hour=0, minute=0, second=0, microsecond=0) for time in times}
    return {time.replace(minute=0, second=0, microsecond=0) for time in times}


def range_tags(start: datetime, end: datetime, length: timedelta) -> dict[str, str]:
    """The tags of one run over the partitions in [start, end)."""
    definition = partitions_of(length)
    last = end - (DAY if length >= DAY else HOUR)
    return {RANGE_START: _key(start, definition), RANGE_END: _key(last, definition)}


def _key(start: datetime, definition: dg.TimeWindowPartitionsDefinition) -> str:
    aware = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    return aware.strftime(definition.fmt)
