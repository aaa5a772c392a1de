"""Sensors and jobs of the control plane on an ephemeral instance, cursors handed on, components in memory."""

from collections.abc import Iterator
from typing import Any, ClassVar

import dagster as dg
import pytest

from crypto_platform.control import desired
from crypto_platform.control.managed import ManagedResource
from crypto_platform.control.status import COMPONENTS, ControlError, NotManagedError, State, Status
from crypto_platform.defs.control import jobs, sensors
from crypto_platform.defs.control.jobs import COMPONENT_TAG, control_jobs, repair_component_job
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch.lag import LIMIT_MESSAGES
from streaming import topics

states: dict[str, State] = {}
lives: dict[str, int] = {}
calls: list[str] = []
broken: set[str] = set()


class InMemory:
    """A back-end that obeys, unless the component is broken."""

    managed = True

    def status(self, component: str) -> Status:
        state = states[component]
        return Status(component, state, f"life-{lives[component]}" if state == "running" else "")

    def start(self, component: str, timeout_s: float) -> None:
        calls.append(f"start {component}")
        if component in broken:
            raise ControlError(f"{component} is not ready after {timeout_s:.0f} s.")
        if states[component] != "running":
            states[component] = "running"
            lives[component] += 1

    def stop(self, component: str, timeout_s: float) -> None:
        calls.append(f"stop {component}")
        states[component] = "stopped"


class Pretended(ManagedResource):
    name: str

    def backend(self) -> Any:
        return InMemory()

    def status(self) -> Status:
        return InMemory().status(self.name)

    def start(self, timeout_s: float = 1.0) -> Status:
        InMemory().start(self.name, timeout_s)
        return self.status()

    def stop(self, timeout_s: float = 1.0) -> Status:
        InMemory().stop(self.name, timeout_s)
        return self.status()


RESOURCES = {component: Pretended(name=component) for component in COMPONENTS}


@pytest.fixture(autouse=True)
def all_is_well() -> None:
    calls.clear()
    broken.clear()
    for component in COMPONENTS:
        states[component], lives[component] = "running", 1


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


