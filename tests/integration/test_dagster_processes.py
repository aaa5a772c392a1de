"""Dagster's three processes as infra starts them, with a warehouse behind them."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local import dagster as local_dagster
from streaming import warehouse
from streaming.settings import LOOPBACK, Settings
from tests.integration import emulator_process

pytestmark = pytest.mark.stack

START_TIMEOUT_S = 150
LAUNCH = """
mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
SENSORS = """
query { sensorsOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "crypto_platform"})
  { ... on Sensors { results { name sensorState { status ticks(limit: 1) { status } } } } } }
"""


def wait_until(ready: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.5)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@dataclass
class Stack:
    """The processes of one Dagster and the settings that lead to it."""

    settings: Settings
    environment: dict[str, str]
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        local_dagster.write_instance(self.settings)
        self._run("code", local_dagster.code_server_command(self.settings))
        wait_until(lambda: listens(self.settings.ports.dagster_code), START_TIMEOUT_S, "the code server")
        self._run("webserver", local_dagster.webserver_command(self.settings))
        self._run("daemon", local_dagster.daemon_command(self.settings))
        wait_until(lambda: local_dagster.is_ready(self.settings), START_TIMEOUT_S, "webserver and daemon")

    def _run(self, name: str, command: list[str]) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
            )

    def ask(self, query: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"{local_dagster.url(self.settings)}/graphql",
            json={"query": query, "variables": variables},
            timeout=30,
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def stop(self) -> list[int]:
        """SIGTERM to all. The code server ends when its sensors have their answers, and no Kafka is here to
        give one: each waits for its timeout."""
        for process in reversed(self.processes):
            process.terminate()
        try:
            return [process.wait(timeout=120) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("dagster-stack")
    with emulator_process.running(home) as emulator:
        settings = emulator.settings
        environment = (
            emulator_process.inherited() | emulator.environment | local_dagster.environment(settings)
        )
        stack = Stack(settings, environment, home)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def stack(started: Stack) -> Stack:
    """The stack with all three processes, whatever the test before did to them."""
    if not all(process.poll() is None for process in started.processes):
        started.stop()
        started.processes.clear()
        started.start()
    return started


def test_all_sensors_tick_by_themselves(stack: Stack) -> None:
    def ticked() -> bool:
        found = stack.ask(SENSORS)["sensorsOrError"]["results"]
        return len(found) >= 2 and all(
            one["sensorState"]["status"] == "RUNNING" and one["sensorState"]["ticks"] for one in found
        )

    wait_until(ticked, 120, "a tick of every sensor")


def test_a_rollup_asked_for_in_the_interface_reaches_the_warehouse(stack: Stack) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    at = hour.replace(tzinfo=None) + timedelta(minutes=7)
    with warehouse.connect(stack.settings) as connection:
        connection.cursor().execute(
            "INSERT INTO RAW.TRADES (EXCHANGE, PAIR, FIRST_ID, TRADE_ID, FILL_COUNT, PRICE, SIZE, SIDE, "
            "EXCHANGE_TIME, RECEIVE_TIME, SOURCE, IS_SIMULATED, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ, "
            "SCHEMA_VERSION, KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT) SELECT 'OKX_SIM', 'BTC-USDT', "
            "1, 1, 1, 100, 2, 'buy', %(at)s, %(at)s, "
            "'ws', TRUE, 'p', 1, 1, 1, 0, 0, %(at)s",
            {"at": at},
        )
    key = hour.strftime("%Y-%m-%d-%H:%M")
    tags = [
        {"key": "dagster/asset_partition_range_start", "value": key},
        {"key": "dagster/asset_partition_range_end", "value": key},
    ]
    launched = stack.ask(
        LAUNCH,
        params={
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "crypto_platform",
                "pipelineName": "roll_up_hours_job",
            },
            "executionMetadata": {"tags": tags},
        },
    )["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def status() -> str:
        return str(stack.ask(STATUS, id=run_id)["runOrError"]["status"])

    wait_until(lambda: status() in {"SUCCESS", "FAILURE", "CANCELED"}, 120, "the end of the run")
    assert status() == "SUCCESS"
    with warehouse.connect(stack.settings) as connection:
        assert warehouse.rows(connection, "SELECT WINDOW_START, VOLUME FROM MARKET.BARS_1H") == [
            (hour.replace(tzinfo=None), 2)
        ]


def test_a_dead_code_server_is_noticed_and_its_successor_found(stack: Stack) -> None:
    code = stack.processes[0]
    code.kill()
    code.wait(timeout=10)
    wait_until(lambda: not listens(stack.settings.ports.dagster_code), 10, "the port to be free")
    stack.processes.pop(0)
    with (stack.logs / "code-again.log").open("wb") as log:
        command = local_dagster.code_server_command(stack.settings)
        again = subprocess.Popen(command, env=stack.environment, stdout=log, stderr=subprocess.STDOUT)
    stack.processes.insert(0, again)
    wait_until(lambda: listens(stack.settings.ports.dagster_code), START_TIMEOUT_S, "the code server")
    wait_until(lambda: local_dagster.is_ready(stack.settings), 60, "the stack to be whole again")


def test_sigterm_ends_all_three_and_frees_their_ports(stack: Stack) -> None:
    stack.stop()
    assert not listens(stack.settings.ports.dagster)
    assert not listens(stack.settings.ports.dagster_code)
    children = [pid for pid in Path("/proc").glob("[0-9]*") if _belongs_to(pid, stack.environment)]
    assert children == []


def _belongs_to(process: Path, environment: dict[str, str]) -> bool:
    try:
        variables = (process / "environ").read_bytes()
    except OSError:
        return False
    return os.fsencode(f"DAGSTER_HOME={environment['DAGSTER_HOME']}") in variables.split(b"\0")
