"""What a component does now.

What belongs here: the value. What does not: asking for it (`control/backends.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from streaming.errors import PlatformError

State = Literal["running", "starting", "failed", "stopped", "unknown"]
"""`stopped`: somebody asked for it. `failed`: it should run and does not. `unknown`: nobody answers who
knows."""

COMPONENTS: Final = ("kafka", "warehouse", "flink_cluster", "flink_jobs", "loader", "producer")
"""What Dagster manages, in the order in which it would start: each needs those before it."""


class ControlError(PlatformError):
    """A component could not be started, stopped or asked."""


class NotManagedError(ControlError):
    """The component runs elsewhere: Dagster may look at it and not touch it."""


@dataclass(frozen=True, slots=True)
class Status:
    """One component at one moment.

    `incarnation` names this life of it and is another after any restart; empty when it does not run.
    `since_s` is Unix time, 0 when unknown.
    """

    component: str
    state: State
    incarnation: str = ""
    since_s: float = 0.0
    detail: str = ""

    @property
    def running(self) -> bool:
        return self.state == "running"


def combine(component: str, parts: list[Status]) -> Status:
    """The status of a component that consists of several processes: the worst of them counts."""
    if not parts:
        return Status(component, "unknown", detail="It has no process here.")
    order: tuple[State, ...] = ("failed", "unknown", "stopped", "starting", "running")
    worst = min(parts, key=lambda part: order.index(part.state))
    lives = sorted(part.incarnation for part in parts if part.incarnation)
    return Status(
        component,
        worst.state,
        incarnation=" ".join(lives) if worst.state == "running" else "",
        since_s=max(part.since_s for part in parts),
        detail="; ".join(part.detail for part in parts if part.detail),
    )
