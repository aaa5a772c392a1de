"""A faster, stricter cursor for the Snowflake emulator: translations are kept, errors look like Snowflake's.

What belongs here: what the platform needs from fakesnow's cursor beyond its release 0.12.1. What does not:
the server process and its sessions (`infra.local.emulator`).

Three differences from the plain cursor:

* a statement's translation to DuckDB is kept by its text: a bind is all that differs between the
  micro-batches of a loader, and translating costs ten times as much as running one (measured);
* primary keys are declared and not enforced, as in Snowflake's standard tables, so that nothing here rests
  on a constraint that a real account does not check;
* DuckDB's errors become Snowflake's numbers, so that a client sees a rejected value or a conflict at once
  instead of retrying an HTTP 500 until its network timeout.
"""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from snowflake.connector.errors import DatabaseError, ProgrammingError
from snowflake.connector.errors import Error as SnowflakeError
from sqlglot import exp

KEPT_STATEMENTS = 512
MOST_KEPT_TEXT = 16_384
"""Longer statements carry their data in their text, so keeping them would never pay."""

_KEPT_KINDS = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Commit, exp.Rollback, exp.Transaction)
_HARMLESS_KINDS = (*_KEPT_KINDS, exp.Merge, exp.Copy, exp.Describe, exp.Show)
_DEPENDS_ON_SESSION = re.compile(r"\$|\b(identifier|result_scan|last_query_id|sample|tablesample)\b", re.I)

CONFLICT = 625
"""Snowflake's number for a statement aborted because of a conflicting transaction."""
VALUE_REJECTED = 100038
NUMBER_OUT_OF_RANGE = 100132
NULL_REJECTED = 100072
INTERNAL = 370001

_OTHER_FLATTEN_COLUMNS = {"SEQ", "KEY", "PATH", "INDEX", "THIS"}
_FLATTEN_VALUES = sqlglot.parse_one(
    "SELECT UNNEST(CASE WHEN JSON_TYPE(J) = 'OBJECT' THEN JSON_EXTRACT(J, '$.*') ELSE CAST(J AS JSON[]) END) "
    "AS VALUE FROM (SELECT TO_JSON(?) AS J) AS GIVEN",
    dialect="duckdb",
)

parse_kept = functools.lru_cache(maxsize=KEPT_STATEMENTS)(parse_one)
"""`parse_one` for callers that only read the tree."""


@dataclass(slots=True)
class _Translation:
    """One statement as DuckDB runs it; `describe` is the type of its result, once known."""

    expression: exp.Expression
    takes_binds: bool
    describe: list[Any] | None = None


_translations: OrderedDict[tuple[str, str | None, str | None], _Translation] = OrderedDict()


class _Rendered:
    """Stands in for an expression's `sql` method with text that was generated once."""

    def __init__(self, expression: exp.Expression) -> None:
        self._text = expression.sql(dialect="duckdb")

    def __call__(self, dialect: str | None = None, **_: Any) -> str:
        return self._text


