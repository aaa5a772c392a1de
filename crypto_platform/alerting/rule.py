"""The rule: a condition fires once when it begins and clears once when it is over.

What belongs here: the decision, as pure functions over the conditions that hold now. What does not: finding
conditions (`alerting/conditions.py`), telling somebody (`alerting/channels.py`).

A condition is known by its fingerprint. One that comes back within `QUIET_S` of its last firing is kept in
the history and told to nobody, so that a flapping part sends two messages an hour at most; and at most
`BURST` messages go out at one look, with a last one that counts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

CURSOR_VERSION: Final = 1
QUIET_S: Final = 1800.0
BURST: Final = 20
UNSENT_KEPT: Final = 200
"""Messages a channel that does not answer may owe; older ones are dropped, the history has them."""

Kind = Literal["run", "check", "freshness"]
Severity = Literal["error", "warning"]


class Condition(msgspec.Struct, frozen=True):
    """Something that is wrong now. `fingerprint` is the same as long as it is the same trouble."""

    fingerprint: str
    kind: Kind
    severity: Severity
    subject: str
    summary: str


class Firing(msgspec.Struct, frozen=True):
    """A condition that has fired; times are Unix time, `cleared_at_s` 0 while it lasts."""

    condition: Condition
    fired_at_s: float
    sent: bool = True
    cleared_at_s: float = 0.0


class Message(msgspec.Struct, frozen=True):
    """What a channel is told: that a firing began or is over."""

    firing: Firing
    text: str


class Memory(msgspec.Struct, frozen=True):
    """What the alert sensor keeps between two ticks: firings that last, when each fingerprint was last told,
    what each channel has not taken yet, and what the history table lacks."""

    version: int = CURSOR_VERSION
    lasting: dict[str, Firing] = {}
    told_at_s: dict[str, float] = {}
    unsent: dict[str, tuple[Message, ...]] = {}
    unwritten: tuple[Firing, ...] = ()


def remember(cursor: str | None) -> Memory:
    """The memory in a cursor; one that cannot be read is a fresh start: what lasts fires once more."""
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


def judge(
    memory: Memory, conditions: Sequence[Condition], channels: Sequence[str], now_s: float
) -> tuple[list[Firing], Memory]:
    """The firings that changed at this look, and the memory with what the channels have to be told."""
    holding = {one.fingerprint: one for one in conditions}
    told = {name: at_s for name, at_s in memory.told_at_s.items() if now_s - at_s < QUIET_S}
    lasting = dict(memory.lasting)
    changed: list[Firing] = []
    for fingerprint, condition in holding.items():
        if fingerprint in lasting:
            continue
        firing = Firing(condition, now_s, sent=fingerprint not in told)
        if firing.sent:
            told[fingerprint] = now_s
        lasting[fingerprint] = firing
        changed.append(firing)
    for fingerprint in [name for name in lasting if name not in holding]:
        changed.append(msgspec.structs.replace(lasting.pop(fingerprint), cleared_at_s=now_s))
    messages = _messages(changed)
    unsent = {channel: (*memory.unsent.get(channel, ()), *messages)[-UNSENT_KEPT:] for channel in channels}
    return changed, Memory(
        lasting=lasting,
        told_at_s=told,
        unsent={channel: waiting for channel, waiting in unsent.items() if waiting},
        unwritten=(*memory.unwritten, *changed)[-UNSENT_KEPT:],
    )


def _messages(changed: Sequence[Firing]) -> tuple[Message, ...]:
    due = [firing for firing in changed if firing.sent]
    told = [Message(firing, text_of(firing)) for firing in due[:BURST]]
    if len(due) > BURST:
        told.append(Message(due[BURST], f"… and {len(due) - BURST} more, see OPS.ALERTS."))
    return tuple(told)


def text_of(firing: Firing) -> str:
    """The line that people read."""
    word = "CLEARED" if firing.cleared_at_s else firing.condition.severity.upper()
    return f"{word} {firing.condition.subject}: {firing.condition.summary}"
