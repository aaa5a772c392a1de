"""Whether the warehouse's tables have the columns that the migrations declare.

What belongs here: one check a table, answered by one query. What does not: the declaration
(`snowflake_sql/migrations`, read by `table_schemas`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import dagster as dg

from crypto_platform import catalog, table_schemas
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from snowflake_sql import catalog as sql_files
from snowflake_sql.catalog import ROLLUPS

TABLES: Final = tuple(
    dict.fromkeys([*catalog.TABLE_OF_TOPIC.values(), *(rollup.table for rollup in ROLLUPS), "OPS.ALERTS"])
)
AS_DECLARED: Final = "columns_are_as_declared"


def differences(
    declared: Mapping[str, set[str]], found: Mapping[str, set[str]], table: str
) -> dict[str, list[str]]:
    """What a table lacks and what it has beyond its declaration."""
    wanted, present = declared.get(table, set()), found.get(table, set())
    return {"missing": sorted(wanted - present), "unknown": sorted(present - wanted)}


@dg.multi_asset_check(
    name="schema_drift",
    specs=[
        dg.AssetCheckSpec(
            AS_DECLARED,
            asset=catalog.table_key(table),
            description="The table has exactly the columns that the migrations declare.",
            # Something else than declared stands where the next table is read from.
            blocking=table in ("RAW.TRADES", "MARKET.BARS_1M"),
        )
        for table in TABLES
    ],
    can_subset=True,
)
def schema_drift(
    context: dg.AssetCheckExecutionContext, warehouse: SnowflakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Ask the warehouse's catalogue once and answer for every selected table."""
    from streaming import warehouse as rows_of

    declared = {
        name: {column.name for column in schema.columns} for name, schema in table_schemas.schemas().items()
    }
    found: dict[str, set[str]] = {}
    with warehouse.connection(f"dagster: columns run {context.run.run_id}") as connection:
        for schema, table, column in rows_of.rows(connection, sql_files.statement("queries/columns")):
            found.setdefault(f"{schema}.{table}".upper(), set()).add(str(column).upper())
    selected = {check.asset_key for check in context.selected_asset_check_keys}
    for table in TABLES:
        key = catalog.table_key(table)
        if key in selected:
            wrong = differences(declared, found, table)
            said = "; ".join(f"{word}: {', '.join(names)}" for word, names in wrong.items() if names)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=AS_DECLARED,
                passed=not said,
                description=said or f"All {len(declared[table])} columns are there, and no others.",
                metadata={"columns_missing": len(wrong["missing"]), "columns_unknown": len(wrong["unknown"])},
            )
