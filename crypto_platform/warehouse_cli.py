"""`crypto-platform query`, `export`, `costs` and `retention`: the warehouse for a person.

What belongs here: arguments, exit codes, and which function answers. What does not: what may be asked
(`snowflake_sql.read_only`), files (`snowflake_sql.extract`), formulas (`snowflake_sql.costs`), policies
(`snowflake_sql.retention`), how rows look (`crypto_platform.query_view`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crypto_platform.interrupts import terminate_as_interrupt
from streaming import settings as settings_module
from streaming.errors import PlatformError, SettingsError

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from streaming.settings import Settings

Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", help="A value for :name in the text, as name=value; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){0,2}")
"""A table or view, with schema and database or without."""


class QueryError(PlatformError):
    """The warehouse does not do what it was asked: a name or a type in the text is wrong."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (query, export, costs, retention):
        app.command()(command)


@contextmanager
def _warehouse() -> Iterator[tuple[Settings, SnowflakeConnection]]:
    """A connection whose errors end the command with one line."""
    from snowflake.connector.errors import ProgrammingError

    from streaming import warehouse

    settings = settings_module.load()
    with terminate_as_interrupt(), warehouse.connect(settings) as connection:
        try:
            yield settings, connection
        except ProgrammingError as error:
            reason = " ".join(str(error.msg).split())
            raise QueryError(
                f"{warehouse.place(settings)} refuses it: {reason}", "Correct the text."
            ) from error


def _text(sql: str | None, file: Path | None) -> str:
    if sql is not None and file is not None:
        raise SettingsError("There is a statement and a --file.", "Give one of them.")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file} cannot be read: {error}.", "Name a text file.") from error
    if sql is None or sql == "-":
        return sys.stdin.read()
    return sql


def _bound(statement: str, given: list[str] | None) -> tuple[str, dict[str, int | str] | None]:
    """The statement as the connector takes it, and the values of its parameters."""
    from snowflake_sql import catalog

    if not given:
        return statement, None
    values: dict[str, int | str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or f":{name}" not in statement:
            raise SettingsError(
                f"--param {one!r} has no place in the text.", "Write name=value for a :name that is there."
            )
        values[name] = int(value) if value.lstrip("-").isdigit() else value
    return catalog.bindable(statement), values


def query(
    sql: Annotated[
        str | None, typer.Argument(help="One statement that reads; without it, from stdin.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read the statement from a file.")] = None,
    param: Params = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 1000,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Ask the warehouse. Only reading is allowed: anything else is refused before it is sent (exit 2)."""
    from crypto_platform import query_view
    from snowflake_sql import read_only

    if as_json and as_csv:
        raise SettingsError("--json and --csv are both given.", "Give one of them.")
    statement, values = _bound(read_only.require(_text(sql, file)), param)
    with _warehouse() as (_, connection):
        cursor = connection.cursor()
        cursor.execute(statement, values)
        columns = [column.name for column in cursor.description]
        rows = cursor.fetchmany(limit + 1)
    query_view.show(columns, [tuple(row) for row in rows[:limit]], as_json=as_json, as_csv=as_csv)
    if len(rows) > limit:
        query_view.say_cut(limit)


def export(
    path: Annotated[Path, typer.Argument(help="The file to write: .parquet or .csv.")],
    view: Annotated[str | None, typer.Argument(help="A table or view, as MARKET.BARS.")] = None,
    where: Annotated[str | None, typer.Option(help="Only rows for which this holds.")] = None,
    sql: Annotated[
        str | None, typer.Option("--query", help="Instead of a view: one statement that reads.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Instead of a view: a file with such a statement.")
    ] = None,
    param: Params = None,
    as_json: Json = False,
) -> None:
    """Write a view, a table or a query to a Parquet or CSV file; numbers and times stay exact."""
    from snowflake_sql import extract, read_only

    kind = extract.format_of(path)
    if sum(one is not None for one in (view, sql, file)) != 1:
        raise SettingsError("One of a view, a --query and a --file is needed.", "Name one, as MARKET.BARS.")
    if view is not None and not NAME.fullmatch(view):
        raise SettingsError(f"{view!r} is not the name of a view.", "Name one, as MARKET.BARS.")
    if view is None and where is not None:
        raise SettingsError("--where goes with a view.", "Write it into the query.")
    text = (
        _text(sql, file) if view is None else f"SELECT * FROM {view}" + (f" WHERE {where}" if where else "")
    )
    statement, values = _bound(read_only.require(text), param)
    with _warehouse() as (_, connection):
        rows = extract.to_file(connection, statement, path, values, kind)
    if as_json:
        _print_json({"rows": rows, "path": str(path), "bytes": path.stat().st_size})
    else:
        typer.echo(f"{rows:,} rows in {path} ({path.stat().st_size:,} bytes).")


def costs(
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="A UTC day; default: the one that has begun."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate what loading costs in credits a day, for this configuration and the obvious others."""
    from crypto_platform import query_view
    from snowflake_sql import costs as costs_module

    start = day or datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    with _warehouse() as (settings, connection):
        report = costs_module.report(connection, settings, start)
    if as_json:
        query_view.print_costs_json(report)
    else:
        query_view.show_costs(report)


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be pruned, change nothing.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go; default CRYPTO_HOME/archive.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prune old rows as CRYPTO_RETENTION says, each day exported to a Parquet file before it is deleted."""
    from snowflake_sql import retention as retention_module

    now = datetime.now(UTC).replace(tzinfo=None)
    with _warehouse() as (settings, connection):
        wanted = retention_module.policies(settings.retention)
        place = folder or settings.home / "archive"
        pruned = retention_module.prune(connection, wanted, now, place, dry_run=dry_run)
    if as_json:
        _print_json(
            [
                {"table": one.table, "day": f"{one.day:%Y-%m-%d}", "rows": one.rows, "path": str(one.path)}
                for one in pruned
            ]
        )
        return
    verb = "would be pruned" if dry_run else "pruned"
    for one in pruned:
        typer.echo(f"{one.table} {one.day:%Y-%m-%d}: {one.rows:,} rows {verb}, {one.path}")
    typer.echo(f"{sum(one.rows for one in pruned):,} rows of {len(pruned)} days {verb}.")


def _print_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, default=str))