class Daemon:
    """The daemon's part: ticks every 30 s, the cursor kept, each run key launched once."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance, self.cursor, self.now_s = instance, None, 1_000_000.0
        self.keys: set[str] = set()
        self.results: list[dg.ExecuteInProcessResult] = []
        monkeypatch.setattr(sensors, "time", lambda: self.now_s)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_s += 30
            with dg.build_sensor_context(
                instance=self.instance, cursor=self.cursor, resources=RESOURCES
            ) as context:
                result = sensors.components_reconcile_sensor(context)
            assert isinstance(result, dg.SensorResult)
            self.cursor = result.cursor
            for request in result.run_requests or []:
                if request.run_key not in self.keys:
                    assert request.run_key is not None
                    self.keys.add(request.run_key)
                    self.results.append(self.launch(request))

    def launch(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        return repair_component_job.execute_in_process(
            run_config=request.run_config,
            resources=RESOURCES,
            instance=self.instance,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def runs(self) -> list[dg.DagsterRun]:
        return [record.dagster_run for record in self.instance.get_run_records()]


@pytest.fixture
def daemon(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    return Daemon(instance, monkeypatch)


def run(name: str, instance: dg.DagsterInstance, reason: str = "") -> dg.ExecuteInProcessResult:
    (job,) = [one for one in control_jobs if one.name == name]
    op = name.removesuffix("_job")
    config = {"ops": {op: {"config": {"reason": reason}}}}
    return job.execute_in_process(
        run_config=config, resources=RESOURCES, instance=instance, raise_on_error=False
    )


def test_what_is_well_needs_no_run(daemon: Daemon) -> None:
    daemon.tick(20)
    assert daemon.runs() == []


def test_a_hundred_failing_looks_are_six_failed_runs(daemon: Daemon) -> None:
    daemon.tick()
    states["loader"] = "failed"
    broken.add("loader")
    daemon.tick(100)
    assert [one.status for one in daemon.runs()] == [dg.DagsterRunStatus.FAILURE] * 6
    assert {one.tags[COMPONENT_TAG] for one in daemon.runs()} == {"loader"}


def test_a_component_that_died_is_started_by_one_run(daemon: Daemon) -> None:
    daemon.tick()
    states["producer"] = "failed"
    daemon.tick(10)
    (result,) = daemon.results
    assert result.success
    assert states["producer"] == "running"
    assert calls == ["start producer"]


def test_one_that_its_supervisor_restarted_is_recorded_and_left_alone(daemon: Daemon) -> None:
    daemon.tick()
    lives["producer"] = 2
    daemon.tick(10)
    (result,) = daemon.results
    assert result.success
    assert calls == []


def test_a_stop_job_is_respected_and_its_reason_kept(daemon: Daemon, instance: dg.DagsterInstance) -> None:
    daemon.tick()
    assert run("stop_loader_job", instance, "the warehouse is being moved").success
    daemon.tick(50)
    assert states["loader"] == "stopped"
    assert daemon.results == []
    kept = desired.read(instance.daemon_cursor_storage, "loader")
    assert kept.wish == "stopped"
    assert {change.reason for change in kept.history} == {"the warehouse is being moved"}
    assert run("start_loader_job", instance).success
    daemon.tick(10)
    assert states["loader"] == "running"
    assert daemon.results == [], "its own start was taken for a crash"


def test_a_stop_by_hand_is_respected(daemon: Daemon) -> None:
    daemon.tick()
    states["loader"] = "stopped"
    daemon.tick(50)
    assert daemon.results == []


def test_a_restart_job_is_no_crash(daemon: Daemon, instance: dg.DagsterInstance) -> None:
    daemon.tick()
    assert run("restart_flink_jobs_job", instance).success
    assert calls == ["stop flink_jobs", "start flink_jobs"]
    daemon.tick(10)
    assert daemon.results == []


def test_what_runs_although_it_should_be_stopped_is_stopped(
    daemon: Daemon, instance: dg.DagsterInstance
) -> None:
    run("stop_producer_job", instance)
    states["producer"] = "running"
    daemon.tick(3)
    assert states["producer"] == "stopped"
    assert len(daemon.results) == 1


def test_a_component_that_a_run_is_changing_is_left_alone(
    daemon: Daemon, instance: dg.DagsterInstance
) -> None:
    daemon.tick()
    states["loader"] = "failed"
    config = jobs.RepairRequest(component="loader", reason="It does not run.")
    under_way = instance.create_run_for_job(
        repair_component_job,
        run_config=dg.RunConfig({"repair_component": config}).to_config_dict(),
        status=dg.DagsterRunStatus.STARTED,
        tags={COMPONENT_TAG: "loader"},
    )
    daemon.tick(3)
    assert daemon.results == []
    instance.delete_run(under_way.run_id)
    daemon.tick()
    assert len(daemon.results) == 1


def test_a_start_that_fails_is_a_failed_run(instance: dg.DagsterInstance) -> None:
    broken.add("loader")
    result = run("start_loader_job", instance)
    assert not result.success
    assert "not ready" in str(result.all_events)


def test_a_component_that_others_run_can_only_be_looked_at() -> None:
    from crypto_platform.control.backends import External

    backend = External({"kafka": lambda: True, "loader": lambda: False})
    assert backend.status("kafka").running
    assert backend.status("loader").state == "failed"
    with pytest.raises(NotManagedError, match="managed elsewhere"):
        backend.start("kafka", 1)
    with pytest.raises(NotManagedError):
        backend.stop("kafka", 1)


ends = {(topics.CLEAN_TRADES, 0): 0}


class Kafka(KafkaClusterResource):
    component: ClassVar[str] = "kafka"

    def end_offsets(self, topics: object) -> dict[tuple[str, int], int]:
        return dict(ends)


class Warehouse(SnowflakeResource):
    def loaded_offsets(self) -> dict[tuple[str, int], int]:
        return {(topics.CLEAN_TRADES, 0): 0}


def test_a_growing_lag_restarts_the_loader_once_and_then_fails_its_check(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, cursor, keys, verdicts = [1000.0], None, [], []
    monkeypatch.setattr(sensors, "time", lambda: clock[0])
    for look in range(30):
        clock[0] += 60
        ends[(topics.CLEAN_TRADES, 0)] = LIMIT_MESSAGES + 1000 * (look + 1)
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"kafka": Kafka(), "warehouse": Warehouse()}
        ) as context:
            result = sensors.loader_lag_growing_sensor(context)
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        keys += [request.run_key for request in result.run_requests or []]
        verdicts += [
            event.passed for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)
        ]
    assert len(keys) == 1
    assert verdicts == [True, False]


def test_a_repair_run_names_what_it_found_and_did(instance: dg.DagsterInstance) -> None:
    states["loader"] = "failed"
    config = jobs.RepairRequest(component="loader", reason="It does not run.")
    result = repair_component_job.execute_in_process(
        run_config=dg.RunConfig({"repair_component": config}), resources=RESOURCES, instance=instance
    )
    assert result.success
    (change,) = desired.read(instance.daemon_cursor_storage, "loader").history
    assert (change.action, change.reason, change.incarnation) == (
        "repair: start",
        "It does not run.",
        "life-2",
    )
    assert change.run_id == result.run_id
