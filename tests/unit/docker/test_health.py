"""The health check: what a container's engine is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from infra.docker import health
from streaming import telemetry


@pytest.fixture
def service() -> Iterator[tuple[int, dict[str, bool]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    state = {"ok": True}
    endpoint = telemetry.serve(port, CollectorRegistry(), lambda: (state["ok"], {"waiting_for": "kafka"}))
    yield port, state
    endpoint.close()


def test_a_service_is_healthy_while_it_says_it_is_ready(
    service: tuple[int, dict[str, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    port, state = service
    url = f"http://127.0.0.1:{port}/ready"
    assert health.main([url, f"tcp://127.0.0.1:{port}"]) == 0
    state["ok"] = False
    assert health.main([url]) == 1
    assert "503" in capsys.readouterr().out


def test_nobody_there_is_not_healthy() -> None:
    assert health.main(["tcp://127.0.0.1:1"]) == 1
    assert health.main(["http://127.0.0.1:1/ready"]) == 1
