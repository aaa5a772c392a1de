"""Who owns the processes of a component: the local supervisor, a Docker engine, or somebody else.

What belongs here: the interface, the supervisor and the others. What does not: containers
(`control/containers.py`), which back-end a component has (`control/managed.py`), whether it should run
(`control/desired.py`).

Another owner of processes is one more class with these four methods and a name in `CRYPTO_CONTROL_BACKEND`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from crypto_platform.control.status import ControlError, NotManagedError, State, Status, combine

if TYPE_CHECKING:
    from infra.local.services import Service
    from infra.local.supervision import ProcessState, Supervisor

POLL_S: Final = 0.5
STATE_OF: Final[Mapping[str, State]] = {
    "RUNNING": "running",
    "STARTING": "starting",
    "BACKOFF": "failed",
    "EXITED": "failed",
    "FATAL": "failed",
    "STOPPED": "stopped",
    "STOPPING": "stopped",
}
"""Supervisor's states (supervisord.org, «Subprocesses», «Process States»). Only a request leads to
STOPPED."""


class Backend(Protocol):
    """What Dagster may ask for. Each call is bounded in time and may be repeated."""

    @property
    def managed(self) -> bool:
        """Whether `start` and `stop` do anything."""

    def status(self, component: str) -> Status:
        """Cheap; an owner that does not answer is the state `unknown`, no error."""

    def start(self, component: str, timeout_s: float) -> None:
        """Start what does not run and return when it is ready. Raises ControlError."""

    def stop(self, component: str, timeout_s: float) -> None:
        """Let it finish what it holds (drain, savepoint) and return when it has ended. Raises
        ControlError.
        """


@dataclass(frozen=True)
class Supervised:
    """The processes of the stack's own supervisor.

    A stop is SIGTERM: the producer and the loader drain, the Flink jobs stop with a savepoint, and only what
    takes longer than its service's `stop_seconds` is killed.

    Args:
        supervisor: of the stack in the data folder.
        services: of each component, in the order of starting.
    """

    supervisor: Supervisor
    services: Mapping[str, Sequence[Service]]
    managed: bool = True

    def status(self, component: str) -> Status:
        from infra.local.supervision import SupervisorError

        try:
            states = self.supervisor.states()
        except SupervisorError as error:
            return Status(component, "unknown", detail=str(error))
        parts = [_status(states.get(service.name), service.name) for service in self.services[component]]
        return combine(component, parts)

    def start(self, component: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for service in self.services[component]:
            self.supervisor.start(service.name)
        for service in self.services[component]:
            while not (self.supervisor.states()[service.name].running and service.ready()):
                if time.monotonic() > deadline:
                    raise ControlError(
                        f"{service.name} is not ready after {timeout_s:.0f} s.",
                        f"`crypto-platform logs {service.name}` says why.",
                    )
                time.sleep(POLL_S)

    def stop(self, component: str, timeout_s: float) -> None:
        for service in reversed(self.services[component]):
            self.supervisor.stop(service.name, timeout_s=max(timeout_s, service.stop_seconds + 15))


def _status(process: ProcessState | None, name: str) -> Status:
    if process is None:
        return Status(name, "unknown", detail=f"The supervisor does not know {name}.")
    state = STATE_OF.get(process.state, "unknown")
    return Status(
        name,
        state,
        incarnation=f"{name}:{process.pid}@{process.since_s}" if process.pid else "",
        since_s=float(process.since_s),
        detail="" if state == "running" else f"{name} is {process.state}: {process.message}",
    )


@dataclass(frozen=True)
class External:
    """A component that others run: it can be asked whether it answers, and that is all.

    Args:
        probes: of each component, whether it answers; raises nothing.
    """

    probes: Mapping[str, Callable[[], bool]]
    managed: bool = False

    def status(self, component: str) -> Status:
        if self.probes[component]():
            return Status(component, "running", incarnation="external", detail="It is managed elsewhere.")
        return Status(component, "failed", detail="It is managed elsewhere and does not answer.")

    def start(self, component: str, timeout_s: float) -> None:
        raise _not_managed(component)

    def stop(self, component: str, timeout_s: float) -> None:
        raise _not_managed(component)


def _not_managed(component: str) -> NotManagedError:
    return NotManagedError(
        f"{component} is managed elsewhere, so it cannot be started or stopped from here.",
        "Use whatever runs it, or let the local supervisor run it (CRYPTO_CONTROL_BACKEND).",
    )
