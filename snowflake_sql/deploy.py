"""Brings the warehouse's schema up to date: `python -m snowflake_sql.deploy [--dry-run]`.

What belongs here: running schemachange with the platform's connection and saying what was done. What does
not: the scripts (`migrations`, `account`), the connection's parameters (`streaming.warehouse`).

Scripts of `account` need an account (warehouses, roles, monitors, tasks). Against the emulator they are not
run, and each is named in the report.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from snowflake.connector.errors import Error

from snowflake_sql.catalog import ROOT
from streaming import logs, settings, warehouse
from streaming.errors import PlatformError
from streaming.settings import Settings

# schemachange configures structlog for its own console when it is imported; ours stays as it was.
_ours = structlog.get_config()
from schemachange.config.ChangeHistoryTable import ChangeHistoryTable  # noqa: E402
from schemachange.config.DeployConfig import DeployConfig  # noqa: E402
from schemachange.deploy import deploy as run_schemachange  # noqa: E402
from schemachange.session.SnowflakeSession import SnowflakeSession  # noqa: E402

structlog.configure(**_ours)

MIGRATIONS = ROOT / "migrations"
ACCOUNT = ROOT / "account"
HISTORY_SCHEMA = "SCHEMACHANGE"
HISTORY_TABLE = "CHANGE_HISTORY"


class MigrationError(PlatformError):
    """A script failed; the ones before it are applied and recorded."""


@dataclass(frozen=True, slots=True)
class Report:
    """Names of the scripts that were (in a dry run: would be) applied, were already, or were skipped because
    the emulator cannot run them."""

    applied: tuple[str, ...]
    unchanged: tuple[str, ...]
    skipped: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report as it is printed, one line a script."""
        return [
            *(f"applied    {name}" for name in self.applied),
            *(f"unchanged  {name}" for name in self.unchanged),
            *(f"skipped    {name} (needs a Snowflake account)" for name in self.skipped),
        ]


class _Session(SnowflakeSession):  # type: ignore[misc]
    """schemachange's session, which remembers what it was asked to apply."""

    def __init__(self, **arguments: Any) -> None:
        self.applied: list[str] = []
        super().__init__(**arguments)

    def apply_change_script(self, script: Any, *arguments: Any, **options: Any) -> None:
        super().apply_change_script(script, *arguments, **options)
        self.applied.append(script.name)


def deploy(settings: Settings, *, dry_run: bool = False, account_scripts: bool = True) -> Report:
    """Create the database if it is missing and apply every script that is due.

    A dry run changes nothing; it needs an existing database. Without `account_scripts` an account gets what
    the emulator gets: schemas, tables and views, but no warehouse, role or task.

    Raises:
        ServiceUnavailableError: the warehouse does not answer.
        MigrationError: a script failed.
    """
    if not dry_run:
        with warehouse.connect(settings) as connection:
            connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS {settings.snowflake_database}")
    whole = account_scripts and not settings.uses_emulator
    folders = [MIGRATIONS, ACCOUNT] if whole else [MIGRATIONS]
    applied = [name for folder in folders for name in _apply(settings, folder, dry_run=dry_run)]
    known = [name for folder in folders for name in scripts(folder)]
    return Report(
        applied=tuple(applied),
        unchanged=tuple(name for name in known if name not in applied),
        skipped=() if whole else tuple(scripts(ACCOUNT)),
    )


def scripts(folder: Path) -> list[str]:
    """The scripts of a folder by name, in the order schemachange runs them: V, R, A."""
    return sorted((path.name for path in folder.glob("*.sql")), key=lambda name: ("VRA".index(name[0]), name))


def _apply(settings: Settings, folder: Path, *, dry_run: bool) -> list[str]:
    history = ChangeHistoryTable(
        table_name=HISTORY_TABLE,
        schema_name=HISTORY_SCHEMA,
        database_name=settings.snowflake_database.upper(),
    )
    config = DeployConfig(
        root_folder=folder,
        change_history_table=history,
        create_change_history_table=True,
        dry_run=dry_run,
        config_vars={"database": settings.snowflake_database},
        raise_exception_on_ignored_versioned_script=True,
    )
    parameters = warehouse.connection_parameters(settings)
    session_parameters = parameters.pop("session_parameters")
    try:
        session = _Session(
            schemachange_version="4.4",
            application=parameters.pop("application"),
            logger=structlog.get_logger("schemachange"),
            change_history_table=history,
            session_parameters=session_parameters,
            additional_snowflake_params=parameters,
            database=parameters["database"],
        )
        run_schemachange(config, session)
    except (Error, OSError) as error:
        raise MigrationError(
            f"{warehouse.place(settings)} refused a script of {folder.name}: {error}.",
            "The scripts before it are applied. Correct it and run the command again.",
        ) from error
    return session.applied


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m snowflake_sql.deploy", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say what would be applied, change nothing")
    options = parser.parse_args(arguments)
    try:
        configured = settings.load(log_level="warning")
        logs.configure(configured, "deploy")
        report = deploy(configured, dry_run=options.dry_run)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{line}\n" for line in report.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
