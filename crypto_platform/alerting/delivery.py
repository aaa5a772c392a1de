"""Telling the channels what they have not been told yet, and writing the history.

What belongs here: delivery, and what is kept when it fails. What does not: the channels
(`alerting/channels.py`), what they are told (`alerting/rule.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from crypto_platform.alerting.channels import Channel, ChannelError
from crypto_platform.alerting.rule import Firing, Memory, Message
from snowflake_sql import catalog as sql_files

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def deliver(memory: Memory, channels: Sequence[Channel]) -> tuple[Memory, list[str]]:
    """Tell each channel what it is owed, in order; one that fails keeps its rest and holds up no other.

    Returns the memory and what went wrong, a sentence a channel.
    """
    unsent: dict[str, tuple[Message, ...]] = {}
    errors: list[str] = []
    for channel in channels:
        waiting = list(memory.unsent.get(channel.name, ()))
        try:
            while waiting:
                channel.send(waiting[0])
                waiting.pop(0)
        except ChannelError as error:
            errors.append(str(error))
            unsent[channel.name] = tuple(waiting)
    return msgspec.structs.replace(memory, unsent=unsent), errors


def write_history(memory: Memory, write: Callable[[Sequence[Firing]], None]) -> tuple[Memory, str]:
    """Write the firings that the history lacks; if that fails they are kept, and the error is returned."""
    from snowflake.connector.errors import Error

    if not memory.unwritten:
        return memory, ""
    try:
        write(memory.unwritten)
    except (Error, OSError) as error:
        return memory, f"The alert history cannot be written ({type(error).__name__})."
    return msgspec.structs.replace(memory, unwritten=()), ""


def parameters_of(firing: Firing) -> dict[str, Any]:
    """The parameters of `queries/merge_alert`."""
    condition = firing.condition
    return {
        "fingerprint": condition.fingerprint,
        "fired_at": _utc(firing.fired_at_s),
        "cleared_at": _utc(firing.cleared_at_s) if firing.cleared_at_s else None,
        "kind": condition.kind,
        "severity": condition.severity,
        "subject": condition.subject,
        "summary": condition.summary[:2000],
        "was_sent": firing.sent,
    }


def merge(connection: SnowflakeConnection, firings: Sequence[Firing]) -> None:
    """Add firings to OPS.ALERTS, or note their ends. Raises the connector's errors."""
    statement = sql_files.statement("queries/merge_alert")
    for firing in firings:
        connection.cursor().execute(statement, parameters_of(firing))


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None)