class EmulatorCursor(FakeSnowflakeCursor):  # type: ignore[misc]
    """fakesnow's cursor with the three differences above."""

    _translation: _Translation | None = None

    def execute(
        self, command: str, params: Sequence[Any] | dict[Any, Any] | None = None, *args: Any, **kwargs: Any
    ) -> EmulatorCursor:
        """Run one statement.

        Raises:
            ProgrammingError: with Snowflake's number for a conflict, a rejected value or an invalid text.
        """
        self._translation = None
        try:
            if not self._execute_kept(command, kwargs.get("binding_params")):
                super().execute(command, params, *args, **kwargs)
                self._forget_after(command)
        except duckdb.Error as error:
            raise _as_snowflake(error) from error
        except SnowflakeError:
            raise
        except Exception as error:
            text = f"The emulator cannot run this statement ({type(error).__name__}: {error})."
            raise ProgrammingError(msg=text[:2000], errno=INTERNAL, sqlstate="XX000") from error
        return self

    def _execute_kept(self, command: str, binds: Any) -> bool:
        key = (command, self._conn.database, self._conn.schema)
        if (kept := _translations.get(key)) is None:
            kept = self._translate(command)
            if kept is None:
                return False
            _translations[key] = kept
            if len(_translations) > KEPT_STATEMENTS:
                _translations.popitem(last=False)
        else:
            _translations.move_to_end(key)
        self._sqlstate = None
        params = list(binds) if isinstance(binds, tuple) else binds
        self._execute(kept.expression, params if kept.takes_binds else None)
        self._translation = kept
        return True

    def _translate(self, command: str) -> _Translation | None:
        if len(command) > MOST_KEPT_TEXT or _DEPENDS_ON_SESSION.search(command):
            return None
        if self._conn.nop_regexes and any(re.match(p, command, re.I) for p in self._conn.nop_regexes):
            return None
        parsed = parse_one(command)
        if not isinstance(parsed, _KEPT_KINDS):
            return None
        self.check_db_and_schema(parsed)
        statements = self._transform_explode(parsed)
        if len(statements) != 1:
            return None
        expression = self._transform(statements[0], None)
        if expression.args.get("seed") is not None:
            return None
        _flatten_values_only(expression)
        vars(expression)["sql"] = _Rendered(expression)
        return _Translation(expression, expression.find(exp.Placeholder) is not None)

    def _forget_after(self, command: str) -> None:
        """Definitions may have changed the meaning or the type of what is kept."""
        if not isinstance(parse_kept(command) if len(command) <= MOST_KEPT_TEXT else None, _HARMLESS_KINDS):
            _translations.clear()

    def _describe_last_sql(self) -> list[Any]:
        kept = self._translation
        if kept is None:
            return list(super()._describe_last_sql())
        if kept.describe is None:
            kept.describe = list(super()._describe_last_sql())
        return kept.describe

    def _transform(self, expression: exp.Expression, params: Any) -> exp.Expression:
        transformed: exp.Expression = super()._transform(expression, params)
        if isinstance(transformed, exp.Create):
            _without_primary_key(transformed)
            _without_notes_on_temporary(transformed)
        return transformed


def _flatten_values_only(statement: exp.Expression) -> None:
    """Replace fakesnow's FLATTEN, which computes six columns, where only VALUE is used.

    Planning it is half the cost of a small batch (measured).
    """
    named = {column.name.upper() for column in statement.find_all(exp.Column)}
    if named & _OTHER_FLATTEN_COLUMNS or statement.find(exp.Star) is not None:
        return
    for table in list(statement.find_all(exp.Table)):
        call = table.this
        if isinstance(call, exp.Anonymous) and call.name.upper() == "_FS_FLATTEN":
            values = _FLATTEN_VALUES.copy()
            next(values.find_all(exp.Placeholder)).replace(call.expressions[0].copy())
            table.replace(exp.Subquery(this=values, alias=table.args.get("alias")))


def _without_primary_key(create: exp.Create) -> None:
    """Drop what Snowflake does not enforce."""
    if isinstance(create.this, exp.Schema):
        for part in list(create.this.expressions):
            if isinstance(part, exp.PrimaryKey) or (
                isinstance(part, exp.Constraint) and part.find(exp.PrimaryKey) is not None
            ):
                part.pop()


def _without_notes_on_temporary(create: exp.Create) -> None:
    """Drop fakesnow's notes about a temporary table, such as MERGE makes.

    It keeps them in a database of its own, and DuckDB lets a transaction write to one database only, so a
    MERGE within a transaction would fail.
    """
    properties = create.args.get("properties")
    if properties is not None and properties.find(exp.TemporaryProperty) is not None:
        create.args.pop("table_comment", None)
        create.args.pop("text_lengths", None)


def _as_snowflake(error: duckdb.Error) -> DatabaseError:
    """The connector's error for one of DuckDB's."""
    text = str(error).split("\n", 1)[0]
    if isinstance(error, duckdb.TransactionException) or "conflict" in text.lower():
        return ProgrammingError(msg=text, errno=CONFLICT, sqlstate="57014")
    if isinstance(error, duckdb.OutOfRangeException):
        return ProgrammingError(msg=text, errno=NUMBER_OUT_OF_RANGE, sqlstate="22003")
    if isinstance(error, duckdb.ConstraintException):
        return ProgrammingError(msg=text, errno=NULL_REJECTED, sqlstate="22000")
    if isinstance(error, duckdb.DataError | duckdb.InvalidInputException):
        return ProgrammingError(msg=text, errno=VALUE_REJECTED, sqlstate="22018")
    return ProgrammingError(msg=text, errno=INTERNAL, sqlstate="XX000")
