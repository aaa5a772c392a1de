"""One process of Flink in a container: the configuration of one machine, with compose's host names."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.docker import flink as in_container
from infra.local import flink
from streaming import settings
from tests import compose_file

SERVICES = compose_file.services()


def of(name: str, home: Path) -> settings.Settings:
    given = {**compose_file.environment(SERVICES[name]), "CRYPTO_HOME": str(home), "CRYPTO_LISTEN": "0.0.0.0"}
    return settings.load(given)


def test_the_processes_find_each_other_by_compose_s_names(tmp_path: Path) -> None:
    found = flink.configuration(of("flink-taskmanager-1", tmp_path))
    assert found["jobmanager.rpc.address"] == "flink-jobmanager"
    assert found["rest.bind-address"] == found["taskmanager.bind-host"] == "0.0.0.0"
    line = in_container.command(of("flink-taskmanager-2", tmp_path), "taskmanager-2")
    assert "taskmanager.host=flink-taskmanager-2" in line


@pytest.mark.parametrize("name", ["flink-taskmanager-1", "flink-taskmanager-2"])
def test_the_health_check_asks_the_port_that_the_process_is_given(name: str, tmp_path: Path) -> None:
    (asked,) = [word for word in SERVICES[name]["healthcheck"]["test"] if word.startswith("tcp://")]
    line = in_container.command(of(name, tmp_path), SERVICES[name]["command"][-1])
    port = next(word for word in line if word.startswith("taskmanager.rpc.port=")).split("=")[1]
    assert asked == f"tcp://{name}:{port}"


def test_on_one_machine_all_is_loopback_as_ever(tmp_path: Path) -> None:
    found = flink.configuration(settings.load({"CRYPTO_HOME": str(tmp_path)}))
    assert {found[key] for key in ("jobmanager.rpc.address", "rest.address", "taskmanager.bind-host")} == {
        "127.0.0.1"
    }


def test_another_process_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_container.main(["historyserver"]) == 2
    assert "usage" in capsys.readouterr().err
