"""What infra writes for Dagster, read by Dagster itself."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from infra.local import dagster as local_dagster
from streaming import settings

REPOSITORY = Path(__file__).parents[3]


def _settings(home: Path, offset: int = 0) -> settings.Settings:
    return settings.load({}, home=home, port_offset=offset)


def test_dagster_accepts_the_instance_it_is_given(tmp_path: Path) -> None:
    folder = local_dagster.write_instance(_settings(tmp_path / "it's a home"))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_sensor_settings()["use_threads"]
        assert instance.get_runs() == []
    assert list(folder.glob("storage/**/runs.db"))


def test_the_generated_workspace_points_at_the_code_server_of_this_stack(tmp_path: Path) -> None:
    stack = _settings(tmp_path, offset=700)
    local_dagster.write_instance(stack)
    (location,) = yaml.safe_load(local_dagster.workspace_file(stack).read_text())["load_from"]
    assert location["grpc_server"] == {"host": "127.0.0.1", "port": 4700, "location_name": "crypto_platform"}
    assert "4700" in local_dagster.code_server_command(stack)
    assert "3700" in local_dagster.webserver_command(stack)


def test_every_process_listens_on_the_loopback_address_only(tmp_path: Path) -> None:
    stack = _settings(tmp_path)
    for command in (local_dagster.code_server_command(stack), local_dagster.webserver_command(stack)):
        assert command[command.index("--host") + 1] == "127.0.0.1"


def test_writing_again_keeps_what_dagster_has_stored(tmp_path: Path) -> None:
    stack = _settings(tmp_path)
    kept = local_dagster.write_instance(stack) / "storage" / "runs.db"
    kept.write_text("rows")
    local_dagster.write_instance(stack)
    assert kept.read_text() == "rows"


_DAEMONS = [
    {"daemonType": "SENSOR", "required": True, "healthy": True},
    {"daemonType": "ASSET", "required": False, "healthy": None},
]


@pytest.mark.parametrize(
    ("location", "daemons", "code_server", "daemon", "words"),
    [
        ({"__typename": "RepositoryLocation"}, _DAEMONS, True, True, ""),
        (None, _DAEMONS, False, True, "not loaded yet"),
        (
            {"__typename": "PythonError", "message": "ImportError: x\ntrace"},
            _DAEMONS,
            False,
            True,
            "ImportError: x",
        ),
        (
            {"__typename": "RepositoryLocation"},
            [{"daemonType": "SENSOR", "required": True, "healthy": False}],
            True,
            False,
            "no heartbeat of SENSOR",
        ),
    ],
)
def test_health_names_what_is_missing(
    location: object, daemons: list[object], code_server: bool, daemon: bool, words: str
) -> None:
    health = local_dagster.read_health(
        {
            "workspaceOrError": {"locationEntries": [{"locationOrLoadError": location}]},
            "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
        }
    )
    assert (health.code_server, health.daemon) == (code_server, daemon)
    assert words in health.detail
    assert health.ready == (code_server and daemon)


def test_a_webserver_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    assert not local_dagster.is_ready(_settings(tmp_path, offset=29_000))


def test_infra_writes_the_files_without_importing_dagster() -> None:
    code = "import sys, infra.local.dagster; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_the_production_instance_is_the_local_one_but_for_its_database_and_its_room(tmp_path: Path) -> None:
    from dagster._core.instance.ref import InstanceRef

    production = REPOSITORY / "infra" / "production" / "dagster.yaml"
    local = yaml.safe_load((local_dagster.write_instance(_settings(tmp_path)) / "dagster.yaml").read_text())
    remote = yaml.safe_load(production.read_text())
    for section in ("telemetry", "nux", "compute_logs", "run_queue", "run_monitoring", "retention"):
        assert remote[section] == local[section], section
    assert set(remote) - set(local) == {"run_launcher", "run_retries"}
    assert "postgres" in remote["storage"]
    assert "sqlite" in local["storage"]
    assert remote["sensors"]["use_threads"]
    rooms = [one["concurrency"]["runs"]["max_concurrent_runs"] for one in (remote, local)]
    assert rooms[0] > rooms[1]

    (tmp_path / "production").mkdir()
    (tmp_path / "production" / "dagster.yaml").write_text(production.read_text())
    reference = InstanceRef.from_dir(str(tmp_path / "production"))
    assert reference.run_storage_data is not None
    assert reference.run_storage_data.module_name == "dagster_postgres"
    assert reference.run_launcher_data is not None
    assert reference.run_launcher_data.class_name == "DockerRunLauncher"
