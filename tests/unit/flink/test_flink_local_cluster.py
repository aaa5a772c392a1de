"""The local cluster's configuration and command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import flink
from streaming import settings as settings_module
from streaming.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load({}, home=tmp_path / "it's home", port_offset=100)


def test_every_address_is_loopback_and_every_port_moves_with_the_offset(settings: Settings) -> None:
    configuration = flink.configuration(settings)
    addresses = {v for k, v in configuration.items() if k.endswith(("address", "bind-host", ".host"))}
    assert addresses == {"127.0.0.1"}
    ports = {k: v for k, v in configuration.items() if k.endswith("port")}
    assert ports == {
        "jobmanager.rpc.port": 6223,
        "rest.port": 8181,
        "rest.bind-port": 8181,
        "blob.server.port": 6224,
    }


def test_the_configuration_is_yaml_that_survives_a_quote(settings: Settings) -> None:
    import yaml

    folder = flink.configuration_folder(settings)
    flink.write_config(settings, folder)
    found = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert found == flink.configuration(settings)
    assert "it's home" in found["io.tmp.dirs"]
    assert (folder / "log4j-console.properties").exists()
    assert (folder.parent / "tmp").is_dir()


def reporters(settings: Settings) -> list[str]:
    commands = [flink.jobmanager_command(settings), *(flink.taskmanager_command(settings, n) for n in (0, 1))]
    assert {Path(command[0]).name for command in commands} == {"java"}
    return [part for command in commands for part in command if part.startswith("metrics.reporter")]


def test_no_metrics_are_served_on_all_interfaces_unless_they_are_asked_for(settings: Settings) -> None:
    assert reporters(settings) == []
    assert not any(key.startswith("metrics.reporter") for key in flink.configuration(settings))


def test_each_process_serves_its_metrics_on_a_port_of_its_own_when_asked(settings: Settings) -> None:
    asked = settings.model_copy(update={"flink_prometheus": True})
    assert reporters(asked) == [f"metrics.reporter.prometheus.port={port}" for port in (9210, 9211, 9212)]
    assert flink.configuration(asked)["metrics.reporters"] == "prometheus"


def test_the_heap_is_what_flink_is_told_it_is(settings: Settings) -> None:
    told = flink.configuration(settings)
    heap = sum(
        int(str(told[f"taskmanager.memory.{part}.heap.size"]).removesuffix("m"))
        for part in ("task", "framework")
    )
    assert f"-Xmx{heap}m" in flink.taskmanager_command(settings, 0)
