"""The back-end whose processes are containers of a Docker engine.

What belongs here: finding a component's containers by their labels, and asking the engine for their state, a
start or a stop. What does not: making containers. `infra/docker/compose.yaml` makes them, with their limits
and volumes, and this back-end starts and stops those that are there; so there is never a second of a name.

Each container carries `crypto-platform.stack` (which platform), `crypto-platform.component` (one of
`COMPONENTS`) and `crypto-platform.service` (its name). The engine is the one of `DOCKER_HOST`, by default its
socket: who may use that is root on its machine (docs/containers.md).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from crypto_platform.control.backends import POLL_S, Backend
from crypto_platform.control.status import ControlError, State, Status, combine

if TYPE_CHECKING:
    from docker.models.containers import Container

STACK_LABEL: Final = "crypto-platform.stack"
COMPONENT_LABEL: Final = "crypto-platform.component"
SERVICE_LABEL: Final = "crypto-platform.service"
TIMEOUT_S: Final = 5.0
DRAIN_S: Final = 50
"""How long a container may finish what it holds before the engine kills it; within `STOP_TIMEOUT_S`."""
ASKED_TO_END: Final = (0, 128 + 15)
"""Exit codes of a process that ended because of SIGTERM: ours drain and say 0, a JVM says 143."""
KILLED: Final = 128 + 9


@dataclass(frozen=True)
class Contained:
    """The containers of one platform.

    A stop is SIGTERM: the producer and the loader drain, the Flink jobs stop with a savepoint. One that must
    be killed is an error, because then nothing was drained.

    Args:
        stack: value of their label `crypto-platform.stack`.
        elsewhere: asked about a component of which the engine has no container, such as a cloud's warehouse.
    """

    stack: str
    elsewhere: Backend
    managed: bool = True

    def status(self, component: str) -> Status:
        try:
            with self._containers(component) as containers:
                parts = [_status(one.labels[SERVICE_LABEL], one.attrs) for one in containers]
                return combine(component, parts) if parts else self.elsewhere.status(component)
        except ControlError as error:
            return Status(component, "unknown", detail=str(error))

    def start(self, component: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with self._containers(component) as containers:
            if not containers:
                self.elsewhere.start(component, timeout_s)
                return
            for container in containers:
                container.start()
            for container in containers:
                while not _ready(container.attrs):
                    if time.monotonic() > deadline:
                        service = container.labels[SERVICE_LABEL]
                        found = _status(service, container.attrs).detail or "its health check fails"
                        raise ControlError(
                            f"{service} is not ready after {timeout_s:.0f} s: {found}.",
                            f"`docker logs {container.name}` says why.",
                        )
                    time.sleep(POLL_S)
                    container.reload()

    def stop(self, component: str, timeout_s: float) -> None:
        drain_s = int(min(timeout_s, DRAIN_S))
        with self._containers(component, TIMEOUT_S + drain_s) as containers:
            if not containers:
                self.elsewhere.stop(component, timeout_s)
                return
            for container in reversed(containers):
                running = container.attrs["State"]["Running"]
                container.stop(timeout=drain_s)
                container.reload()
                if running and container.attrs["State"]["ExitCode"] == KILLED:
                    raise ControlError(
                        f"{container.labels[SERVICE_LABEL]} had not ended after {drain_s} s and was killed.",
                        f"`docker logs {container.name}` says what it was doing.",
                    )

    @contextmanager
    def _containers(self, component: str, timeout_s: float = TIMEOUT_S) -> Iterator[list[Container]]:
        """Those of the component, by name. Raises ControlError, also for what the engine says meanwhile."""
        import docker
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        labels = [f"{STACK_LABEL}={self.stack}", f"{COMPONENT_LABEL}={component}"]
        try:
            with closing(docker.from_env(timeout=timeout_s)) as client:
                found = client.containers.list(all=True, filters={"label": labels})
                counts = Counter(str(one.labels[SERVICE_LABEL]) for one in found)
                if twice := [name for name, count in counts.items() if count > 1]:
                    raise ControlError(
                        f"There are several containers of {', '.join(sorted(twice))}.",
                        "Remove all but one: two would read or write the same thing.",
                    )
                yield sorted(found, key=lambda one: str(one.labels[SERVICE_LABEL]))
        except (DockerException, RequestException) as error:
            raise ControlError(
                f"The Docker engine does not do it: {error}", "Look at DOCKER_HOST and the engine's log."
            ) from error


def _health(attributes: Mapping[str, Any]) -> str:
    """What its health check says; empty without one."""
    return str((attributes["State"].get("Health") or {}).get("Status", ""))


def _ready(attributes: Mapping[str, Any]) -> bool:
    """Whether it runs and its health check, if it has one, agrees."""
    running = _status("", attributes).state == "running"
    return running and _health(attributes) in ("", "none", "healthy")


def _status(service: str, attributes: Mapping[str, Any]) -> Status:
    """What the engine's description of a container means.

    One that is unhealthy runs: a restart would not help it, and its own looks say what is wrong.
    The engine does not tell who ended one that has exited. Ours exit with 0 only when asked; and by compose's
    restart policy the engine itself starts again what crashes, so what stays down was stopped or killed.
    """
    found = attributes["State"]
    state: State = "failed"
    if found["Running"] and not found.get("Restarting"):
        state = "starting" if _health(attributes) == "starting" else "running"
    elif found["Status"] == "created" or (
        found["Status"] == "exited" and found["ExitCode"] in ASKED_TO_END and not found.get("OOMKilled")
    ):
        state = "stopped"
    detail = "" if state == "running" else f"{service} is {found['Status']}, exit code {found['ExitCode']}"
    if found.get("OOMKilled"):
        detail += ", out of memory"
    return Status(
        service,
        state,
        incarnation=f"{service}:{attributes['Id'][:12]}@{found['StartedAt']}" if found["Running"] else "",
        since_s=_seconds(found["StartedAt"]) if found["Running"] else 0.0,
        detail=detail,
    )


def _seconds(moment: str) -> float:
    """Unix time of the engine's RFC 3339, whose nanoseconds Python does not read."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
