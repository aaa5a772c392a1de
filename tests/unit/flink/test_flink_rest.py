"""The REST client, against answers recorded from Flink 2.2.1 (shortened where marked with an ellipsis)."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from streaming.flink.errors import FlinkRequestError, FlinkUnavailableError, JobNotFoundError, SavepointError
from streaming.flink.rest import FlinkRest, Traffic

JOB = "739bf89344b130e1c43e8d3fe6d73419"
OLD = "de0be7156c98ff43cc3e300a1214866e"
VERTEX = "e3dfc0d7e9ecd8a43f85f0b68ebf3b80"
TRIGGER = "8df7b0e2c4c06d21a26c5ee1c9f0f4b0"

TASK = "Source: trades[1] -> (Calc[2], Calc[13])"

ANSWERS = {
    "/overview": """{"taskmanagers":2,"taskmanagers-blocked":0,"slots-total":8,"slots-available":6,
        "slots-free-and-blocked":0,"jobs-running":2,"jobs-finished":0,"jobs-cancelled":0,"jobs-failed":1,
        "flink-version":"2.2.1","flink-commit":"1cd8e3a"}""",
    "/jobs/overview": f"""{{"jobs":[
        {{"jid":"{OLD}","name":"crypto-tick","start-time":1795410102517,"end-time":1795410104664,
        "duration":2147,"state":"FAILED","last-modification":1795410104664,"tasks":{{"running":0,"canceling":0,
        "canceled":0,"total":0,"created":0,"scheduled":0,"deploying":0,"reconciling":0,"finished":0,
        "initializing":0,"failed":0}},"pending-operators":0}},
        {{"jid":"{JOB}","name":"crypto-tick","start-time":1795410210951,"end-time":-1,"duration":14236,
        "state":"RUNNING","last-modification":1795410217499,"tasks":{{"running":6,"canceling":0,"canceled":0,
        "total":6,"created":0,"scheduled":0,"deploying":0,"reconciling":0,"finished":0,"initializing":0,
        "failed":0}},"pending-operators":0}}]}}""",
    f"/jobs/{JOB}": f"""{{"jid":"{JOB}","name":"crypto-tick","isStoppable":false,"state":"RUNNING",
        "job-type":"STREAMING","start-time":1795410210951,"end-time":-1,"duration":14806,"maxParallelism":-1,
        "now":1795410225757,"vertices":[{{"id":"{VERTEX}","slotSharingGroupId":"1db08c532cd28ca228d6c21e8a21e1a2",
        "name":"{TASK}","maxParallelism":128,"parallelism":1,
        "status":"RUNNING","start-time":1795410212844,"end-time":-1,"duration":12913}}],
        "status-counts":{{"RUNNING":6}},"pending-operators":0}}""",
    f"/jobs/{JOB}/config": f"""{{"jid":"{JOB}","name":"crypto-tick","execution-config":{{"restart-strategy":
        "Restart with exponential delay","job-parallelism":1,"object-reuse-mode":true,
        "user-config":{{"crypto.fingerprint":"51b23a5cfb864066"}}}}}}""",
    f"/jobs/{JOB}/checkpoints": """{
        "counts":{"restored":1,"total":10,"in_progress":0,"completed":4,"failed":6},
        "latest":{"completed":{"className":"completed","id":4,"status":"COMPLETED","is_savepoint":false,
        "savepointFormat":null,"trigger_timestamp":1795410224652,"latest_ack_timestamp":1795410224735,
        "checkpointed_size":27312,"state_size":27312,"end_to_end_duration":83,"alignment_buffered":0,
        "processed_data":0,"persisted_data":0,"num_subtasks":3,"num_acknowledged_subtasks":3,
        "checkpoint_type":"CHECKPOINT","tasks":{},"external_path":"file:/data/chk-4","discarded":false},
        "savepoint":null,"failed":null,"restored":{"id":3,"restore_timestamp":1795410220000,
        "is_savepoint":true,"external_path":"file:/data/savepoint-1"}},"history":[]}""",
    f"/jobs/{JOB}/metrics": '[{"id":"numRestarts","value":"2"}]',
    f"/jobs/{JOB}/exceptions": """{"exceptionHistory":{"entries":[{"exceptionName":
        "org.apache.flink.runtime.client.JobInitializationException","stacktrace":
        "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.\\n\\tat",
        "timestamp":1795410104664,"taskName":null,"endpoint":null,"taskManagerId":null,"failureLabels":{},
        "concurrentExceptions":[]}],"truncated":false}}""",
    f"/jobs/{JOB}/vertices/{VERTEX}/backpressure": '{"status":"ok","backpressureLevel":"low","subtasks":[]}',
}


def client(*handlers: Callable[[httpx.Request], httpx.Response | None]) -> FlinkRest:
    """A client that asks the handlers first and then the recorded answers."""

    def answer(request: httpx.Request) -> httpx.Response:
        for handler in handlers:
            response = handler(request)
            if response is not None:
                return response
        body = ANSWERS.get(request.url.path)
        return (
            httpx.Response(404, json={"errors": ["Not found"]})
            if body is None
            else httpx.Response(200, text=body)
        )

    return FlinkRest("http://flink:8081", transport=httpx.MockTransport(answer))


def test_the_overview_counts_slots() -> None:
    overview = client().overview()
    assert (overview.taskmanagers, overview.slots_total, overview.slots_available) == (2, 8, 6)
    assert overview.flink_version == "2.2.1"


def test_jobs_come_youngest_first_and_only_the_living_are_running() -> None:
    flink = client()
    assert [job.id for job in flink.jobs()] == [JOB, OLD]
    assert [job.id for job in flink.running("crypto-tick")] == [JOB]
    assert flink.running("crypto-bars") == []
    young, old = flink.jobs()
    assert young.all_tasks_run
    assert not old.all_tasks_run


def test_a_job_lists_its_vertices() -> None:
    vertices = client().job(JOB).vertices
    assert [(vertex.id, vertex.status) for vertex in vertices] == [(VERTEX, "RUNNING")]


def test_checkpoints_tell_age_and_origin() -> None:
    checkpoints = client().checkpoints(JOB)
    assert (checkpoints.counts.completed, checkpoints.counts.failed) == (4, 6)
    assert checkpoints.age_s(1795410229.735) == pytest.approx(5.0)
    assert checkpoints.latest.completed is not None
    assert checkpoints.latest.completed.path == "file:/data/chk-4"
    assert checkpoints.latest.restored is not None
    assert checkpoints.latest.restored.is_savepoint


def test_a_job_carries_its_fingerprint_and_restarts() -> None:
    assert client().parameters(JOB) == {"crypto.fingerprint": "51b23a5cfb864066"}
    assert client().restarts(JOB) == 2


@pytest.mark.parametrize("body", ['[{"id":"numRestarts","value":"NaN"}]', '[{"id":"numRestarts"}]', "[]"])
def test_restarts_are_zero_before_flink_has_measured_them(body: str) -> None:
    assert client(lambda _: httpx.Response(200, text=body)).restarts(JOB) == 0


def test_the_latest_exception_is_one_line() -> None:
    (found,) = client().exceptions(JOB)
    assert found.first_line.endswith("Could not start the JobMaster.")


def test_backpressure_has_a_level() -> None:
    assert client().backpressure(JOB, VERTEX).level == "low"


def test_pending_records_are_summed_over_the_sources() -> None:
    source = "Source__trades[1].KafkaSourceReader.topic.x.partition.0.currentOffset"
    name = "Source__trades[1].pendingRecords"

    def metrics(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/subtasks/metrics"):
            return None
        if "get" in request.url.params:
            assert request.url.params["get"] == name
            return httpx.Response(200, json=[{"id": name, "sum": 41.0}])
        return httpx.Response(200, json=[{"id": source}, {"id": name}])

    assert client(metrics).pending_records(JOB) == 41
    assert client(metrics).late_records(JOB) == 0


def test_traffic_is_that_of_one_table_read_or_written() -> None:
    amounts = {
        "Source__trades[1].numRecordsIn": 90.0,
        "Source__trades[1].numBytesIn": 9000.0,
        "Source__trades[1].numRecordsOut": 2.0,
        "Source__other_trades[3].numRecordsIn": 1.0,
        "trades_sink[7]__Writer.numRecordsSend": 5.0,
        "trades_sink[7]__Writer.numBytesSend": 500.0,
    }

    def metrics(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == f"/jobs/{JOB}":
            name = "Source: trades[1] -> trades_sink[7]: Writer"
            return httpx.Response(200, text=ANSWERS[f"/jobs/{JOB}"].replace(TASK, name))
        if not request.url.path.endswith("/subtasks/metrics"):
            return None
        names = request.url.params.get("get", ",".join(amounts)).split(",")
        return httpx.Response(200, json=[{"id": name, "sum": amounts[name]} for name in names])

    assert client(metrics).read_by(JOB, "trades") == Traffic(90, 9000)
    assert client(metrics).written_by(JOB, "trades_sink") == Traffic(5, 500)
    assert client(metrics).read_by(JOB, "sink") == Traffic(0, 0)


def test_duplicates_are_what_the_counters_of_blocks_got_and_their_filter_did_not_pass_on() -> None:
    filtering = "where=[((($20 = 0) AND (w0$o0 = 1)) OR (($20 = 1) AND (w0$o1 = 1)))])<br/>"
    described = (
        "[5]:OverAggregate(partitionBy=[exchange, $19])<br/>+- [6]:Calc(select=[exchange], " + filtering
    )
    other = (
        "[8]:OverAggregate(partitionBy=[exchange])<br/>+- [9]:Calc(select=[exchange], where=[(a = 1)])<br/>"
    )
    values = {"OverAggregate[5].numRecordsIn": 120.0, "Calc[6].numRecordsOut": 100.0}

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == f"/jobs/{JOB}/plan":
            nodes = [{"id": VERTEX, "description": described}, {"id": "other", "description": other}]
            return httpx.Response(200, json={"plan": {"nodes": nodes}})
        if request.url.path == f"/jobs/{JOB}/vertices/{VERTEX}/subtasks/metrics":
            asked = request.url.params["get"].split(",")
            return httpx.Response(200, json=[{"id": name, "sum": values[name]} for name in asked])
        return None

    assert client(answer).duplicates(JOB) == 20


def test_a_vertex_tells_how_far_it_is_in_event_time() -> None:
    path = f"/jobs/{JOB}/vertices/{VERTEX}/watermarks"
    body = (
        '[{"id":"0.currentInputWatermark","value":"1795410225757"},'
        '{"id":"1.currentInputWatermark","value":"-9223372036854775808"}]'
    )
    flink = client(lambda r: httpx.Response(200, text=body) if r.url.path == path else None)
    assert [(w.subtask, w.time_ms) for w in flink.watermarks(JOB, VERTEX)] == [(0, 1795410225757), (1, None)]


def test_a_stop_waits_for_its_savepoint() -> None:
    states = iter(
        [
            '{"status":{"id":"IN_PROGRESS"},"operation":null}',
            '{"status":{"id":"COMPLETED"},"operation":{"location":"file:/data/savepoint-7"}}',
        ]
    )

    def stop(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == f"/jobs/{JOB}/stop":
            assert request.method == "POST"
            assert request.read() == b'{"targetDirectory":"file:///data","drain":false}'
            return httpx.Response(202, json={"request-id": TRIGGER})
        if request.url.path == f"/jobs/{JOB}/savepoints/{TRIGGER}":
            return httpx.Response(200, text=next(states))
        return None

    assert client(stop).stop_with_savepoint(JOB, "file:///data", 5) == "file:/data/savepoint-7"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            '{"status":{"id":"COMPLETED"},"operation":'
            '{"failure-cause":{"class":"x.Y","stack-trace":"x.Y: no\\n at"}}}',
            "x.Y: no",
        ),
        ('{"status":{"id":"IN_PROGRESS"},"operation":null}', "not complete after"),
    ],
    ids=["failed", "too slow"],
)
def test_a_savepoint_that_does_not_come_is_an_error(status: str, message: str) -> None:
    def stop(request: httpx.Request) -> httpx.Response:
        trigger = request.method == "POST"
        return (
            httpx.Response(202, json={"request-id": TRIGGER}) if trigger else httpx.Response(200, text=status)
        )

    with pytest.raises(SavepointError, match=message):
        client(stop).stop_with_savepoint(JOB, "file:///data", 0.3)


def test_cancelling_is_a_patch() -> None:
    seen: list[tuple[str, str]] = []

    def cancel(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url)))
        return httpx.Response(202, json={})

    client(cancel).cancel(JOB)
    assert seen == [("PATCH", f"http://flink:8081/jobs/{JOB}?mode=cancel")]


def _refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused", request=request)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (_refuse, FlinkUnavailableError),
        (lambda _: httpx.Response(503, text="starting"), FlinkUnavailableError),
        (lambda _: httpx.Response(500, json={"errors": ["Internal", "trace"]}), FlinkUnavailableError),
        (lambda _: httpx.Response(404, json={"errors": ["Job not found"]}), JobNotFoundError),
        (lambda _: httpx.Response(400, json={"errors": ["Bad id"]}), FlinkRequestError),
        (lambda _: httpx.Response(200, text="<html>"), FlinkRequestError),
        (lambda _: httpx.Response(200, json={"jobs": 1}), FlinkRequestError),
    ],
    ids=["refused", "starting", "internal", "unknown", "bad", "html", "wrong"],
)
def test_each_failure_has_its_type(
    handler: Callable[[httpx.Request], httpx.Response], error: type[Exception]
) -> None:
    with pytest.raises(error):
        client(handler).jobs()
