"""What the engine's description of a container means, and an engine that does not answer.

The back-end over a real engine is in `tests/integration/test_docker_platform.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from crypto_platform.control import containers
from crypto_platform.control.backends import External
from crypto_platform.control.containers import Contained
from crypto_platform.control.managed import backend_of
from crypto_platform.control.status import COMPONENTS, ControlError
from streaming import settings

BORN = "2026-03-01T00:00:01.500000000Z"


def described(status: str, **state: Any) -> dict[str, Any]:
    running = status in ("running", "restarting", "paused")
    return {
        "Id": "0123456789abcdef",
        "State": {"Status": status, "Running": running, "ExitCode": 0, "StartedAt": BORN, **state},
    }


@pytest.mark.parametrize(
    ("description", "state"),
    [
        (described("running"), "running"),
        (described("running", Health={"Status": "healthy"}), "running"),
        (described("running", Health={"Status": "unhealthy"}), "running"),
        (described("running", Health={"Status": "starting"}), "starting"),
        (described("restarting", Restarting=True, ExitCode=1), "failed"),
        (described("created"), "stopped"),
        (described("exited"), "stopped"),
        (described("exited", ExitCode=143), "stopped"),
        (described("exited", ExitCode=137), "failed"),
        (described("exited", ExitCode=1), "failed"),
        (described("exited", OOMKilled=True), "failed"),
        (described("dead", ExitCode=255), "failed"),
    ],
)
def test_a_state_of_the_engine_is_a_state_of_ours(description: dict[str, Any], state: str) -> None:
    found = containers._status("loader", description)
    assert found.state == state
    assert bool(found.detail) == (state != "running")


@pytest.mark.parametrize(
    ("description", "ready"),
    [
        (described("running"), True),
        (described("running", Health={"Status": "healthy"}), True),
        (described("running", Health={"Status": "starting"}), False),
        (described("running", Health={"Status": "unhealthy"}), False),
        (described("exited"), False),
    ],
)
def test_a_start_is_over_when_it_is_healthy(description: dict[str, Any], ready: bool) -> None:
    assert containers._ready(description) == ready


def test_a_life_is_the_container_and_its_start_and_ends_with_it() -> None:
    first = containers._status("loader", described("running"))
    assert first.incarnation == f"loader:0123456789ab@{BORN}"
    assert first.since_s == pytest.approx(1772323201.5)
    again = containers._status("loader", described("running", StartedAt="2026-03-01T00:00:02Z"))
    assert again.incarnation != first.incarnation
    assert again.since_s == pytest.approx(1772323202)
    assert containers._status("loader", described("exited")).incarnation == ""


def test_a_container_that_ran_out_of_memory_says_so() -> None:
    assert "out of memory" in containers._status("loader", described("exited", OOMKilled=True)).detail


def test_an_engine_that_is_not_there_is_unknown_to_a_look_and_an_error_to_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    backend = Contained("nobody", External({"loader": lambda: True}))
    assert backend.status("loader").state == "unknown"
    assert "Docker engine" in backend.status("loader").detail
    with pytest.raises(ControlError, match="DOCKER_HOST"):
        backend.start("loader", 1)


def test_the_setting_chooses_the_engine_for_every_component() -> None:
    chosen = settings.load({"CRYPTO_CONTROL_BACKEND": "docker", "CRYPTO_DOCKER_STACK": "one"})
    for component in COMPONENTS:
        backend = backend_of(component, chosen)
        assert isinstance(backend, Contained)
        assert backend.stack == "one"
