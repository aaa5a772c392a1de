"""OKX's subscribe and unsubscribe requests: what is asked, or which error answers it.

What belongs here: the grammar and its codes (OKX's documentation, "Error codes / WebSocket / Public"). What
does not: carrying a request out (`channels`).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

PUBLIC = "/ws/v5/public"
BUSINESS = "/ws/v5/business"
PUBLIC_CHANNELS = frozenset({"tickers", "trades"})
BUSINESS_CHANNELS = frozenset({"trades-all", "candle1m"})
IGNORED_CHANNELS = frozenset({"instruments"})
"""Acknowledged on /public, but nothing is pushed: nothing about an instrument changes here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One argument of a request that is in order."""

    channel: str
    pair: str
    arg: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """An error that answers a request or one of its arguments."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its id if it has one, what it does, and the outcome of each argument, in order."""

    id: str | None
    operation: Literal["subscribe", "unsubscribe"]
    outcomes: tuple[Wanted | Refused, ...]


def parse(path: str, text: bytes, pairs: Collection[str]) -> Request | tuple[str | None, Refused]:
    """Read a request that came in on `path`; a request that makes no sense gives its id and one error."""
    shown = text.decode(errors="replace")
    invalid = Refused("60012", f"Invalid request: {shown}")
    try:
        request = json.loads(text)
    except ValueError:
        return None, invalid
    if not isinstance(request, dict):
        return None, invalid
    request_id = request.get("id")
    if request_id is not None and not (
        isinstance(request_id, str) and 1 <= len(request_id) <= 32 and request_id.isalnum()
    ):
        return None, invalid
    operation, arguments = request.get("op"), request.get("args")
    if operation is None:
        return request_id, invalid
    if operation not in ("subscribe", "unsubscribe"):
        return request_id, Refused("60019", f"Invalid op: {operation}")
    if not isinstance(arguments, list) or not arguments:
        return request_id, invalid
    return Request(request_id, operation, tuple(_outcome(path, argument, pairs) for argument in arguments))


def _outcome(path: str, argument: object, pairs: Collection[str]) -> Wanted | Refused:
    if not isinstance(argument, dict) or not isinstance(argument.get("channel"), str):
        return Refused("60013", "Invalid args")
    channel, pair = argument["channel"], argument.get("instId")
    if channel in IGNORED_CHANNELS and path == PUBLIC:
        return Wanted(channel, "", argument)
    if not isinstance(pair, str):
        return Refused("60013", "Invalid args")
    if path == PUBLIC and (channel in BUSINESS_CHANNELS or channel.startswith("candle")):
        return Refused(
            "64001",
            "This channel has been migrated to the '/business' URL. Please subscribe using the new URL.",
        )
    if path == BUSINESS and channel in PUBLIC_CHANNELS | IGNORED_CHANNELS:
        return Refused(
            "64002",
            "This channel is not supported by '/business' URL. Please use '/private' for private channels, "
            "or '/public' for public channels.",
        )
    known = PUBLIC_CHANNELS if path == PUBLIC else BUSINESS_CHANNELS
    if channel not in known or pair not in pairs:
        return Refused("60018", f"Wrong URL or channel:{channel},instId:{pair} doesn't exist.")
    return Wanted(channel, pair, argument)
