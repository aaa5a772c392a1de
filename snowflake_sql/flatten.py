"""Writes `schema.sql` and `streams.sql` from the scripts: `python -m snowflake_sql.flatten [--check]`.

What belongs here: putting scripts together in the order they are applied. What does not: the scripts. The
flat files are for reading and for tools; deploying goes by the scripts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from snowflake_sql.catalog import ROOT

FLAT = {
    "schema.sql": ("migrations", ("V*.sql", "R*.sql")),
    "streams.sql": ("account", ("A__3_streams*.sql",)),
}


def flat(name: str) -> str:
    """What the flat file `name` must hold."""
    folder, patterns = FLAT[name]
    paths = [path for pattern in patterns for path in sorted((ROOT / folder).glob(pattern))]
    parts = [f"-- {folder}/{path.name}\n{path.read_text(encoding='utf-8').strip()}\n" for path in paths]
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
            sys.stderr.write(f"{path.name} is out of date. Run `python -m snowflake_sql.flatten`.\n")
            return 1
        path.write_text(flat(path.name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
