"""The sensors of questions, tick by tick on a real instance, and what a thousand ticks cost."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from crypto_platform import looks
from crypto_platform.looks import Look, check_of, sensor_of
from crypto_platform.watch.findings import Finding
from infra.local import dagster as local_dagster
from streaming import settings

ASSET = dg.AssetKey(["kafka", "trades"])
answers: list[Finding] = []


def ask(context: looks.Context) -> list[Finding]:
    return list(answers)


LOOK = Look(
    name="trades_odd",
    check="trades_are_even",
    meaning="The trades are even.",
    assets=[ASSET],
    resources=frozenset(),
    ask=ask,
)
SENSOR, CHECK = sensor_of(LOOK), check_of(LOOK)


def finding(state: str = "ok", number: float = 1) -> Finding:
    return Finding("kafka/trades", state, f"They are {state}.", {"oddness": number})


class Ticks:
    """The daemon's part: calls a sensor, keeps its cursor, stores its events and its tick."""

    def __init__(self, instance: dg.DagsterInstance, clock: list[float]) -> None:
        self.instance, self.clock, self.cursor = instance, clock, None

    def tick(self, at_s: float) -> list[str]:
        self.clock[0] = at_s
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            result = SENSOR(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        self.said = result.skip_reason.skip_message if result.skip_reason else ""
        return [type(event).__name__ for event in result.asset_events]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [0.0]
    monkeypatch.setattr(looks, "time", lambda: found[0])
    return found


@pytest.fixture
def ticks(clock: list[float]) -> Iterator[Ticks]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance, clock)


def test_a_change_is_reported_at_once_and_nothing_in_between(ticks: Ticks) -> None:
    answers[:] = [finding()]
    assert ticks.tick(1000) == ["AssetCheckEvaluation", "AssetObservation"]
    assert ticks.tick(1060) == []
    answers[:] = [finding("odd")]
    assert ticks.tick(1120) == ["AssetCheckEvaluation", "AssetObservation"]
    assert ticks.said == "They are odd."
    assert ticks.tick(1180) == []
    answers[:] = [finding()]
    assert ticks.tick(1240) == ["AssetCheckEvaluation", "AssetObservation"]
    records = ticks.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(ASSET, "trades_are_even"), limit=5
    )
    assert [record.status.value for record in records] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


def test_numbers_that_move_are_reported_as_a_heartbeat_only(ticks: Ticks) -> None:
    answers[:] = [finding()]
    ticks.tick(1000)
    for minute in range(1, 30):
        answers[:] = [finding(number=minute)]
        assert ticks.tick(1000 + 60 * minute) == []
    assert ticks.tick(2800) == ["AssetCheckEvaluation", "AssetObservation"]
    (latest,) = ticks.instance.fetch_observations(ASSET, limit=1).records
    assert latest.asset_observation is not None
    assert latest.asset_observation.metadata["oddness"].value == 29


def test_the_same_question_can_be_asked_by_hand() -> None:
    answers[:] = [finding("odd")]
    job = dg.define_asset_job("asked", selection=dg.AssetSelection.checks(CHECK))
    definitions = dg.Definitions(
        asset_checks=[CHECK], assets=[dg.AssetSpec(ASSET)], jobs=[job], executor=dg.in_process_executor
    )
    result = definitions.resolve_job_def("asked").execute_in_process()
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.description == "They are odd."


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_thousand_ticks_grow_the_instance_by_less_than_five_megabytes(
    tmp_path: Path, clock: list[float]
) -> None:
    """A sensor's ticks of half a day, a change of state in every hundred, each stored as the daemon does."""
    folder = local_dagster.write_instance(settings.load({}, home=tmp_path))
    with dg.DagsterInstance.from_config(os.fspath(folder)) as instance:
        ticks = Ticks(instance, clock)
        answers[:] = [finding()]
        ticks.tick(1000)
        before = size_of(tmp_path)
        for number in range(1000):
            answers[:] = [finding("odd" if number // 100 % 2 else "ok", number)]
            ticks.tick(1060 + 60 * number)
            store_tick(instance, 1060.0 + 60 * number, ticks.said)
        grown = size_of(tmp_path) - before
    assert grown < 5 * 2**20, f"{grown / 2**20:.1f} MiB"


def store_tick(instance: dg.DagsterInstance, at_s: float, reason: str) -> None:
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import TickData, TickStatus

    instance.create_tick(
        TickData(
            instigator_origin_id="origin",
            instigator_name="trades_odd_sensor",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=at_s,
            skip_reason=reason,
            selector_id="selector",
        )
    )
