"""The platform in containers of a real engine: the image, the stream, Dagster's runs, and what heals.

Kafka, Flink, the emulator and the simulated exchange are those of one machine; producer, loader and Dagster
are containers on the host's network, with all that compose bounds them by. `make test-docker` runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from docker.models.containers import Container

from crypto_platform import catalog
from crypto_platform.control.backends import External
from crypto_platform.control.containers import Contained
from crypto_platform.control.status import ControlError
from infra.docker import secrets as platform_secrets
from infra.local import jars
from infra.local.ports import is_free, is_open
from infra.local.services import catalogue
from infra.local.stack import Stack, write_configurations
from tests import compose_file
from tests.integration import docker_engine
from tests.integration.dagster_client import LOCATION, Dagster
from tests.integration.docker_engine import IMAGE, Engine
from tests.integration.platform_process import Platform, prepare

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]

OFFSET = 6_300
STACK = "crypto-test"
IN_CONTAINERS = ("producer", "loader", "dashboard", "dagster-code", "dagster-webserver", "dagster-daemon")
SERVICES = compose_file.services()
POSTGRES_PORT = 5432
PLATFORM_USER = platform_secrets.PLATFORM_USER

WRITES = """
import os
print(os.getuid(), os.getgid())
try:
    open("/tmp/written", "w")
except OSError as error:
    print(error.strerror)
"""

_EVENTS = """
query ($id: ID!) { logsForRun(runId: $id, limit: 1000) { ... on EventConnection {
  events { __typename ... on MessageEvent { message stepKey } } } } }
"""


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What was measured; printed, and written where `--docker-report` says."""
    found: dict[str, Any] = {}
    yield found
    text = json.dumps(found, indent=2)
    print(text)  # noqa: T201 - the figures are the answer of `make test-docker`
    report: Path | None = request.config.getoption("--docker-report")
    if report is not None:
        report.write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, figures: dict[str, Any]) -> Iterator[Path]:
    """Where the engine keeps everything; nothing of it may be left."""
    made = tmp_path_factory.mktemp("docker")
    yield made
    figures["left_after"] = docker_engine.left_of(made)
    assert figures["left_after"] == []


@pytest.fixture(scope="module")
def engine(folder: Path, figures: dict[str, Any]) -> Iterator[Engine]:
    with docker_engine.running(folder / "engine") as started:
        figures["engine"] = f"{started.client.version()['Version']}, {started.storage_driver}"
        yield started


@pytest.fixture(scope="module")
def image(engine: Engine, folder: Path, figures: dict[str, Any]) -> Any:
    docker_engine.import_base(engine)
    made, seconds = docker_engine.build(engine, folder / "context")
    shutil.rmtree(folder / "context")
    size = made.attrs["Size"]
    base = engine.client.images.get(docker_engine.BASE).attrs["Size"]
    figures |= {
        "image_mb": round(size / 1e6),
        "image_without_base_mb": round((size - base) / 1e6),
        "build_seconds": round(seconds),
    }
    return made


