"""What loading costs in credits a day: measured volume, and estimates for this configuration and others.

What belongs here: the formulas with their sources, the measurement and the table of the report. What does
not: SQL (`snowflake_sql/reports`), Dagster and the terminal, which show `CostReport.metadata`.

All are estimates of compute: storage, cloud services and people's queries are not in them. A credit is a
credit; its price depends on the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from snowflake.connector import SnowflakeConnection

from snowflake_sql import catalog
from streaming import warehouse
from streaming.loader.engines import APPENDED, lanes
from streaming.settings import Settings

DAY_S: Final = 86_400
XSMALL_CREDITS_PER_HOUR: Final = 1.0
LEAST_BILLED_S: Final = 60.0
COMPUTE: Final = (
    "an XSMALL warehouse costs 1 credit an hour by the second, at least 60 s a resume, and AUTO_SUSPEND is "
    "60 s (docs.snowflake.com, Understanding compute cost)"
)
SNOWPIPE_CREDITS_PER_GB: Final = 0.0037
SNOWPIPE: Final = (
    "0.0037 credits a GB of uncompressed values (Snowflake Service Consumption Table; docs.snowflake.com, "
    "Snowpipe Streaming high-performance architecture: cost)"
)
DYNAMIC_TABLES: Final = (
    "a refresh a minute while data changes, so the warehouse never suspends (docs.snowflake.com, "
    "Understanding costs for dynamic tables)"
)


@dataclass(frozen=True, slots=True)
class Volume:
    """What was loaded within a span, by table name, and scaled to a day.

    `received_rows` are trades and quotes before Flink compressed quotes to seconds; `awake_seconds` is how
    long a warehouse would have been awake within `span_seconds`, for the transactions there were.
    """

    rows: Mapping[str, int]
    value_bytes: Mapping[str, int]
    received_rows: int
    transactions: int
    span_seconds: float
    awake_seconds: float

    @property
    def loaded_rows(self) -> int:
        return sum(self.rows.values())

    @property
    def loaded_bytes(self) -> int:
        return sum(self.value_bytes.values())

    @property
    def reduction(self) -> float | None:
        """How many received records stand behind a loaded row, None when nothing was loaded."""
        return self.received_rows / self.loaded_rows if self.loaded_rows else None

    def a_day(self, amount: float) -> float:
        """An amount of the span, as if the whole day went on like that; less than a minute counts as one."""
        return amount * DAY_S / max(self.span_seconds, 60.0) if amount else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Credits a day of one way to load."""

    configuration: str
    in_use: bool
    warehouse_seconds: float
    credits_per_day: float
    formula: str


@dataclass(frozen=True, slots=True)
class CostReport:
    """One day's volume and estimates, the configured one first."""

    start: datetime
    end: datetime
    volume: Volume
    estimates: tuple[Estimate, ...]

    @property
    def in_use(self) -> Estimate:
        return next(one for one in self.estimates if one.in_use)

    def metadata(self) -> dict[str, float | int | str]:
        """Plain values for a Dagster materialization or a terminal; the table is Markdown."""
        lines = [
            f"| {one.configuration}{' (in use)' if one.in_use else ''} | {one.warehouse_seconds:,.0f} | "
            f"{one.credits_per_day:.4f} |"
            for one in self.estimates
        ]
        header = ["| configuration | warehouse seconds a day | credits a day |", "|---|---|---|"]
        return {
            "rows": self.volume.loaded_rows,
            "bytes": self.volume.loaded_bytes,
            "reduction_by_flink": round(self.volume.reduction or 0.0, 2),
            "transactions": self.volume.transactions,
            "warehouse_seconds": round(self.in_use.warehouse_seconds, 1),
            "credits_per_day": round(self.in_use.credits_per_day, 5),
            "alternatives": "\n".join([*header, *lines]),
        }


def measure(connection: SnowflakeConnection, start: datetime, end: datetime) -> Volume:
    """What was loaded with start <= LOADED_AT < end (naive UTC)."""
    span = {"from_time": start, "to_time": end}
    tables = warehouse.rows(connection, catalog.statement("reports/loaded_volume"), span)
    ((transactions, seconds, awake, received),) = warehouse.rows(
        connection, catalog.statement("reports/load_activity"), span
    )
    return Volume(
        rows={name: int(count) for name, count, _ in tables},
        value_bytes={name: int(size) for name, _, size in tables},
        received_rows=int(received),
        transactions=int(transactions),
        span_seconds=float(seconds),
        awake_seconds=float(awake),
    )


