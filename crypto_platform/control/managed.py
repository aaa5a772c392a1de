"""The resource that every managed component is: status, start, stop, restart.

What belongs here: the base class and the choice of the back-end. What does not: what else a component can be
asked (`defs/<domain>/resources.py`).

A resource holds no process and opens nothing: making one, or ending the run that uses it, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final

import dagster as dg

from crypto_platform.control.backends import Backend, External, Supervised
from crypto_platform.control.containers import Contained
from crypto_platform.control.status import Status
from streaming import settings as platform_settings
from streaming.settings import Settings

START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 60.0
PROBE_TIMEOUT_S: Final = 3.0


class ManagedResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One component of `crypto_platform.control.status.COMPONENTS`."""

    component: ClassVar[str]

    def backend(self) -> Backend:
        """Who owns its processes, by the platform's settings."""
        return backend_of(self.component, platform_settings.load())

    def status(self) -> Status:
        """What it does now; never raises."""
        return self.backend().status(self.component)

    def start(self, timeout_s: float = START_TIMEOUT_S) -> Status:
        """Start it and return when it is ready; nothing happens to what runs. Raises ControlError."""
        self.backend().start(self.component, timeout_s)
        return self.status()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> Status:
        """Stop it in good order: drained, with a savepoint. Raises ControlError."""
        self.backend().stop(self.component, timeout_s)
        return self.status()

    def restart(self) -> Status:
        """Stop and start. Raises ControlError."""
        self.stop()
        return self.start()

    def recover(self) -> Status:
        """Bring back what runs and does not work. Raises ControlError."""
        return self.restart()

    def wedged(self, now_s: float) -> str:
        """Why it must be recovered although it runs; empty when it need not."""
        return ""


class ProducerResource(ManagedResource):
    """The producers, one process for each exchange."""

    component: ClassVar[str] = "producer"

    def answers(self) -> dict[str, dict[str, Any] | None]:
        """What each producer's `/ready` says, by its exchange; None where none answers."""
        settings = platform_settings.load()
        ports = zip(settings.exchanges, settings.ports.metrics_producers, strict=False)
        return {name: _readiness(settings.host("producer"), port) for name, port in ports}


class FlinkClusterResource(ManagedResource):
    """The JobManager and the TaskManagers, in which the jobs run."""

    component: ClassVar[str] = "flink_cluster"


class LoaderResource(ManagedResource):
    """The loader."""

    component: ClassVar[str] = "loader"


def backend_of(component: str, settings: Settings) -> Backend:
    """The owner of the component's processes; external for what the settings place elsewhere."""
    if settings.control_backend == "docker":
        return Contained(settings.docker_stack, External(_probes(settings)))
    if settings.control_backend == "external" or not _is_local(component, settings):
        return External(_probes(settings))
    return supervised(settings)


def _is_local(component: str, settings: Settings) -> bool:
    if component == "kafka":
        return settings.uses_local_kafka
    if component == "flink_cluster":
        return settings.uses_local_flink
    return settings.uses_emulator if component == "warehouse" else True


@cache
def supervised(settings: Settings) -> Supervised:
    """The local supervisor and the services of each component."""
    from infra.local.services import Service, catalogue
    from infra.local.supervision import Supervisor

    decided = settings.model_copy(update={"source": "okx"}) if settings.source == "auto" else settings
    services = [step for step in catalogue(decided) if isinstance(step, Service)]

    def named(prefix: str) -> list[Service]:
        return sorted((one for one in services if one.name.startswith(prefix)), key=lambda one: one.name)

    return Supervised(
        Supervisor(settings.home),
        {
            "kafka": named("kafka-"),
            "warehouse": named("emulator"),
            "flink_cluster": [*named("flink-jobmanager"), *named("flink-taskmanager")],
            "flink_jobs": named("flink-jobs"),
            "loader": named("loader"),
            "producer": named("producer"),
        },
    )


def _probes(settings: Settings) -> Mapping[str, Callable[[], bool]]:
    ports = settings.ports
    producers = ports.metrics_producers[: len(settings.exchanges)]

    def is_ready(service: str, port: int) -> bool:
        return _answers(f"http://{settings.host(service)}:{port}/ready")

    return {
        "kafka": lambda: _kafka_answers(settings),
        "warehouse": lambda: _warehouse_answers(settings),
        "flink_cluster": lambda: _answers(f"{settings.flink_url}/overview"),
        "flink_jobs": lambda: is_ready("flink-jobs", ports.metrics_flink_jobs),
        "loader": lambda: is_ready("loader", ports.metrics_loader),
        "producer": lambda: all(is_ready("producer", port) for port in producers),
    }


def _readiness(host: str, port: int) -> dict[str, Any] | None:
    import httpx

    try:
        url = f"http://{host}:{port}/ready"
        found: dict[str, Any] = httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return found


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _kafka_answers(settings: Settings) -> bool:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        client = AdminClient(settings.kafka_client_config() | {"log_level": 0})
        return bool(client.list_topics(timeout=PROBE_TIMEOUT_S).brokers)
    except KafkaException:
        return False


def _warehouse_answers(settings: Settings) -> bool:
    from streaming import warehouse
    from streaming.errors import ServiceUnavailableError

    try:
        with warehouse.connect(settings) as connection:
            return bool(warehouse.rows(connection, "SELECT 1"))
    except ServiceUnavailableError:
        return False
