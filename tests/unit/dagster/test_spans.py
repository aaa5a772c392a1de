"""Which minutes a check looks at and a recomputation covers."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_platform.defs.rollups.late_bars import MINUTE as LENGTH
from crypto_platform.defs.rollups.partitions import spans_of
from crypto_platform.defs.warehouse.checks import RULES, Rule, span_of
from crypto_platform.warehouse_sql import utc_naive

NOON = utc_naive(datetime(2026, 3, 1, 12, tzinfo=UTC))
MINUTE = timedelta(minutes=1)


def rule(settled: timedelta) -> Rule:
    return Rule("n", "T.T", "C", "f", "m", settled)


@pytest.mark.parametrize(
    ("newest", "settled", "start", "end"),
    [
        pytest.param(NOON, timedelta(0), NOON - 59 * MINUTE, NOON + MINUTE, id="the newest row is included"),
        pytest.param(
            NOON + timedelta(seconds=59), timedelta(0), NOON - 59 * MINUTE, NOON + MINUTE, id="and its minute"
        ),
        pytest.param(NOON, 2 * MINUTE, NOON - 62 * MINUTE, NOON - 2 * MINUTE, id="unsettled minutes are not"),
    ],
)
def test_a_check_looks_at_full_minutes_up_to_what_is_settled(
    newest: datetime, settled: timedelta, start: datetime, end: datetime
) -> None:
    assert span_of(newest, rule(settled), hours=1) == {"from_time": start, "to_time": end}


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)
def test_every_rule_has_its_sql_and_names_both_ends_of_the_span(one: Rule) -> None:
    from snowflake_sql import catalog

    statement = catalog.statement(one.file)
    assert "%(from_time)s" in statement
    assert "%(to_time)s" in statement


@given(st.sets(st.integers(0, 60)))
def test_spans_cover_exactly_the_minutes_and_never_touch(offsets: set[int]) -> None:
    spans = spans_of((NOON + offset * MINUTE for offset in offsets), LENGTH)
    covered = [start + index * MINUTE for start, end in spans for index in range(int((end - start) / MINUTE))]
    assert covered == sorted(NOON + offset * MINUTE for offset in offsets)
    assert all(later[0] > earlier[1] for earlier, later in itertools.pairwise(spans))