@pytest.fixture(scope="module")
def platform(image: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything that is no container here, on one machine."""
    made = prepare(tmp_path_factory.mktemp("host") / "home", OFFSET, CRYPTO_SIM_TRADES_PER_SECOND="100")
    jars.fetch(made.settings.home)
    write_configurations(made.settings)
    stack = Stack(made.settings, [s for s in catalogue(made.settings) if s.name not in IN_CONTAINERS])
    try:
        stack.up()
        yield made
    finally:
        stack.down()


def environment(name: str, platform: Platform, **more: str) -> dict[str, str]:
    """What compose gives a service, with this test's places."""
    given = compose_file.environment(SERVICES[name])
    places = {
        "CRYPTO_HOSTS": "",
        "CRYPTO_LISTEN": "127.0.0.1",
        "CRYPTO_SOURCE": "sim",
        "CRYPTO_PORT_OFFSET": str(OFFSET),
        "KAFKA_BOOTSTRAP_SERVERS": platform.settings.bootstrap_servers,
    }
    if port := given.get("CRYPTO_METRICS_PORT"):
        places["CRYPTO_METRICS_PORT"] = str(int(port) + OFFSET)
    return given | places | more


def start(engine: Engine, name: str, platform: Platform, **more: Any) -> Container:
    """A service of compose as a container."""
    options = {"volumes": [f"{STACK}-{name}:/data"], "labels": labels(name)} | more
    ports = {f":{port}/": f":{port + OFFSET}/" for port in (9100, 9101)}
    return docker_engine.container(
        engine, f"{STACK}-{name}", SERVICES[name], environment(name, platform), ports, **options
    )


def labels(name: str) -> dict[str, str]:
    return SERVICES[name]["labels"] | {"crypto-platform.stack": STACK}


@pytest.fixture(scope="module")
def stream(engine: Engine, platform: Platform) -> dict[str, Container]:
    """The loader and the producer."""
    return {name: start(engine, name, platform) for name in ("loader", "producer")}


@pytest.fixture
def backend(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Contained:
    """The back-end over this engine."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    return Contained(STACK, External({"kafka": lambda: True}))


@pytest.fixture(autouse=True)
def all_run(backend: Contained, stream: dict[str, Container]) -> None:
    for component in stream:
        backend.start(component, 120)


def await_that(what: str, condition: Callable[[], bool], timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.5)


def loaded(platform: Platform) -> int:
    return int(platform.rows("SELECT COUNT(*) FROM RAW.TRADES")[0][0])


def audit(platform: Platform) -> Any:
    """The audit's answer when every trade is there once; bars of late trades Dagster corrects later."""
    found: list[Any] = []

    def is_clean() -> bool:
        code, answer = platform.json("audit", "--wait", "15", timeout_s=120)
        found[:] = [answer]
        return code == 0 or not any(pair["lost"] or pair["duplicated"] for pair in answer["pairs"])

    await_that("an audit that finds every trade once", is_clean, 120)
    return found[0]


def test_the_image_has_a_user_of_its_own_and_works_with_a_root_it_cannot_write(
    engine: Engine, image: Any, figures: dict[str, Any]
) -> None:
    assert image.attrs["Config"]["User"] == "10001:10001"
    said = engine.client.containers.run(
        IMAGE, ["python", "-c", WRITES], network_mode="none", read_only=True, remove=True
    ).decode()
    who, why = said.splitlines()
    assert who == f"{PLATFORM_USER} {PLATFORM_USER}"
    assert why == "Read-only file system"
    figures["user"] = who
    verified = engine.client.containers.run(
        IMAGE,
        ["python", "-m", "infra.local.jars", "verify", "/opt/java/jars", "flink"],
        network_mode="none",
        remove=True,
    )
    assert b"1 are as locked" in verified
    history = json.dumps(engine.client.api.history(IMAGE))
    assert "PASSWORD" not in history


@pytest.mark.parametrize("name", ["topics", "warehouse-migrate"])
def test_what_runs_once_ends_well(engine: Engine, platform: Platform, name: str) -> None:
    once = docker_engine.container(
        engine,
        f"{STACK}-{name}",
        SERVICES[name],
        environment(name, platform),
        {},
        volumes=[f"{STACK}-{name}:/data"],
    )
    assert once.wait(timeout=120)["StatusCode"] == 0, once.logs().decode()


def test_each_secret_is_for_its_one_user_and_keeps_its_value(engine: Engine, image: Any) -> None:
    service = SERVICES["secrets"]
    volume = f"{STACK}-secrets:/run/platform-secrets"

    def run(user: str, script: str) -> str:
        said: bytes = engine.client.containers.run(
            IMAGE,
            ["sh", "-c", f"{script} 2>&1 || true"],
            user=user,
            volumes=[volume],
            network_mode="none",
            remove=True,
        )
        return said.decode()

    for name in ("secrets-first", "secrets-again"):
        made = docker_engine.container(
            engine,
            f"{STACK}-{name}",
            service,
            {},
            {},
            volumes=[volume],
            network_mode="none",
            user=service["user"],
            cap_add=service["cap_add"],
        )
        assert made.wait(timeout=60)["StatusCode"] == 0, made.logs().decode()
    assert b"nothing, all were there" in made.logs()
    pgpass = run(f"{PLATFORM_USER}", "cat /run/platform-secrets/pgpass")
    password = run(f"{platform_secrets.POSTGRES_USER}", "cat /run/platform-secrets/postgres_password")
    assert pgpass == f"*:*:*:*:{password}\n"
    assert "Permission denied" in run(f"{PLATFORM_USER}", "cat /run/platform-secrets/postgres_password")
    assert "Permission denied" in run("4711", "cat /run/platform-secrets/pgpass")


def test_producer_and_loader_in_containers_bring_every_trade_once(
    platform: Platform, stream: dict[str, Container], figures: dict[str, Any]
) -> None:
    await_that("five thousand trades are in the warehouse", lambda: loaded(platform) > 5_000, 120)
    answer = audit(platform)
    assert answer["clean"], answer
    assert {pair["pair"] for pair in answer["pairs"]} == set(platform.settings.partitions)
    figures["audit"] = {
        "clean": answer["clean"],
        "expected": sum(pair["expected"] for pair in answer["pairs"]),
        "lost": sum(pair["lost"] for pair in answer["pairs"]),
        "duplicated": sum(pair["duplicated"] for pair in answer["pairs"]),
    }
    for container in stream.values():
        process = psutil.Process(container.client.api.inspect_container(container.id)["State"]["Pid"])
        assert {uid for one in (process, *process.children()) for uid in one.uids()} == {PLATFORM_USER}


def test_a_stop_drains_stays_stopped_and_a_start_makes_no_second_container(
    engine: Engine, backend: Contained, platform: Platform
) -> None:
    before = backend.status("loader")
    assert before.running
    backend.stop("loader", 50)
    stopped = backend.status("loader")
    assert (stopped.state, stopped.incarnation) == ("stopped", "")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: backend.start("loader", 60), range(2)))
    assert backend.status("loader").running
    assert backend.status("loader").incarnation != before.incarnation
    filters = {"label": "crypto-platform.service=loader"}
    assert len(engine.client.containers.list(all=True, filters=filters)) == 1


