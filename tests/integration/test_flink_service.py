"""The job service on real Kafka and Flink: lost jobs come back where they were, a stop leaves savepoints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streaming import topics
from streaming.flink import jobs, plans, recovery
from streaming.flink.jobs import BARS, TICK, Job
from tests.integration.flink_cluster import FlinkCluster, await_that, trade

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _service(cluster: FlinkCluster) -> None:
    cluster.ensure_jobs()


def running(cluster: FlinkCluster, job: Job) -> str:
    """The id of the one running job of that name."""
    with cluster.rest as rest:
        found = rest.running(job.name)
    assert len(found) == 1
    return found[0].id


def await_a_checkpoint(cluster: FlinkCluster, job_id: str) -> None:
    """Wait for a checkpoint of the job that is later than those it has now."""

    def completed() -> int:
        with cluster.rest as rest:
            return rest.checkpoints(job_id).counts.completed

    seen = completed()
    await_that("a checkpoint is complete", lambda: completed() > seen)


def kept_plan(cluster: FlinkCluster, job: Job) -> Path:
    (found,) = plans.folder(cluster.settings).glob(f"{job.key}-*.plan")
    return found


def clean_ids(cluster: FlinkCluster, exchange: str) -> list[int]:
    return [v["trade_id"] for _, v in cluster.read(topics.CLEAN_TRADES) if v["exchange"] == exchange]


def test_a_cancelled_job_is_resubmitted_from_its_checkpoint(cluster: FlinkCluster) -> None:
    before = running(cluster, TICK)
    cluster.produce(topics.TRADES, cluster.trades([trade("C_SIM", "BTC-USDT", 1, 1_700_000_000_000)]))
    await_that("the first trade is through", lambda: clean_ids(cluster, "C_SIM") == [1])
    await_a_checkpoint(cluster, before)
    planned_ns = kept_plan(cluster, TICK).stat().st_mtime_ns
    with cluster.rest as rest:
        rest.cancel(before)
    await_that(
        "the job is another one", lambda: cluster.readiness()["jobs"]["tick"]["id"] not in ("", before)
    )
    cluster.await_ready()
    after = running(cluster, TICK)
    with cluster.rest as rest:
        restored = rest.checkpoints(after).latest.restored
    assert restored is not None
    assert before in str(restored.path)
    assert kept_plan(cluster, TICK).stat().st_mtime_ns == planned_ns, "it was planned again"
    again = [trade("C_SIM", "BTC-USDT", n, 1_700_000_000_000) for n in (1, 2)]
    cluster.produce(topics.TRADES, cluster.trades(again))
    await_that("the second trade is through", lambda: 2 in clean_ids(cluster, "C_SIM"))
    assert clean_ids(cluster, "C_SIM") == [1, 2]


def test_a_stopped_service_leaves_savepoints_and_a_new_one_starts_from_them(cluster: FlinkCluster) -> None:
    stopped = [running(cluster, job) for job in (TICK, BARS)]
    assert cluster.terminate("flink-jobs") == 0
    with cluster.rest as rest:
        states = {summary.id: summary.state for summary in rest.jobs()}
    assert [states[job_id] for job_id in stopped] == ["FINISHED", "FINISHED"]
    for job in (TICK, BARS):
        snapshot = recovery.newest(cluster.settings, job)
        assert snapshot is not None
        assert snapshot.path.parent == jobs.savepoint_folder(cluster.settings, job)
    cluster.start_jobs()
    for job in (TICK, BARS):
        with cluster.rest as rest:
            restored = rest.checkpoints(running(cluster, job)).latest.restored
        assert restored is not None
        assert "/savepoints/" in str(restored.path)


def test_a_kept_plan_that_cannot_be_read_is_made_anew(cluster: FlinkCluster) -> None:
    before = running(cluster, BARS)
    path = kept_plan(cluster, BARS)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with cluster.rest as rest:
        rest.cancel(before)
    await_that(
        "the job is another one", lambda: cluster.readiness()["jobs"]["bars"]["id"] not in ("", before)
    )
    cluster.await_ready()
    assert len(kept_plan(cluster, BARS).read_bytes()) > len(whole) // 2
    assert "kept plan cannot be read" in (cluster.home / "flink-jobs.log").read_text()


def test_pruning_keeps_only_what_the_running_life_needs(cluster: FlinkCluster) -> None:
    current = running(cluster, BARS)
    folder = jobs.checkpoint_folder(cluster.settings, BARS)
    await_that("other lives are gone", lambda: [path.name for path in folder.iterdir()] == [current])


UPGRADE = """\
import pathlib, sys
from streaming.flink import jobs, submit
jobs.SQL_FOLDER = pathlib.Path(sys.argv[1])
sys.exit(submit.main(["bars"]))
"""


def with_another_column(folder: Path) -> Path:
    """The SQL files with a constant column added to the bars."""
    changed = shutil.copytree(jobs.SQL_FOLDER, folder / "sql")
    for name, before, after in (
        ("81_bars_sink", "  `simulated` BOOLEAN\n", "  `simulated` BOOLEAN,\n  `edition` STRING\n"),
        (
            "91_bars_job",
            "  `flagged_count`,\n  `simulated`\nFROM (",
            "  `flagged_count`,\n  `simulated`,\n  'second'\nFROM (",
        ),
    ):
        text = (changed / f"{name}.sql").read_text()
        assert text.count(before) == 1
        (changed / f"{name}.sql").write_text(text.replace(before, after))
    return changed


def test_an_upgraded_job_with_another_column_keeps_the_state_of_the_minute_that_runs(
    cluster: FlinkCluster, tmp_path: Path
) -> None:
    minute_ms = (time.time_ns() // 60_000_000_000 - 1) * 60_000
    trades = [trade("U_SIM", "BTC-USDT", n, minute_ms + n * 2000, str(100 + n)) for n in range(1, 21)]

    def of_exchange(topic: str) -> list[dict[str, Any]]:
        return [value for _, value in cluster.read(topic) if value["exchange"] == "U_SIM"]

    cluster.produce(topics.CLEAN_TRADES, cluster.trades(trades[:10]))
    await_that(
        "the job holds the first trades",
        lambda: any(v["trade_count"] > 5 for v in of_exchange(topics.BARS_FORMING)),
    )
    assert cluster.terminate("flink-jobs") == 0
    changed = subprocess.run(
        [sys.executable, "-c", UPGRADE, str(with_another_column(tmp_path))],
        env=cluster.inherited_environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    outcome = json.loads(changed.stdout.splitlines()[-1])
    assert outcome["submitted"]
    assert "/savepoints/" in outcome["restored_from"]
    later = trade("U_SIM", "BTC-USDT", 99, minute_ms + 62_000)
    cluster.produce(topics.CLEAN_TRADES, cluster.trades([*trades[10:], later]))
    await_that("the minute is closed", lambda: bool(of_exchange(topics.BARS_1M)))
    (bar,) = of_exchange(topics.BARS_1M)
    assert (bar["trade_count"], bar["first_trade_id"], bar["last_trade_id"]) == (20, 1, 20)
    assert bar["edition"] == "second"
    with cluster.rest as rest:
        rest.cancel(outcome["id"])
