"""What must be true of the tables that the loader writes.

What belongs here: which rules there are, what span they look at, and how a violation is shown. What does
not: their SQL, which returns the rows that violate them (`snowflake_sql/checks`), and the lag's verdict
(`watch/lag.py`).

The name of a check is the sentence that is true when it is green.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog, warehouse_sql
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch import lag

SHOWN_ROWS: Final = 20
MINUTE: Final = timedelta(minutes=1)


class Span(dg.Config):
    """How far back a check looks from the newest row of its table.

    From the newest row and not from the clock, so that a replayed recording is checked too.
    """

    hours: float = 2.0


@dataclass(frozen=True)
class Rule:
    """One SQL check: the sentence it proves, its table and file, and where its span ends.

    `settled` is how far before the newest row the span ends, for what needs time to be complete. `clock` is
    the table and column of the newest row if not the rule's own. What follows a `blocking` check in the same
    run or by automation is not computed while it fails.
    """

    name: str
    table: str
    time_column: str
    file: str
    meaning: str
    settled: timedelta
    clock: tuple[str, str] | None = None
    blocking: bool = False


RULES: Final = (
    Rule(
        "bars_equal_raw_trades",
        "MARKET.BARS_1M",
        "WINDOW_START",
        "checks/bars_equal_raw_trades",
        "Every one-minute bar equals the bar computed anew from RAW.TRADES, and no minute lacks its bar.",
        # The bars of one minute are loaded pair by pair, so the newest minutes may be incomplete.
        settled=2 * MINUTE,
    ),
    Rule(
        "no_trade_stands_twice",
        "RAW.TRADES",
        "EXCHANGE_TIME",
        "checks/no_duplicate_trades",
        "Every trade (exchange, pair, trade id) stands in one row.",
        settled=timedelta(0),
        # A trade that stands twice counts twice in every rollup.
        blocking=True,
    ),
    Rule(
        "trade_ids_are_contiguous",
        "RAW.TRADES",
        "EXCHANGE_TIME",
        "checks/contiguous_trade_ids",
        "The trade ids of each pair follow each other without a gap.",
        # A gap is open for the seconds that its back-fill takes.
        settled=2 * MINUTE,
    ),
    Rule(
        "values_are_in_range",
        "RAW.TRADES",
        "EXCHANGE_TIME",
        "checks/values_are_in_range",
        "No trade lacks a value or has one that cannot be.",
        settled=timedelta(0),
        blocking=True,
    ),
    Rule(
        "rows_reconcile_with_offsets",
        "RAW.TRADES",
        "EXCHANGE_TIME",
        "checks/rows_reconcile_with_offsets",
        "No row lies beyond the offset noted for its Kafka partition, and no offset has two rows.",
        settled=timedelta(0),
    ),
    Rule(
        "prices_are_ordered",
        "MARKET.BARS_1M",
        "WINDOW_START",
        "checks/prices_are_ordered",
        "In every one-minute bar low <= open, close, VWAP <= high, and its volumes fit its count.",
        settled=timedelta(0),
        blocking=True,
    ),
    Rule(
        "the_latest_closed_minute_has_its_bar",
        "MARKET.BARS_1M",
        "WINDOW_START",
        "checks/latest_minute_is_there",
        "Every pair that traded has a bar of its latest closed minute.",
        settled=3 * MINUTE,
        clock=("RAW.TRADES", "EXCHANGE_TIME"),
    ),
    Rule(
        "longer_bars_equal_their_minutes",
        "MARKET.BARS_15M",
        "WINDOW_START",
        "checks/longer_bars_equal_their_minutes",
        "Every bar of a quarter of an hour has the volume, count, high and low of its minutes.",
        # The span ends at the start of the newest bar: what is compared was closed a quarter of an hour ago.
        settled=timedelta(0),
    ),
)


def span_of(newest: datetime, rule: Rule, hours: float) -> dict[str, datetime]:
    """The full minutes that a rule looks at, from_time inclusive, to_time exclusive."""
    end = (newest - rule.settled).replace(second=0, microsecond=0)
    if rule.settled < MINUTE:
        end += MINUTE
    start = (end - timedelta(hours=hours)).replace(second=0, microsecond=0)
    return {"from_time": start, "to_time": end}


def sql_check(rule: Rule) -> dg.AssetChecksDefinition:
    """A check that is green when the rule's SQL returns no row."""

    @dg.asset_check(
        asset=catalog.table_key(rule.table),
        name=rule.name,
        description=rule.meaning,
        pool="warehouse",
        blocking=rule.blocking,
    )
    def check(
        context: dg.AssetCheckExecutionContext, config: Span, warehouse: SnowflakeResource
    ) -> dg.AssetCheckResult:
        with warehouse.connection(f"dagster: {rule.name} run {context.run.run_id}") as connection:
            newest = warehouse_sql.newest(connection, *(rule.clock or (rule.table, rule.time_column)))
            if newest is None:
                return dg.AssetCheckResult(
                    passed=True, description=f"{rule.table} is empty, so there was nothing to check."
                )
            span = span_of(newest, rule, config.hours)
            columns, found = warehouse_sql.offenders(connection, rule.file, span)
        return dg.AssetCheckResult(
            passed=not found,
            description=f"{len(found) or 'No'} violations. {rule.meaning}",
            metadata={
                "violations": len(found),
                "from": span["from_time"].isoformat(),
                "to": span["to_time"].isoformat(),
                **({"first_violations": violations_table(columns, found)} if found else {}),
            },
        )

    return check


