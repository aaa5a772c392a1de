"""When something that is looked at every minute deserves an event: the sensors' memory and its two rules.

What belongs here: the cursor and the decisions on change, heartbeat and growth. What does not: what a state
or a counter means (`watch/lag.py`, `watch/checkpoints.py`).

An event costs about 3 KB that nothing ever purges. So a state is reported when it changes and as a slow
heartbeat, and growth at most every few minutes, however often the sensor looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

CURSOR_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an unchanged state is repeated, and how often growth may be reported; in seconds."""

    heartbeat_s: float = 1800.0
    growth_s: float = 600.0


class Reported(msgspec.Struct, frozen=True):
    """The state last reported, and when (seconds since the epoch)."""

    state: str
    at_s: float


class Counted(msgspec.Struct, frozen=True):
    """The counter last reported, and when (seconds since the epoch; 0 if never)."""

    value: int
    at_s: float


class Memory(msgspec.Struct, frozen=True):
    """What a sensor keeps between two ticks, by the name of what it watches."""

    version: int = CURSOR_VERSION
    states: dict[str, Reported] = {}
    counters: dict[str, Counted] = {}


def remember(cursor: str | None) -> Memory:
    """The memory in a cursor. One of another version, or a damaged one, is a fresh start: one more report."""
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


def states_due(
    memory: Memory, states: Mapping[str, str], now_s: float, pace: Pace
) -> tuple[frozenset[str], Memory]:
    """Which states to report now: new ones, changed ones, and those whose heartbeat is due.

    Names that are no longer watched are forgotten.
    """
    due = frozenset(
        name
        for name, state in states.items()
        if (seen := memory.states.get(name)) is None
        or seen.state != state
        or now_s - seen.at_s >= pace.heartbeat_s
    )
    after = {
        name: Reported(state, now_s) if name in due else memory.states[name] for name, state in states.items()
    }
    return due, msgspec.structs.replace(memory, states=after)


def counters_grown(
    memory: Memory, counters: Mapping[str, int], now_s: float, pace: Pace
) -> tuple[frozenset[str], Memory]:
    """Which counters to report now: those that differ from the last report, at most every `growth_s`.

    A counter that went down belongs to something that was made anew, so it counts as growth unless it is
    zero. A counter is first reported when it is above zero. Names no longer watched are forgotten.
    """
    grown: set[str] = set()
    after: dict[str, Counted] = {}
    for name, value in counters.items():
        seen = memory.counters.get(name, Counted(0, 0.0))
        if value > 0 and value != seen.value and now_s - seen.at_s >= pace.growth_s:
            grown.add(name)
            after[name] = Counted(value, now_s)
        else:
            after[name] = seen
    return frozenset(grown), msgspec.structs.replace(memory, counters=after)
