"""Writes the generated files: `python -m snowflake_sql.flatten [--check]`.

What belongs here: putting scripts together in the order they are applied, and what they include into them.
What does not: the scripts. `schema.sql` and `streams.sql` are for reading and for tools; deploying goes by
the scripts, of which the one of streams and tasks is generated too, because its tasks hold the rollups.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from snowflake_sql import catalog
from snowflake_sql.catalog import ROOT

FLAT = {
    "schema.sql": ("migrations", ("V*.sql", "R*.sql")),
    "account/A__3_streams_and_tasks.sql": ("tasks", ("streams_and_tasks.sql",)),
    "streams.sql": ("tasks", ("streams_and_tasks.sql",)),
}


def flat(name: str) -> str:
    """What the flat file `name` must hold."""
    folder, patterns = FLAT[name]
    paths = [path for pattern in patterns for path in sorted((ROOT / folder).glob(pattern))]
    parts = [f"-- {folder}/{path.name}\n{catalog.read(f'{folder}/{path.stem}').strip()}\n" for path in paths]
    return (
        f"-- Made by `python -m snowflake_sql.flatten` from {folder}/; edit the scripts there.\n\n"
        + "\n".join(parts)
    )


def stale() -> list[Path]:
    """The flat files that do not match their scripts."""
    return [
        path
        for name in FLAT
        if not (path := ROOT / name).exists() or path.read_text(encoding="utf-8") != flat(name)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m snowflake_sql.flatten", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    options = parser.parse_args(arguments)
    for path in stale():
        if options.check:
            sys.stderr.write(
                f"{path.relative_to(ROOT)} is out of date. Run `python -m snowflake_sql.flatten`.\n"
            )
            return 1
        path.write_text(flat(str(path.relative_to(ROOT))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