def test_two_containers_of_a_name_are_refused(engine: Engine, backend: Contained) -> None:
    second = engine.client.containers.create(IMAGE, ["true"], labels=labels("loader"), network_mode="none")
    try:
        with pytest.raises(ControlError, match="several containers of loader"):
            backend.start("loader", 5)
        assert backend.status("loader").state == "unknown"
    finally:
        second.remove()
    assert backend.status("loader").running


def test_a_component_without_containers_is_somebody_elses(backend: Contained) -> None:
    assert backend.status("kafka").incarnation == "external"


def test_what_crashes_the_engine_starts_again_in_another_life(
    backend: Contained, stream: dict[str, Container], platform: Platform, figures: dict[str, Any]
) -> None:
    before = backend.status("producer")
    assert before.running
    begun_s = time.monotonic()
    psutil.Process(
        stream["producer"].client.api.inspect_container(stream["producer"].id)["State"]["Pid"]
    ).kill()

    def lives_again() -> bool:
        now = backend.status("producer")
        return now.running and now.incarnation != before.incarnation

    await_that("another life of the producer", lives_again, 120)
    figures["crash_healed_by_engine_s"] = round(time.monotonic() - begun_s, 1)
    answer = audit(platform)
    assert sum(pair["lost"] + pair["duplicated"] for pair in answer["pairs"]) == 0, answer


# ---- Dagster


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Debian's PostgreSQL where the production instance looks for it; the folder holds its pgpass."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if not is_free(POSTGRES_PORT):
        pytest.skip(f"port {POSTGRES_PORT} is taken")
    binaries = found[-1].parent
    place = tmp_path_factory.mktemp("postgres")
    secrets_folder = place / "secrets"
    secrets_folder.mkdir()
    for parent in (place, place.parent, place.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    user = "postgres"
    platform_secrets.prepare(secrets_folder)
    password = place / "password"
    platform_secrets.write(password, (secrets_folder / "postgres_password").read_text(), 0)
    shutil.chown(password, user)
    data = place / "data"
    data.mkdir()
    shutil.chown(data, user)
    subprocess.run(
        [
            binaries / "initdb",
            "--pgdata",
            data,
            "--username=dagster",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
        ],
        user=user,
        cwd=place,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(POSTGRES_PORT), "-h", "127.0.0.1", "-k", data],
            user=user,
            cwd=place,
            stdout=log,
            stderr=log,
        )
    try:
        asked = [binaries / "pg_isready", "--quiet", "--host=127.0.0.1"]
        await_that("PostgreSQL accepts", lambda: subprocess.run(asked, check=False).returncode == 0, 30)
        client = {"PATH": os.environ["PATH"], "PGPASSFILE": str(secrets_folder / "pgpass")}
        subprocess.run(
            [
                "psql",
                "--host=127.0.0.1",
                "--username=dagster",
                "--command=CREATE DATABASE dagster",
                "postgres",
            ],
            env=client,
            capture_output=True,
            timeout=30,
            check=True,
        )
        yield secrets_folder
    finally:
        server.send_signal(2)  # fast shutdown
        server.wait(30)


