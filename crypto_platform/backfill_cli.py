"""`crypto-platform backfill`: history from the exchanges' REST interfaces.

What belongs here: arguments and what is printed. What does not: the work (`streaming.backfill`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from streaming.errors import SettingsError
from streaming.settings import Settings

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def register(app: typer.Typer, settings_of: Callable[[], Settings]) -> None:
    """Add the command; `settings_of` gives those of the running stack."""

    @app.command()
    def backfill(
        begin: Annotated[datetime, typer.Option("--from", help="First moment, UTC.", formats=FORMATS)],
        end: Annotated[datetime, typer.Option("--to", help="End, UTC, exclusive.", formats=FORMATS)],
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    ) -> None:
        """Write past trades that the warehouse lacks into Kafka; they take the way of all trades.

        The bars and rollups they belong to are computed again by Dagster, and no others.
        """
        from streaming.backfill import run

        if end <= begin:
            raise SettingsError("--to is not after --from.", "Name a span of time.")
        moments = (begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))

        def say(filled: run.Filled) -> None:
            if not as_json:
                typer.echo(f"{filled.exchange} {filled.pair}: {filled.trades} trades")

        found = run.run(settings_of(), *moments, report=say)
        if as_json:
            typer.echo(json.dumps([dataclasses.asdict(filled) for filled in found], indent=2))
