"""Alerts: each fires once, clears once, and reaches every channel that listens."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from crypto_platform.alerting import delivery, rule
from crypto_platform.alerting.channels import Channel, ChannelError, Slack, Webhook
from crypto_platform.alerting.rule import BURST, QUIET_S, Condition, Memory, Message, judge
from crypto_platform.definitions import defs
from crypto_platform.defs.alerts import conditions, sensors
from crypto_platform.defs.alerts.resources import AlertChannelsResource
from crypto_platform.defs.warehouse.looks import GAPS
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch.ledger import judge_gaps

NOW_S = 1_000_000.0


def condition(name: str = "check a") -> Condition:
    return Condition(name, "check", "error", "a/b", "It is wrong.")


def told(memory: Memory, channel: str = "log") -> list[str]:
    return [message.text for message in memory.unsent.get(channel, ())]


def test_a_condition_fires_once_and_clears_once() -> None:
    memory, texts = Memory(), []
    for look, holding in enumerate([[], [condition()], [condition()], [condition()], [], []]):
        _, memory = judge(memory, holding, ["log"], NOW_S + 60 * look)
        texts += told(memory)
        memory, _ = delivery.deliver(memory, [Recorder()])
    assert texts == ["ERROR a/b: It is wrong.", "CLEARED a/b: It is wrong."]


def test_two_conditions_are_told_apart() -> None:
    changed, _ = judge(Memory(), [condition("one"), condition("two")], ["log"], NOW_S)
    assert [firing.condition.fingerprint for firing in changed] == ["one", "two"]


def test_a_flapping_condition_is_told_once_in_half_an_hour_and_kept_in_the_history() -> None:
    memory, changed_in_all, texts = Memory(), 0, 0
    recorder = Recorder()
    for look in range(29):
        changed, memory = judge(memory, [condition()] if look % 2 else [], ["log"], NOW_S + 60 * look)
        changed_in_all += len(changed)
        memory, _ = delivery.deliver(memory, [recorder])
    texts = len(recorder.sent)
    assert changed_in_all == 28
    assert texts == 2
    _, memory = judge(Memory(told_at_s={"check a": NOW_S}), [condition()], ["log"], NOW_S + QUIET_S)
    assert len(told(memory)) == 1


def test_a_flood_is_cut_and_counted() -> None:
    many = [condition(f"check {number}") for number in range(BURST + 30)]
    _, memory = judge(Memory(), many, ["log"], NOW_S)
    assert len(told(memory)) == BURST + 1
    assert told(memory)[-1].startswith("… and 30 more")


class Recorder:
    """A channel that keeps what it is told, and can refuse."""

    def __init__(self, name: str = "log") -> None:
        self.name, self.sent, self.refuses = name, [], False

    sent: list[Message]

    def send(self, message: Message) -> None:
        if self.refuses:
            raise ChannelError("It does not listen.")
        self.sent.append(message)


def test_a_channel_that_does_not_listen_holds_up_no_other_and_is_told_later() -> None:
    deaf, other = Recorder("slack"), Recorder("log")
    deaf.refuses = True
    _, memory = judge(Memory(), [condition()], ["slack", "log"], NOW_S)
    memory, errors = delivery.deliver(memory, [deaf, other])
    assert errors == ["It does not listen."]
    assert len(other.sent) == 1
    deaf.refuses = False
    memory, errors = delivery.deliver(rule.remember(rule.write_cursor(memory)), [deaf, other])
    assert (len(deaf.sent), len(other.sent), errors) == (1, 1, [])


@pytest.mark.parametrize("text", [None, "", "no json", '{"version": 99}'])
def test_a_damaged_memory_is_a_fresh_start(text: str | None) -> None:
    assert rule.remember(text) == Memory()


@contextmanager
def listener(status: int = 200, body: bytes = b'{"ok": true}') -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what is posted to it."""
    posted: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, text, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def message() -> Message:
    (firing,), _ = judge(Memory(), [condition()], [], NOW_S)
    return Message(firing, rule.text_of(firing))