def violations_table(columns: list[str], found: list[tuple[Any, ...]]) -> dg.TableMetadataValue:
    """The first rows that violate a rule, as text, in the form Dagster shows as a table."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({column: str(value) for column, value in zip(columns, row, strict=True)})
            for row in found[:SHOWN_ROWS]
        ],
        schema=dg.TableSchema([dg.TableColumn(column, "string") for column in columns]),
    )


sql_checks = [sql_check(rule) for rule in RULES]
bars_equal_raw_trades, no_trade_stands_twice, trade_ids_are_contiguous = sql_checks[:3]


@dg.multi_asset_check(
    name="loader_lag",
    specs=[
        dg.AssetCheckSpec(
            catalog.LOADER_KEEPS_UP,
            asset=catalog.table_key(table),
            description=f"The loader is at most {lag.LIMIT_MESSAGES} messages behind the table's topic.",
        )
        for table in catalog.TABLE_OF_TOPIC.values()
    ],
    can_subset=True,
)
def loader_lag(
    context: dg.AssetCheckExecutionContext, kafka: KafkaClusterResource, warehouse: SnowflakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Ask Kafka and the warehouse once and answer for every selected table."""
    lags = lag.lag_by_topic(kafka.end_offsets(tuple(catalog.TABLE_OF_TOPIC)), warehouse.loaded_offsets())
    selected = {check.asset_key for check in context.selected_asset_check_keys}
    for topic, table in catalog.TABLE_OF_TOPIC.items():
        if catalog.table_key(table) not in selected:
            continue
        if topic in lags:
            yield dg.AssetCheckResult(**lag_evaluation(lags[topic]))
        else:
            yield dg.AssetCheckResult(
                asset_key=catalog.table_key(table),
                check_name=catalog.LOADER_KEEPS_UP,
                passed=False,
                description=f"Kafka has no topic {topic}. The stack creates it when it starts.",
            )


def lag_evaluation(one: lag.TopicLag) -> dict[str, Any]:
    """The fields that a check's result and a sensor's evaluation have in common."""
    return {
        "asset_key": catalog.table_key(catalog.TABLE_OF_TOPIC[one.topic]),
        "check_name": catalog.LOADER_KEEPS_UP,
        "passed": one.state == "ok",
        "description": lag.explain(one),
        "metadata": lag_numbers(one),
    }


def lag_numbers(one: lag.TopicLag) -> dict[str, Any]:
    """The numbers of a lag under stable names."""
    return {
        "topic": one.topic,
        "lag_messages": one.lag_messages,
        "end_offset": one.end_offset,
        "loaded_offset": one.loaded_offset,
        "worst_partition": one.worst_partition,
        "worst_lag_messages": one.worst_lag_messages,
    }
