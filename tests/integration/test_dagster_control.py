"""Dagster over a whole running platform: what dies is healed by one repair run, what is stopped stays so."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from crypto_platform.defs.control.jobs import COMPONENT_TAG
from infra.local import dagster as local_dagster
from infra.local.supervision import Supervisor
from streaming.flink.rest import FlinkRest
from tests.integration.dagster_client import Dagster, Run
from tests.integration.platform_process import Platform, prepare

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(1200)]

OFFSET = 4_900
RECONCILE = "components_reconcile_sensor"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    started = prepare(tmp_path_factory.mktemp("control") / "home", OFFSET)
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture(scope="module")
def dagster(platform: Platform) -> Dagster:
    return Dagster(local_dagster.url(platform.settings))


@pytest.fixture(scope="module")
def supervisor(platform: Platform) -> Supervisor:
    return Supervisor(platform.settings.home)


def await_ticks(platform: Platform, dagster: Dagster, count: int) -> None:
    """Until the reconciliation has looked `count` more times."""
    since = time.time()

    def looked() -> bool:
        done = [tick for tick in dagster.ticks(RECONCILE) if tick["timestamp"] > since]
        return len([tick for tick in done if tick["status"] in ("SKIPPED", "SUCCESS")]) >= count

    platform.await_that(f"{count} looks of the reconciliation", looked, 60 + 45 * count)


def repairs(dagster: Dagster, component: str) -> list[Run]:
    return dagster.runs(
        pipelineName="repair_component_job", tags=[{"key": COMPONENT_TAG, "value": component}]
    )


def test_what_is_killed_is_healed_by_exactly_one_repair_run_and_no_trade_is_lost(
    platform: Platform, dagster: Dagster, supervisor: Supervisor
) -> None:
    await_ticks(platform, dagster, 1)
    assert dagster.runs(pipelineName="repair_component_job") == [], "a repair of what was well"
    before = supervisor.states()
    for name in ("producer", "loader"):
        psutil.Process(before[name].pid).kill()
    with FlinkRest(platform.settings.flink_url) as flink:
        (job, *_) = flink.running("crypto-tick")
        flink.cancel(job.id)

    def healed() -> bool:
        found = [repairs(dagster, component) for component in ("producer", "loader", "flink_jobs")]
        return all([run.status for run in runs] == ["SUCCESS"] for runs in found)

    platform.await_that("one finished repair of each", healed, 150)
    await_ticks(platform, dagster, 1)
    assert healed(), "repairs went on although all was well"
    assert len(dagster.runs(pipelineName="repair_component_job")) == 3

    after = supervisor.states()
    for name in ("producer", "loader"):
        assert after[name].running
        assert after[name].pid != before[name].pid
    with FlinkRest(platform.settings.flink_url) as flink:
        (again,) = flink.running("crypto-tick")
        assert again.id != job.id
        restored = flink.checkpoints(again.id).latest.restored
    assert restored is not None, "the job began without its latest checkpoint"
    assert restored.path is not None

    def is_clean() -> bool:
        # Bars of trades that came late are wrong until the job that corrects them has run, every two minutes.
        return platform.json("audit", "--wait", "10", timeout_s=90)[0] == 0

    platform.await_that("the audit to find every trade once and every bar right", is_clean, 200)


def test_what_a_job_has_stopped_stays_stopped_until_a_job_starts_it(
    platform: Platform, dagster: Dagster, supervisor: Supervisor
) -> None:
    config = {"ops": {"stop_loader": {"config": {"reason": "the warehouse is being moved"}}}}
    stopped = dagster.launch("stop_loader_job", config=config)
    assert dagster.wait_for(stopped) == "SUCCESS"
    assert supervisor.states()["loader"].state == "STOPPED"
    repaired = len(repairs(dagster, "loader"))
    await_ticks(platform, dagster, 2)
    assert supervisor.states()["loader"].state == "STOPPED"
    assert len(repairs(dagster, "loader")) == repaired

    started = dagster.launch("start_loader_job")
    assert dagster.wait_for(started) == "SUCCESS"
    assert supervisor.states()["loader"].running
    listed = {run.id: run.job for run in dagster.runs(tags=[{"key": COMPONENT_TAG, "value": "loader"}])}
    assert listed[stopped] == "stop_loader_job"
    assert listed[started] == "start_loader_job"
    await_ticks(platform, dagster, 1)
    assert len(repairs(dagster, "loader")) == repaired, "its own start was taken for a crash"


def test_history_from_before_the_first_trade_takes_the_way_of_all_trades(platform: Platform) -> None:
    lowest = "SELECT PAIR, MIN(FIRST_ID) FROM RAW.TRADES GROUP BY PAIR"
    before = {pair: int(first_id) for pair, first_id in platform.rows(lowest)}
    traded = {pair: int(one["first_id"]) for pair, one in platform.truth("summary")["pairs"].items() if one}
    now = datetime.now(UTC)
    span = [f"{moment:%Y-%m-%dT%H:%M}" for moment in (now - timedelta(hours=1), now + timedelta(minutes=1))]
    code, filled = platform.json("backfill", "--from", span[0], "--to", span[1])
    assert code == 0, filled
    written = {one["pair"]: one["trades"] for one in filled}
    assert written == {pair: first_id - traded[pair] for pair, first_id in before.items()}
    assert sum(written.values()) > 0, "the exchange had no history before our first trade"

    def arrived() -> bool:
        return {pair: int(first_id) for pair, first_id in platform.rows(lowest)} == {
            pair: traded[pair] for pair in before
        }

    platform.await_that("the history to reach the warehouse", arrived)
    code, again = platform.json("backfill", "--from", span[0], "--to", span[1])
    assert (code, sum(one["trades"] for one in again)) == (0, 0), "what is stored was asked for again"
