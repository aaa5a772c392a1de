"""Where each column of a rollup comes from, kept in a file beside this module.

What belongs here: reading and writing that file. What does not: deriving lineage from SQL
(`crypto_platform.table_schemas`), which takes a second of processor time a rollup, too long for every process
that loads the definitions.

The file is written by `python -m crypto_platform.column_lineage`; a test compares it with the SQL. A rollup
whose SQL it does not know is derived on the spot, so a new one appears by itself.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

import dagster as dg

from crypto_platform import catalog, table_schemas
from snowflake_sql import catalog as sql_files

FILE: Final = Path(__file__).with_name("column_lineage.json")

Lineage = dict[str, list[tuple[str, str]]]
"""By column, the (table, column) it is made from."""


@cache
def _stored() -> dict[str, dict[str, list[list[str]]]]:
    found: dict[str, dict[str, list[list[str]]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def of(name: str) -> Lineage:
    """The column lineage of the SQL file `name`."""
    stored = _stored().get(f"{name} {table_schemas.version_of(name)}")
    if stored is None:
        return derived(name)
    return {column: [(table, source) for table, source in deps] for column, deps in stored.items()}


def derived(name: str) -> Lineage:
    """The same from the SQL itself."""
    return table_schemas.merge_lineage(sql_files.read(name))


def metadata(name: str) -> dict[str, dg.TableColumnLineage]:
    """The column lineage of the MERGE in the SQL file `name`, as Dagster's interface knows it."""
    sources = {
        column: [
            dg.TableColumnDep(asset_key=catalog.table_key(table), column_name=source)
            for table, source in deps
        ]
        for column, deps in of(name).items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=sources)}


def text() -> str:
    """What the file must hold."""
    lineages = {
        f"{rollup.name} {table_schemas.version_of(rollup.name)}": derived(rollup.name)
        for rollup in sql_files.ROLLUPS
    }
    lines = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(
            f"  {json.dumps(column)}: {json.dumps(deps)}" for column, deps in sorted(columns.items())
        )
        + "\n}"
        for name, columns in lineages.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