@pytest.fixture(scope="module")
def dagster(
    engine: Engine,
    platform: Platform,
    postgres: Path,
    stream: dict[str, Container],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dagster]:
    """Code server, webserver and daemon as containers; runs and steps are containers too."""
    ports = platform.settings.ports
    workspace = tmp_path_factory.mktemp("workspace") / "workspace.yaml"
    location = {"host": "127.0.0.1", "port": ports.dagster_code, "location_name": "crypto_platform"}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
    for parent in (workspace.parent, workspace.parent.parent, workspace.parent.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o055)
    volumes = [
        f"{STACK}-dagster:/data",
        f"{postgres}:/run/platform-secrets:ro",
        f"{engine.socket}:/var/run/docker.sock",
    ]
    context = {"container_kwargs": {"volumes": volumes, "group_add": [str(engine.group)]}}
    more = {
        "DAGSTER_POSTGRES_HOST": "127.0.0.1",
        "DAGSTER_DOCKER_NETWORK": "host",
        "DAGSTER_CURRENT_IMAGE": IMAGE,
        "DAGSTER_CONTAINER_CONTEXT": json.dumps({"docker": context}),
        "CRYPTO_DOCKER_STACK": STACK,
    }
    moved = {
        "=4000": f"={ports.dagster_code}",
        ":4000": f":{ports.dagster_code}",
        "=3000": f"={ports.dagster}",
        ":3000": f":{ports.dagster}",
        "=0.0.0.0": "=127.0.0.1",
    }

    def run(name: str) -> Container:
        mounted = [*volumes, f"{workspace}:/opt/dagster/workspace.yaml:ro"]
        return docker_engine.container(
            engine,
            f"{STACK}-{name}",
            SERVICES[name],
            environment(name, platform, **more),
            moved,
            volumes=mounted,
            group_add=[str(engine.group)],
        )

    migrated = run("dagster-migrate")
    assert migrated.wait(timeout=120)["StatusCode"] == 0, migrated.logs().decode()[-2000:]
    services = [run("dagster-code")]
    await_that("the code server listens", lambda: is_open(ports.dagster_code))
    services += [run("dagster-webserver"), run("dagster-daemon")]
    found = Dagster(f"http://127.0.0.1:{ports.dagster}")
    await_that("the webserver listens", lambda: is_open(ports.dagster))
    yield found
    for service in reversed(services):
        service.stop(timeout=30)
        assert service.wait(timeout=5)["StatusCode"] in (0, 143), service.logs().decode()[-2000:]


