"""The services of the local stack: command, order, ports and readiness of each, from the settings.

What belongs here: the list, as data. What does not: how a list is started and stopped (`infra.local.stack`),
and each part's own configuration (`infra.local.kafka`, `.flink`, `.dagster`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local import dagster, emulator_readiness, flink, kafka
from infra.local.ports import PortUse, is_open
from streaming.errors import PlatformError
from streaming.kafka import create_topics
from streaming.settings import LOOPBACK, Settings

PROBE_TIMEOUT_S = 3.0
MIGRATION_TIMEOUT_S = 300


class MigrationError(PlatformError):
    """A migration failed; those before it are applied."""


@dataclass(frozen=True, slots=True)
class Service:
    """A supervised process. `ready` is polled; it answers False for «not yet» and never raises."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    after: tuple[str, ...] = ()
    ports: tuple[PortUse, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 15
    ready_within_s: int = 240


@dataclass(frozen=True, slots=True)
class Task:
    """Work that is done once in a start, between services: topics, migrations."""

    name: str
    run: Callable[[], object]
    after: tuple[str, ...] = ()


Step = Service | Task


def _http_ready(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return httpx.get(url, timeout=PROBE_TIMEOUT_S).status_code == 200
        except httpx.HTTPError:
            return False

    return ready


def _broker_ready(settings: Settings, broker: int) -> Callable[[], bool]:
    port = settings.ports.kafka[broker - 1]

    def ready() -> bool:
        if not is_open(port):
            return False
        client = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0})
        try:
            return broker in client.list_topics(timeout=PROBE_TIMEOUT_S).brokers
        except KafkaException:
            return False

    return ready


def _taskmanagers_ready(settings: Settings, count: int) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            answer = httpx.get(f"{settings.flink_url}/overview", timeout=PROBE_TIMEOUT_S)
            return answer.status_code == 200 and int(answer.json()["taskmanagers"]) >= count
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    return ready


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _kafka(settings: Settings) -> list[Step]:
    ports = settings.ports
    steps: list[Step] = [
        Service(
            name=f"kafka-{broker}",
            command=tuple(kafka.command(settings, broker)),
            ready=_broker_ready(settings, broker),
            ports=(
                PortUse(ports.kafka[broker - 1], f"Kafka broker {broker}"),
                PortUse(ports.kafka_controllers[broker - 1], f"Kafka controller {broker}"),
            ),
            stop_seconds=30,
        )
        for broker in kafka.BROKERS
    ]
    return steps


def _flink(settings: Settings) -> list[Step]:
    ports = settings.ports
    environment = flink.environment(settings)
    jobmanager = Service(
        name="flink-jobmanager",
        command=tuple(flink.jobmanager_command(settings)),
        environment=environment,
        ready=_http_ready(f"{settings.flink_url}/overview"),
        ports=(
            PortUse(ports.flink_rest, "Flink's web page"),
            PortUse(ports.flink_rpc, "Flink's JobManager"),
            PortUse(ports.flink_blob, "Flink's file server"),
        ),
    )
    taskmanagers = [
        Service(
            name=f"flink-taskmanager-{index + 1}",
            command=tuple(flink.taskmanager_command(settings, index)),
            environment=environment,
            ready=_taskmanagers_ready(settings, index + 1),
            after=("flink-jobmanager",),
        )
        for index in flink.TASKMANAGERS
    ]
    return [jobmanager, *taskmanagers]


