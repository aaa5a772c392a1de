"""How rows of the warehouse and its costs look in a terminal, as JSON and as CSV.

What belongs here: formatting. What does not: asking (`crypto_platform.warehouse_cli`).

Decimals are printed with all their digits, times in UTC.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.table import Table

from crypto_platform.terminal import err, out
from snowflake_sql.costs import CostReport


def show(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, as_json: bool, as_csv: bool) -> None:
    """Rows as a table, or as JSON objects, or as CSV with a header."""
    if as_json:
        found = [{name: _plain(value) for name, value in zip(columns, row, strict=True)} for row in rows]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if value is None else _text(value) for value in row] for row in rows])
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else _text(value) for value in row))
    out.print(table)
    out.print(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}")


def say_cut(limit: int) -> None:
    """That there are more rows than were printed."""
    err.print(
        f"There are more than {limit:,} rows: raise --limit, or `crypto-platform export` writes them all."
    )


def show_costs(report: CostReport) -> None:
    """The volume of a day and the estimates, the configured one first."""
    volume = report.volume
    out.print(
        f"{report.start:%Y-%m-%d} UTC: {volume.loaded_rows:,} rows, {volume.loaded_bytes:,} bytes of values, "
        f"{volume.transactions:,} transactions; Flink made one row of {volume.reduction or 0:.1f} records."
    )
    table = Table(
        "configuration", "warehouse seconds a day", "credits a day", title="Estimates, compute only"
    )
    for one in report.estimates:
        name = f"[bold]{one.configuration}[/] (in use)" if one.in_use else one.configuration
        table.add_row(name, f"{one.warehouse_seconds:,.0f}", f"{one.credits_per_day:.4f}")
    out.print(table)


def print_costs_json(report: CostReport) -> None:
    """The report with its formulas."""
    value = {
        "day": f"{report.start:%Y-%m-%d}",
        "rows": dict(report.volume.rows),
        "bytes": dict(report.volume.value_bytes),
        "received_rows": report.volume.received_rows,
        "reduction_by_flink": report.volume.reduction,
        "transactions": report.volume.transactions,
        "estimates": [asdict(one) for one in report.estimates],
    }
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
