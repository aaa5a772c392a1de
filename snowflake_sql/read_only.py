"""Whether a person's SQL only reads.

What belongs here: the decision, from the parsed text. What does not: running it. On an account a role that
may only read (CRYPTO_READER) is the lock; this is the sign on the door that also works on the emulator.
"""

from __future__ import annotations

from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from streaming.errors import PlatformError

READS: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Show, exp.Describe)
CHANGES: Final = (
    *(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Copy, exp.Into),
    *(exp.TruncateTable, exp.Set, exp.Use, exp.Transaction, exp.Commit, exp.Rollback, exp.Grant),
)
SYSTEM: Final = "SYSTEM$"
"""Functions that begin so may act: SYSTEM$CANCEL_QUERY, SYSTEM$TASK_DEPENDENTS_ENABLE."""


class NotReadOnlyError(PlatformError):
    """The text would change something, or is not one statement that is understood."""

    exit_code = 2


def require(text: str) -> str:
    """The one statement of `text`, if it only reads.

    Raises:
        NotReadOnlyError: otherwise, with what it is.
    """
    try:
        parsed = [one for one in sqlglot.parse(text, dialect="snowflake") if one is not None]
    except SqlglotError as error:
        reason = str(error).splitlines()[0].rstrip(". ")
        raise NotReadOnlyError(
            f"This is not understood as Snowflake's SQL: {reason}.", "Correct it."
        ) from error
    if len(parsed) != 1:
        raise NotReadOnlyError(
            f"There must be one statement, and there are {len(parsed)}.", "Run them one by one."
        )
    statement = parsed[0]
    shows = isinstance(statement, exp.Command) and str(statement.this).upper() == "SHOW"
    if not (isinstance(statement, READS) or shows):
        raise _refused(statement)
    for node in statement.walk():
        if isinstance(node, CHANGES):
            raise _refused(node)
        if isinstance(node, exp.Anonymous) and node.name.upper().startswith(SYSTEM):
            raise NotReadOnlyError(
                f"{node.name} is a function that may act, and only reading is allowed.", "Leave it out."
            )
        if isinstance(node, exp.Column) and node.name.upper() == "NEXTVAL":
            raise NotReadOnlyError("NEXTVAL moves a sequence, and only reading is allowed.", "Leave it out.")
    return text.strip().rstrip(";").rstrip()


def _refused(node: exp.Expr) -> NotReadOnlyError:
    word = node.sql(dialect="snowflake").split(maxsplit=1)[0].upper()
    return NotReadOnlyError(
        f"{word} is refused: only reading is allowed here (SELECT, SHOW, DESCRIBE).",
        "Changes belong in a migration or a rollup.",
    )