def catalogue(settings: Settings) -> list[Step]:
    """Every service and task of the stack for these settings, in no particular order.

    Parts that the settings place elsewhere (a Kafka cluster, a Flink cluster, a Snowflake account, the real
    exchange) are left out. `settings.source` is never `auto` here: that has been decided before.
    """
    ports = settings.ports
    steps: list[Step] = []
    brokers: tuple[str, ...] = ()
    if settings.uses_local_kafka:
        steps += _kafka(settings)
        brokers = tuple(f"kafka-{broker}" for broker in kafka.BROKERS)
    steps.append(Task("topics", lambda: create_topics(settings), after=brokers))
    cluster: tuple[str, ...] = ()
    if settings.uses_local_flink:
        steps += _flink(settings)
        cluster = ("flink-taskmanager-1", "flink-taskmanager-2")
    warehouse: tuple[str, ...] = ()
    if settings.uses_emulator:
        steps.append(
            Service(
                name="emulator",
                command=_module("infra.local.emulator"),
                ready=lambda: emulator_readiness.is_ready(settings),
                ports=(PortUse(ports.emulator, "Snowflake emulator"),),
            )
        )
        warehouse = ("emulator",)
    steps.append(Task("migrations", lambda: _migrate(settings), after=warehouse))
    exchange: tuple[str, ...] = ()
    if settings.source == "sim":
        steps.append(
            Service(
                name="simulator",
                command=_module("streaming.simulator"),
                ready=_http_ready(f"{settings.simulator_url}/ready"),
                ports=(PortUse(ports.simulator, "simulated exchange"),),
            )
        )
        exchange = ("simulator",)
    steps += [
        # last: while nothing flows, the others start with the processors to themselves
        *_producers(settings, after=("topics", "flink-jobs", "loader", "dagster-code", *exchange)),
        _worker(
            "flink-jobs", "streaming.flink", ports.metrics_flink_jobs, ("topics", *cluster), stop_seconds=45
        ),
        _worker("loader", "streaming.loader", ports.metrics_loader, ("topics", "migrations")),
        *_dagster(settings),
        Service(
            name="dashboard",
            command=_module("crypto_platform.dashboard"),
            ready=_http_ready(f"http://{LOOPBACK}:{ports.dashboard}/ready"),
            after=("topics", "flink-jobs", "loader", "dagster-code"),  # late, as the producer
            ports=(PortUse(ports.dashboard, "dashboard"),),
        ),
    ]
    return steps


def _producers(settings: Settings, after: tuple[str, ...]) -> list[Service]:
    """A process for each exchange, so that the trouble of one delays no other: `producer` if there is one,
    else `producer-okx` and so on."""
    alone = len(settings.exchanges) == 1
    return [
        _worker(
            "producer" if alone else f"producer-{name}",
            "streaming.producer",
            port,
            after,
            arguments=("--exchange", name),
        )
        for name, port in zip(settings.exchanges, settings.ports.metrics_producers, strict=False)
    ]


def _worker(
    name: str,
    module: str,
    port: int,
    after: tuple[str, ...],
    *,
    stop_seconds: int = 30,
    arguments: tuple[str, ...] = (),
) -> Service:
    return Service(
        name=name,
        command=(*_module(module), *arguments),
        environment={"CRYPTO_METRICS_PORT": str(port)},
        ready=_http_ready(f"http://{LOOPBACK}:{port}/ready"),
        after=after,
        ports=(PortUse(port, f"metrics of the {name}"),),
        stop_seconds=stop_seconds,
    )


def _dagster(settings: Settings) -> list[Step]:
    ports = settings.ports
    environment = dagster.environment(settings)
    return [
        Service(
            name="dagster-code",
            command=tuple(dagster.code_server_command(settings)),
            environment=environment,
            ready=lambda: is_open(ports.dagster_code),
            ports=(PortUse(ports.dagster_code, "Dagster's code server"),),
            after=("migrations",),
        ),
        Service(
            name="dagster-webserver",
            command=tuple(dagster.webserver_command(settings)),
            environment=environment,
            ready=lambda: dagster.health(settings).code_server,
            after=("dagster-code",),
            ports=(PortUse(ports.dagster, "Dagster's web page"),),
        ),
        Service(
            name="dagster-daemon",
            command=tuple(dagster.daemon_command(settings)),
            environment=environment,
            ready=lambda: dagster.health(settings).daemon,
            after=("dagster-code",),
        ),
    ]


def _migrate(settings: Settings) -> None:
    """Bring the schema up to date in a process of its own, whose log stays with the services' logs."""
    log = settings.log_folder.absolute() / "migrations.log"
    environment = os.environ | {
        "CRYPTO_HOME": str(settings.home.absolute()),
        "CRYPTO_SOURCE": settings.source,
        "CRYPTO_PORT_OFFSET": str(settings.port_offset),
    }
    with log.open("wb") as output:
        result = subprocess.run(
            _module("snowflake_sql.deploy"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=MIGRATION_TIMEOUT_S,
            check=False,
        )
    if result.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise MigrationError(
            f"The warehouse's schema could not be brought up to date: {lines[-1] if lines else 'no output'}",
            f"Its log is {log}.",
        )