def test_a_webhook_gets_the_alert_as_json() -> None:
    with listener() as (url, posted):
        Webhook(url).send(message())
    ((_, body, _),) = posted
    assert json.loads(body)["state"] == "firing"
    assert json.loads(body)["fingerprint"] == "check a"


def test_slack_gets_the_alert_in_its_channel() -> None:
    with listener() as (url, posted):
        Slack("a-token", "#alerts", base_url=url).send(message())
    ((path, body, authorization),) = posted
    assert path == "/chat.postMessage"
    assert authorization == "Bearer a-token"
    assert b"It+is+wrong" in body or b"It is wrong" in body
    assert b"alerts" in body


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_a_channel_that_refuses_is_an_error_without_its_secret(kind: str) -> None:
    with listener(status=500, body=b'{"ok": false}') as (url, _):
        channel: Channel = Webhook(url) if kind == "webhook" else Slack("a-token", "#alerts", base_url=url)
        with pytest.raises(ChannelError) as caught:
            channel.send(message())
    assert "a-token" not in str(caught.value)
    assert url not in str(caught.value)


class Silent(SnowflakeResource):
    """A warehouse that keeps nothing."""


class Channels(AlertChannelsResource):
    def channels(self) -> list[Any]:
        return [recorder]


recorder = Recorder()


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Iterator["Ticking"]:
    recorder.sent.clear()
    monkeypatch.setattr(delivery, "write_history", lambda memory, write: (memory, ""))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticking(instance)


class Ticking:
    """The alert sensor, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None
        self.repository = defs().get_repository_def()

    def tick(self) -> list[str]:
        before = len(recorder.sent)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            resources={"alert_channels": Channels(), "warehouse": Silent()},
        ) as context:
            result = sensors.alerts_changed_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return [one.text for one in recorder.sent[before:]]

    def report(self, *, oldest_s: float) -> None:
        from crypto_platform.defs.warehouse.looks import OPEN_GAPS
        from crypto_platform.looks import evaluation

        finding = judge_gaps(GAPS.to_user_string(), {"open": 1}, oldest_s)
        self.instance.report_runless_asset_event(dg.AssetCheckEvaluation(**evaluation(OPEN_GAPS, finding)))


def test_a_failed_check_alerts_once_and_clears(ticking: Ticking) -> None:
    assert ticking.tick() == []
    ticking.report(oldest_s=500)
    (text,) = ticking.tick()
    assert text.startswith("ERROR snowflake/OPS/GAPS no_gap_stays_open")
    assert ticking.tick() == []
    ticking.report(oldest_s=1)
    (text,) = ticking.tick()
    assert text.startswith("CLEARED")
    assert ticking.tick() == []


def test_a_failed_run_alerts_once_and_the_next_success_clears_it(ticking: Ticking) -> None:
    @dg.op(config_schema=bool)
    def step(context: dg.OpExecutionContext) -> None:
        if context.op_config:
            raise dg.Failure("On purpose.")

    @dg.job
    def nightly_job() -> None:
        step()

    def run(*, fails: bool) -> None:
        config = {"ops": {"step": {"config": fails}}}
        nightly_job.execute_in_process(config, instance=ticking.instance, raise_on_error=False)

    run(fails=True)
    run(fails=True)
    (text,) = ticking.tick()
    assert text.startswith("ERROR nightly_job: Run ")
    run(fails=True)
    assert ticking.tick() == []
    run(fails=False)
    (text,) = ticking.tick()
    assert text.startswith("CLEARED nightly_job")


def test_a_stale_asset_is_a_condition(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.definitions.freshness import FreshnessState

    class Record:
        freshness_state = FreshnessState.FAIL

    class Instance:
        def get_freshness_state_records(self, keys: list[dg.AssetKey]) -> dict[dg.AssetKey, Record]:
            return {key: Record() for key in keys}

    (one,) = conditions.of_freshness(Instance(), [GAPS])  # type: ignore[arg-type]
    assert one.kind == "freshness"
    assert one.subject == GAPS.to_user_string()