def messages(dagster: Dagster, run_id: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = dagster.ask(_EVENTS, id=run_id)["logsForRun"]["events"]
    return events


def run_of(dagster: Dagster, run_id: str, timeout_s: float = 240) -> str:
    status = dagster.wait_for(run_id, timeout_s)
    assert status == "SUCCESS", [event["message"] for event in messages(dagster, run_id)][-12:]
    return status


def test_a_run_is_a_container_that_starts_a_component_and_is_gone_afterwards(
    engine: Engine, dagster: Dagster, backend: Contained, figures: dict[str, Any]
) -> None:
    backend.stop("loader", 50)
    run_id = dagster.launch("start_loader_job")
    run_of(dagster, run_id)
    assert backend.status("loader").running
    (run,) = dagster.runs(runIds=[run_id])
    assert run.tags["dagster/image"] == IMAGE
    said = [event["message"] for event in messages(dagster, run_id)]
    assert any(f"Launching run in a new container {run.tags['docker/container_id']}" in line for line in said)
    await_that(
        "the run's container is gone",
        lambda: not engine.client.containers.list(all=True, filters={"label": f"dagster/run_id={run_id}"}),
        30,
    )
    figures["run_by_docker_run_launcher"] = {"job": run.job, "id": run_id, "status": run.status}


def test_a_step_of_the_back_fill_has_a_container_of_its_own(
    engine: Engine, dagster: Dagster, figures: dict[str, Any]
) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    params = {
        "selector": LOCATION
        | {
            "pipelineName": "back_fill_days_job",
            "assetSelection": [{"path": list(catalog.table_key("MARKET.BARS_1D").path)}],
            "assetCheckSelection": [],
        },
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": yesterday}]},
    }
    mutation = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
        __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
    launched = dagster.ask(mutation, params=params)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = str(launched["run"]["runId"])
    run_of(dagster, run_id)
    (run,) = dagster.runs(runIds=[run_id])
    started = [
        event
        for event in messages(dagster, run_id)
        if "Launching step in Docker container" in event["message"]
    ]
    assert len(started) == 1, [event["message"] for event in messages(dagster, run_id)]
    await_that(
        "no container of a step is left",
        lambda: (
            not [c for c in engine.client.containers.list(all=True) if c.name.startswith("dagster-step-")]
        ),
        30,
    )
    figures["step_by_docker_executor"] = {
        "job": run.job,
        "id": run_id,
        "status": run.status,
        "step": started[0]["stepKey"],
        "partition": yesterday,
    }


def test_a_killed_container_is_healed_by_one_repair_run_and_no_trade_is_lost(
    dagster: Dagster,
    backend: Contained,
    stream: dict[str, Container],
    platform: Platform,
    figures: dict[str, Any],
) -> None:
    stream["loader"].kill()
    # What the engine is told to kill it does not start again: only a repair does.
    assert backend.status("loader").state == "failed"
    begun_s = time.monotonic()
    await_that("a repair has started the loader", lambda: backend.status("loader").running, 180)
    figures["kill_healed_by_dagster_s"] = round(time.monotonic() - begun_s, 1)
    tags = [{"key": "crypto_platform/component", "value": "loader"}]

    def repairs() -> list[Any]:
        return dagster.runs(pipelineName="repair_component_job", tags=tags)

    await_that("the repair run ends", lambda: any(run.status == "SUCCESS" for run in repairs()))
    figures["repair_run"] = {"id": repairs()[0].id, "status": repairs()[0].status}
    answer = audit(platform)
    assert sum(pair["lost"] + pair["duplicated"] for pair in answer["pairs"]) == 0, answer
    figures["audit_after_kill"] = {
        "lost": sum(pair["lost"] for pair in answer["pairs"]),
        "duplicated": sum(pair["duplicated"] for pair in answer["pairs"]),
        "clean": answer["clean"],
    }


def test_every_other_service_of_ours_becomes_healthy_in_its_container_and_ends_when_asked(
    engine: Engine, platform: Platform, backend: Contained, figures: dict[str, Any]
) -> None:
    for component in ("producer", "loader"):
        backend.stop(component, 50)
    offset = OFFSET + 300
    base = {"CRYPTO_PORT_OFFSET": str(offset), "SNOWFLAKE_PRIVATE_KEY_PATH": ""}
    ports = {str(port): str(port + offset) for port in (8000, 8081, 8085, 8765, 6131, 6132)}
    ports |= {"flink-taskmanager-1:": "127.0.0.1:", "flink-taskmanager-2:": "127.0.0.1:"}
    started: dict[str, Container] = {}

    def run(name: str) -> None:
        volume = f"{STACK}-flink" if name.startswith("flink") else f"{STACK}-{name}"
        started[name] = docker_engine.container(
            engine,
            f"{STACK}-{name}",
            SERVICES[name],
            environment(name, platform) | base,
            ports,
            volumes=[f"{volume}:/data"],
            labels={},
        )

    def healthy(name: str) -> bool:
        started[name].reload()
        return bool(started[name].attrs["State"]["Health"]["Status"] == "healthy")

    begun_s = time.monotonic()
    for name in ("flink-jobmanager", "emulator", "simulator"):
        run(name)
    await_that("Flink's JobManager is healthy", lambda: healthy("flink-jobmanager"))
    for name in ("flink-taskmanager-1", "flink-taskmanager-2", "dashboard"):
        run(name)
    seconds: dict[str, float] = {}

    def all_healthy() -> bool:
        for name in started:
            if name not in seconds and healthy(name):
                seconds[name] = round(time.monotonic() - begun_s, 1)
        return len(seconds) == len(started)

    await_that(f"all of {', '.join(started)} are healthy", all_healthy, 120)

    def slots() -> tuple[int, int]:
        found = httpx.get(f"http://127.0.0.1:{8081 + offset}/overview", timeout=10).json()
        return found["taskmanagers"], found["slots-total"]

    await_that("Flink has eight slots in two TaskManagers", lambda: slots() == (2, 8))
    figures["healthy_after_s"] = seconds
    for name, container in reversed(started.items()):
        container.stop(timeout=30)
        assert container.wait(timeout=5)["StatusCode"] in (0, 143), (name, container.logs().decode()[-2000:])
