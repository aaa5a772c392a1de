"""The checkpoint sensor, tick by tick, over Flink's REST answers on a real socket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from crypto_platform import catalog
from crypto_platform.defs.flink import checks, sensors
from crypto_platform.defs.flink.resources import FlinkJobResource
from streaming import topics
from streaming.flink.errors import FlinkUnavailableError

BARS = catalog.topic_key(topics.BARS_1M)
TASKS = {"total": 1, "running": 1}


class Cluster:
    """What the pretended cluster knows: jobs by id, their checkpoints and restarts."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.restarts: dict[str, int] = {}
        self.now_s = 10_000.0

    def job(self, job_id: str, name: str, state: str = "RUNNING", started_s: float = 9000) -> None:
        self.jobs[job_id] = {
            "jid": job_id,
            "name": name,
            "state": state,
            "start-time": int(started_s * 1000),
            "duration": 1,
            "tasks": TASKS,
        }
        self.checkpoint(job_id, age_s=1)
        self.restarts[job_id] = 0

    def checkpoint(self, job_id: str, age_s: float, failed: int = 0) -> None:
        at_ms = int((self.now_s - age_s) * 1000)
        self.checkpoints[job_id] = {
            "counts": {
                "restored": 0,
                "total": 7,
                "in_progress": 0,
                "completed": 7 - failed,
                "failed": failed,
            },
            "latest": {
                "completed": {
                    "id": 7,
                    "trigger_timestamp": at_ms,
                    "latest_ack_timestamp": at_ms,
                    "end_to_end_duration": 40,
                    "state_size": 1234,
                }
            },
        }

    def answer(self, path: str) -> Any:
        match path.partition("?")[0].strip("/").split("/"):
            case ["jobs", "overview"]:
                return {"jobs": list(self.jobs.values())}
            case ["jobs", job_id, "checkpoints"]:
                return self.checkpoints[job_id]
            case ["jobs", job_id, "metrics"]:
                return [{"id": "numRestarts", "value": str(self.restarts[job_id])}]
        raise AssertionError(path)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    state = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(state.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("FLINK_REST_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(sensors, "time", lambda: state.now_s)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def running(cluster: Cluster) -> Cluster:
    cluster.job("a", "crypto-tick")
    cluster.job("b", "crypto-bars")
    return cluster


def tick(cursor: str | None) -> tuple[list[Any], str | None, str]:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"flink_jobs": FlinkJobResource()}
        ) as context,
    ):
        result = sensors.flink_checkpoints_stale_sensor(context)
    assert isinstance(result, dg.SensorResult)
    assert result.skip_reason is not None
    return list(result.asset_events), result.cursor, result.skip_reason.skip_message or ""


def verdicts(events: list[Any]) -> dict[str, bool]:
    return {e.asset_key.path[-1]: e.passed for e in events if isinstance(e, dg.AssetCheckEvaluation)}


def test_the_first_look_reports_the_outputs_of_both_jobs(running: Cluster) -> None:
    events, _, message = tick(None)
    assert verdicts(events) == {topics.CLEAN_TRADES: True, topics.CLEAN_TICKERS: True, topics.BARS_1M: True}
    (seen,) = [e for e in events if isinstance(e, dg.AssetObservation) and e.asset_key == BARS]
    assert seen.metadata["checkpoint_duration_ms"].value == 40
    assert seen.metadata["checkpoint_age_s"].value == 1.0
    assert "crypto-tick" in message
    assert "crypto-bars" in message


def test_jobs_that_run_well_are_reported_every_half_hour_only(running: Cluster) -> None:
    _, cursor, _ = tick(None)
    for minute in (1, 2, 15, 29):
        running.now_s = 10_000.0 + 60 * minute
        running.checkpoint("a", age_s=4)
        running.checkpoint("b", age_s=1)
        events, cursor, _ = tick(cursor)
        assert events == []
    running.now_s = 10_000.0 + 1800
    running.checkpoint("a", age_s=4)
    running.checkpoint("b", age_s=1)
    assert len(tick(cursor)[0]) == 6


def test_a_wedged_job_is_reported_once_and_again_when_it_recovers(running: Cluster) -> None:
    _, cursor, _ = tick(None)
    running.checkpoint("b", age_s=400)
    events, cursor, message = tick(cursor)
    assert verdicts(events) == {topics.BARS_1M: False}
    assert "400 s ago" in message
    assert tick(cursor)[0] == []
    running.checkpoint("b", age_s=1)
    assert verdicts(tick(cursor)[0]) == {topics.BARS_1M: True}


def test_a_failed_checkpoint_and_a_restart_are_reported_at_once(running: Cluster) -> None:
    _, cursor, _ = tick(None)
    running.checkpoint("b", age_s=1, failed=1)
    events, cursor, _ = tick(cursor)
    assert verdicts(events) == {topics.BARS_1M: True}
    running.restarts["a"] = 1
    events, _, _ = tick(cursor)
    assert verdicts(events) == {topics.CLEAN_TRADES: True, topics.CLEAN_TICKERS: True}


def test_a_lost_job_fails_its_check_even_when_an_older_life_is_remembered(running: Cluster) -> None:
    running.jobs["b"]["state"] = "FAILED"
    running.job("old", "crypto-bars", state="CANCELED", started_s=100)
    events, _, message = tick(None)
    assert verdicts(events)[topics.BARS_1M] is False
    assert "crypto-bars is FAILED" in message
    running.job("new", "crypto-bars", started_s=9500)
    assert verdicts(tick(None)[0])[topics.BARS_1M] is True


def test_a_running_life_counts_more_than_a_younger_one_that_is_over(running: Cluster) -> None:
    running.job("later", "crypto-bars", state="CANCELED", started_s=9500)
    assert verdicts(tick(None)[0])[topics.BARS_1M] is True


def test_a_job_that_was_never_submitted_fails_its_check(cluster: Cluster) -> None:
    cluster.job("a", "crypto-tick")
    events, _, _ = tick(None)
    assert verdicts(events)[topics.BARS_1M] is False


def test_a_dead_cluster_fails_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLINK_REST_URL", "http://127.0.0.1:1")
    with pytest.raises(FlinkUnavailableError, match="does not answer"):
        tick(None)


def test_the_same_question_can_be_asked_by_hand(running: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "time", lambda: running.now_s)
    running.checkpoint("b", age_s=400)
    job = dg.define_asset_job("asked", selection=dg.AssetSelection.checks(checks.flink_checkpoints))
    definitions = dg.Definitions(
        asset_checks=[checks.flink_checkpoints],
        assets=[dg.AssetSpec(key.asset_key) for key in checks.flink_checkpoints.check_keys],
        jobs=[job],
        resources={"flink_jobs": FlinkJobResource()},
        executor=dg.in_process_executor,
    )
    result = definitions.resolve_job_def("asked").execute_in_process()
    assert {e.asset_key.path[-1]: e.passed for e in result.get_asset_check_evaluations()} == {
        topics.CLEAN_TRADES: True,
        topics.CLEAN_TICKERS: True,
        topics.BARS_1M: False,
    }
