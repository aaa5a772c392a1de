"""The repair of one component: looks again, and does the least that helps.

What belongs here: the choice between doing nothing, starting, recovering and stopping. What does not: when a
repair is requested (`control/reconcile.py`), its run (`defs/control/jobs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from crypto_platform.control.desired import Wish
from crypto_platform.control.status import Status

Action = Literal["none", "start", "recover", "stop"]


class Repairable(Protocol):
    """What a repair needs of a component."""

    def status(self) -> Status: ...
    def start(self) -> Status: ...
    def stop(self) -> Status: ...
    def recover(self) -> Status: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done and what came of it."""

    action: Action
    before: Status
    after: Status


def choose(wish: Wish, status: Status, *, recover: bool) -> Action:
    """What a repair does, from the state it finds itself; the one that led to the request may be over."""
    if wish == "stopped":
        return "stop" if status.running else "none"
    if status.state in ("failed", "starting"):
        # A start waits until it is ready, which is all that something needs that is just starting.
        return "start"
    return "recover" if recover and status.running else "none"


def carry_out(component: Repairable, wish: Wish, *, recover: bool) -> Outcome:
    """Look, act, and say what came of it.

    Args:
        component: what to repair.
        wish: what it should do.
        recover: whether it is wedged, so that running is not enough.

    Raises:
        ControlError: it could not be done.
    """
    before = component.status()
    action = choose(wish, before, recover=recover)
    steps = {
        "none": component.status,
        "start": component.start,
        "recover": component.recover,
        "stop": component.stop,
    }
    return Outcome(action, before, steps[action]())
