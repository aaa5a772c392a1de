"""The rule: what follows from what should run and what does.

What belongs here: the decision about one component, as a pure function. What does not: asking
(`control/backends.py`), requesting runs (`defs/control/sensors.py`), the repair itself (`control/repair.py`).

Level-triggered: each look starts from what is. An episode begins when a component leaves the life in which it
was well, and ends when it has been well, unchanged, for `SETTLED_S`. Within an episode repairs are bounded by
`control/backoff.py`, so neither a process that never starts nor one that crashes every second causes a storm.

A process that its supervisor has restarted already is an episode too: its one repair run finds that all is
well, and is the record of the crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from crypto_platform.control.backoff import attempts_due
from crypto_platform.control.desired import Desired
from crypto_platform.control.status import Status

CURSOR_VERSION: Final = 1
SETTLED_S: Final = 120.0
HOPELESS_ATTEMPTS: Final = 4
"""So many repairs in one episode have not helped: somebody has to look."""


class Episode(msgspec.Struct, frozen=True):
    """One stretch of trouble; times are Unix time. `well_since_s` is 0 while it lasts."""

    since_s: float
    attempts: int
    reason: str
    well_since_s: float = 0.0


class Known(msgspec.Struct, frozen=True):
    """What is remembered of a component: the life in which it was last well, and its episode."""

    incarnation: str = ""
    episode: Episode | None = None


class Memory(msgspec.Struct, frozen=True):
    """What the reconcile sensor keeps between two ticks."""

    version: int = CURSOR_VERSION
    components: dict[str, Known] = {}


def remember(cursor: str | None) -> Memory:
    """The memory in a cursor; one that cannot be read is a fresh start."""
    if not cursor:
        return Memory()
    try:
        memory = msgspec.json.decode(cursor, type=Memory)
    except msgspec.DecodeError:
        return Memory()
    return memory if memory.version == CURSOR_VERSION else Memory()


def write_cursor(memory: Memory) -> str:
    """The memory as a cursor."""
    return msgspec.json.encode(memory).decode()


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair run to request: equal keys are the same request."""

    component: str
    key: str
    reason: str
    attempt: int


def decide(
    desired: Desired, status: Status, wedged: str, known: Known, now_s: float
) -> tuple[Repair | None, Known]:
    """What to do about a component, and what to remember.

    Args:
        desired: what it should do.
        status: what it does.
        wedged: why it must be restarted although it runs; empty when it need not.
        known: what was remembered at the look before.
        now_s: Unix time.
    """
    if status.state in ("unknown", "starting"):
        return None, known
    if desired.wish == "stopped":
        if status.state != "running":
            return None, Known()
        return _trouble(status.component, "It runs although it should be stopped.", known, now_s)
    if status.state == "stopped":
        # Only a request stops a process, so a person has done it: with the command, or the whole platform is
        # about to end. That is respected.
        return None, Known()
    if status.state == "failed":
        return _trouble(status.component, status.detail or "It does not run.", known, now_s)
    if wedged:
        return _trouble(status.component, wedged, known, now_s)
    same = status.incarnation == known.incarnation or not known.incarnation
    if same or status.incarnation in desired.lives:
        return None, _well(status, known, now_s)
    repair, after = _trouble(status.component, "It has been restarted without being asked.", known, now_s)
    return repair, _well(status, after, now_s)


def _trouble(component: str, reason: str, known: Known, now_s: float) -> tuple[Repair | None, Known]:
    episode = known.episode or Episode(now_s, 0, reason)
    due = attempts_due(now_s - episode.since_s)
    if due <= episode.attempts:
        return None, Known(known.incarnation, msgspec.structs.replace(episode, well_since_s=0.0))
    after = Episode(episode.since_s, due, reason)
    key = f"repair {component} {episode.since_s:.0f} {due}"
    return Repair(component, key, reason, due), Known(known.incarnation, after)


def _well(status: Status, known: Known, now_s: float) -> Known:
    episode = known.episode
    if episode is None:
        return Known(status.incarnation)
    if status.incarnation != known.incarnation or not episode.well_since_s:
        return Known(status.incarnation, msgspec.structs.replace(episode, well_since_s=now_s))
    ended = now_s - episode.well_since_s >= SETTLED_S
    return Known(status.incarnation, None if ended else episode)


def hopeless(known: Known) -> bool:
    """Whether repairs do not help: many in an episode that still lasts."""
    episode = known.episode
    return episode is not None and not episode.well_since_s and episode.attempts >= HOPELESS_ATTEMPTS