def awake_seconds(every_s: float) -> float:
    """Seconds a day that a warehouse is awake for a short statement every `every_s` seconds."""
    return DAY_S if every_s <= LEAST_BILLED_S else DAY_S / every_s * LEAST_BILLED_S


def warehouse_credits(seconds: float) -> float:
    return seconds / 3600 * XSMALL_CREDITS_PER_HOUR


def snowpipe_credits(size: float) -> float:
    """Credits for so many bytes of values."""
    return size / 1e9 * SNOWPIPE_CREDITS_PER_GB


def estimates(volume: Volume, settings: Settings) -> tuple[Estimate, ...]:
    """The configured way to load, if it were on an account, and the obvious others."""
    appended = {table.name for table in APPENDED.values()}
    appended_bytes = volume.a_day(sum(size for name, size in volume.value_bytes.items() if name in appended))
    all_bytes = volume.a_day(volume.loaded_bytes)
    merge_s = settings.loader_merge_ms / 1000
    account = settings.model_copy(update={"snowflake_account": settings.snowflake_account or "any"})
    chosen = lanes(account)
    streams = chosen[0].streams
    every_s = chosen[0].pace.seconds

    def batches(seconds: float, in_use: bool = False) -> Estimate:
        awake = awake_seconds(seconds)
        name = f"a transaction every {seconds:g} s"
        return Estimate(name, in_use, awake, warehouse_credits(awake), f"{awake:,.0f} s awake; {COMPUTE}")

    merging = awake_seconds(merge_s)
    found = [
        Estimate(
            f"Snowpipe Streaming, bars merged every {merge_s:g} s",
            streams,
            merging,
            snowpipe_credits(appended_bytes) + warehouse_credits(merging),
            f"{appended_bytes / 1e9:.4f} GB a day at {SNOWPIPE}; merges {merging:,.0f} s awake: {COMPUTE}",
        ),
        *([] if streams else [batches(every_s, True)]),
        *(batches(seconds) for seconds in (60.0, 300.0, 3600.0) if streams or seconds != every_s),
        Estimate(
            "transactions as they came",
            False,
            volume.a_day(volume.awake_seconds),
            warehouse_credits(volume.a_day(volume.awake_seconds)),
            f"{volume.transactions} transactions in {volume.span_seconds:g} s, scaled to a day; {COMPUTE}",
        ),
        Estimate(
            "Snowpipe Streaming of every quote, bars by dynamic tables of one minute's lag",
            False,
            DAY_S,
            snowpipe_credits(all_bytes * (volume.reduction or 1.0)) + warehouse_credits(DAY_S),
            f"{all_bytes / 1e9:.4f} GB a day times the reduction by Flink, at {SNOWPIPE}; {DYNAMIC_TABLES}",
        ),
    ]
    return tuple(sorted(found, key=lambda one: (not one.in_use, one.credits_per_day)))


def report(connection: SnowflakeConnection, settings: Settings, day: datetime) -> CostReport:
    """Measure the day (naive UTC midnight), estimate, and keep the result in OPS.COSTS.

    The day may be the one that has begun.
    """
    end = day + timedelta(days=1)
    volume = measure(connection, day, end)
    result = CostReport(day, end, volume, estimates(volume, settings))
    with warehouse.transaction(connection):
        for one in result.estimates:
            values: dict[str, Any] = {
                "window_start": day,
                "window_end": end,
                "configuration": one.configuration,
                "in_use": one.in_use,
                "received_rows": volume.received_rows,
                "loaded_rows": volume.loaded_rows,
                "loaded_bytes": volume.loaded_bytes,
                "reduction": volume.reduction,
                "warehouse_seconds": one.warehouse_seconds,
                "credits_per_day": one.credits_per_day,
                "formula": one.formula,
            }
            connection.cursor().execute(catalog.statement("reports/store_cost"), values)
    return result
