"""The columns of the warehouse's tables, and where a rollup's columns come from, read from the SQL itself.

What belongs here: SQL text to Dagster's column schema and column lineage. What does not: the SQL
(`snowflake_sql`), or asking the warehouse what it has.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import msgspec.inspect
import sqlglot
from sqlglot import exp

from snowflake_sql import catalog as sql_files
from streaming import settings as platform_settings

if TYPE_CHECKING:
    from sqlglot.lineage import Node

DIALECT: Final = "snowflake"


@cache
def schemas() -> dict[str, dg.TableSchema]:
    """The column schema of every table in `snowflake_sql/schema.sql`, by `SCHEMA.TABLE`."""
    return parse_schemas(sql_files.read("schema"))


def parse_schemas(text: str) -> dict[str, dg.TableSchema]:
    """The column schema of every table in `text`, by `SCHEMA.TABLE`, as CREATE TABLE and the ALTER TABLE
    after it leave it; other statements are ignored."""
    found: dict[str, list[dg.TableColumn]] = {}
    for text_of_one in sql_files.split(text):
        if "TABLE" not in text_of_one.split("(")[0].upper():
            continue
        statement = sqlglot.parse_one(text_of_one, dialect=DIALECT)
        table = statement.find(exp.Table)
        if table is None:
            continue
        columns = found.setdefault(f"{table.db}.{table.name}".upper(), [])
        if isinstance(statement, exp.Create) and statement.kind == "TABLE":
            columns += [_column(one) for one in statement.this.expressions if isinstance(one, exp.ColumnDef)]
        for action in statement.args.get("actions", ()):
            if isinstance(action, exp.ColumnDef):
                columns.append(_column(action))
            elif isinstance(action, exp.AlterColumn) and action.args.get("allow_null"):
                columns[:] = [_nullable(one) if one.name == action.name.upper() else one for one in columns]
    return {name: dg.TableSchema(columns) for name, columns in found.items() if columns}


def _column(definition: exp.ColumnDef) -> dg.TableColumn:
    constraints = [one.kind for one in definition.constraints]
    comments = (one.this.name for one in constraints if isinstance(one, exp.CommentColumnConstraint))
    kind = definition.kind
    return dg.TableColumn(
        name=definition.name.upper(),
        type="" if kind is None else kind.sql(DIALECT).replace("DECIMAL", "NUMBER"),
        description=next(comments, None),
        constraints=dg.TableColumnConstraints(
            nullable=not any(isinstance(one, exp.NotNullColumnConstraint) for one in constraints)
        ),
    )


def _nullable(column: dg.TableColumn) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=column.type,
        description=column.description,
        constraints=dg.TableColumnConstraints(nullable=True),
    )


def table_metadata(name: str) -> dict[str, str | dg.TableSchema]:
    """Name in the warehouse and columns of the table `SCHEMA.TABLE`, as Dagster's interface knows them."""
    return {
        "dagster/table_name": f"{platform_settings.load().snowflake_database}.{name}",
        "dagster/column_schema": schemas()[name],
    }


def record_metadata(record: type[msgspec.Struct]) -> dict[str, dg.TableSchema]:
    """The fields of a topic's messages, as Dagster's interface knows columns."""
    columns = [
        dg.TableColumn(
            field.name,
            _type_name(field.type),
            constraints=dg.TableColumnConstraints(nullable=_is_nullable(field.type)),
        )
        for field in msgspec.inspect.type_info(record).fields  # type: ignore[attr-defined]
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def _type_name(kind: Any) -> str:
    if isinstance(kind, msgspec.inspect.UnionType):
        return " or ".join(_type_name(one) for one in kind.types)
    return type(kind).__name__.removesuffix("Type").lower()


def _is_nullable(kind: Any) -> bool:
    return isinstance(kind, msgspec.inspect.UnionType) and kind.includes_none


def version_of(name: str) -> str:
    """Sixteen digits that change with the statements of an SQL file, and not with its comments."""
    return hashlib.sha256("\n".join(sql_files.statements(name)).encode()).hexdigest()[:16]


def merge_lineage(text: str) -> dict[str, list[tuple[str, str]]]:
    """From which (table, column) each inserted column of a MERGE comes; constants have no sources."""
    from sqlglot.lineage import lineage

    columns_of = {name: {one.name: one.type for one in schema.columns} for name, schema in schemas().items()}
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in columns_of.items():
        schema, _, table = name.partition(".")
        nested.setdefault(schema, {})[table] = columns
    merge = next(one for one in sqlglot.parse(text, dialect=DIALECT) if isinstance(one, exp.Merge))
    source = merge.args["using"]
    insert = next(one for one in merge.find_all(exp.Insert))
    values = dict(
        zip((one.name for one in insert.this.expressions), insert.expression.expressions, strict=True)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for column, value in values.items():
        places: set[tuple[str, str]] = set()
        for reference in value.find_all(exp.Column):
            if reference.table.upper() == source.alias.upper():
                node = lineage(reference.name, source.this, schema=nested, dialect=DIALECT)
                places |= _tables_below(node)
        found[column.upper()] = sorted(places)
    return found


def _tables_below(node: Node) -> set[tuple[str, str]]:
    return {
        (f"{leaf.source.db}.{leaf.source.name}".upper(), leaf.name.rpartition(".")[2].upper())
        for leaf in node.walk()
        if isinstance(leaf.source, exp.Table)
    }
