"""Logs without secrets, and the endpoint every long-running part has."""

from __future__ import annotations

import json
import logging
import socket

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter

from streaming import logs, settings, telemetry
from streaming.errors import SettingsError

CANARY = "s3cret-canary"


def test_a_secret_is_masked_on_every_way_into_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings.load({"KAFKA_SASL_PASSWORD": CANARY}), "test")
    log = structlog.get_logger("test")
    log.info(f"message {CANARY}", field=CANARY, nested={"inner": [CANARY]})
    logging.getLogger("foreign").warning("argument %s", CANARY, extra={"more": CANARY})
    try:
        raise RuntimeError(f"exception {CANARY}")
    except RuntimeError:
        log.exception("failed")
    printed = capsys.readouterr().out
    assert CANARY not in printed
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["event"] for line in lines] == ["message ********", "argument ********", "failed"]
    assert {line["service"] for line in lines} == {"test"}
    assert all(line["time"].endswith("Z") for line in lines)


def test_the_endpoint_serves_metrics_and_tells_whether_the_part_is_ready() -> None:
    registry = CollectorRegistry()
    Counter("frames", "Frames", registry=registry).inc(3)
    state = {"ok": False}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = telemetry.serve(port, registry, lambda: (state["ok"], {"pairs": 5}))
    try:
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/ready").status_code == 503
        state["ok"] = True
        assert httpx.get(f"{base}/ready").json() == {"ready": True, "pairs": 5}
        assert "frames_total 3.0" in httpx.get(f"{base}/metrics").text
        assert httpx.get(f"{base}/else").status_code == 404
        with pytest.raises(SettingsError, match=f"Port {port}"):
            telemetry.serve(port, registry, lambda: (True, {}))
    finally:
        endpoint.close()
