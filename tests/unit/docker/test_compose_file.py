"""The compose file: hardened, ordered, documented, and giving each service settings that it accepts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from crypto_platform.control.containers import COMPONENT_LABEL, SERVICE_LABEL, STACK_LABEL
from crypto_platform.control.status import COMPONENTS
from infra.docker import secrets as platform_secrets
from streaming import settings
from tests import compose_file
from tests.compose_file import COMPOSE, REPOSITORY

SERVICES = compose_file.services()
OURS = {name: service for name, service in SERVICES.items() if compose_file.is_ours(service)}
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
ONCE = {name: service for name, service in SERVICES.items() if service["restart"] == "no"}
PRODUCTION = REPOSITORY / "infra" / "production" / "dagster.yaml"
DOCUMENT = REPOSITORY / "docs" / "containers.md"
TOOL = shutil.which("docker-compose") or str(REPOSITORY / ".local" / "tools" / "docker-compose")


def documented(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of docs/containers.md."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return {
        name for row in re.findall(r"^\| (.+?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_little_and_has_bounds(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]
    assert "privileged" not in service
    assert service.get("network_mode", "none") == "none", "the engine's or another's network"
    assert re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", service["image"]), "the image has no exact version"
    assert service.get("user", "10001") not in ("0:0", "root") or name == "secrets"
    if compose_file.is_ours(service):
        assert service["read_only"]
        assert service["pull_policy"] in ("build", "never"), "a registry could put another image in its place"


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_started_again_and_says_whether_it_is_healthy(name: str) -> None:
    service = LASTING[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_waits_only_for_a_start(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if needed in ONCE else "service_healthy"
        assert how["condition"] == wanted, needed
        if SERVICES[needed].get("profiles"):
            assert how["required"] is False, f"{needed} is in a profile"


def test_what_runs_once_is_waited_for_so_that_a_start_with_wait_ends() -> None:
    awaited = {needed for service in SERVICES.values() for needed in service.get("depends_on", {})}
    assert set(ONCE) <= awaited


def test_every_port_is_published_on_this_machine_alone() -> None:
    assert {8000, 3000, 8080, 8081, 9092, 9093, 9094} <= set(compose_file.published())


@pytest.mark.parametrize("page", ["README.md", "docs/containers.md"])
def test_the_ports_table_is_that_of_the_file(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    section = text.split("In containers\n" if page == "README.md" else "## Ports\n")[1]
    rows = re.findall(r"^\| (\d{4}) \| `([\w-]+)`", section, re.M)
    assert {int(port): name for port, name in rows} == compose_file.published()


@pytest.mark.parametrize("name", OURS)
def test_every_name_that_our_services_are_given_is_a_documented_setting(name: str) -> None:
    known = set(settings.environment_names().values()) | documented("Environment of Dagster's containers")
    assert set(compose_file.environment(OURS[name])) <= known


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(OURS)))
def test_every_name_that_an_official_image_is_given_is_documented(name: str) -> None:
    given = set(compose_file.environment(SERVICES[name]))
    assert given <= documented("Environment of the official images"), name


@pytest.mark.parametrize("name", OURS)
def test_our_services_accept_what_they_are_given(name: str) -> None:
    found = settings.load(compose_file.environment(OURS[name]))
    if name != "secrets":
        assert found.kafka_bootstrap_servers
        assert all(found.host(placed) == placed for placed in settings.PLACED if placed != "dashboard")
        assert set(settings.PLACED) <= set(SERVICES)


def test_dagster_alone_gets_the_engines_socket_and_tells_its_own_backend_so() -> None:
    for name, service in SERVICES.items():
        mounts = any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
        assert mounts == (name in ("dagster-code", "dagster-webserver", "dagster-daemon")), name
        if compose_file.is_ours(service) and name != "secrets":
            backend = compose_file.environment(service)["CRYPTO_CONTROL_BACKEND"]
            assert backend == ("docker" if name.startswith("dagster") else "external")


def test_every_component_has_containers_that_are_found_by_their_labels() -> None:
    labelled = {name: service["labels"] for name, service in SERVICES.items() if "labels" in service}
    assert {labels[COMPONENT_LABEL] for labels in labelled.values()} == set(COMPONENTS)
    assert {name: labels[SERVICE_LABEL] for name, labels in labelled.items()} == {
        name: name for name in labelled
    }
    stack = compose_file.environment(SERVICES["dagster-daemon"])["CRYPTO_DOCKER_STACK"]
    assert {labels[STACK_LABEL] for labels in labelled.values()} == {stack}


def test_the_streaming_parts_cannot_be_scaled_to_two_of_a_name() -> None:
    for name in ("producer", "loader", "flink-jobs"):
        assert SERVICES[name]["container_name"] == f"crypto-platform-{name}"


def test_run_containers_get_only_names_that_the_daemon_knows() -> None:
    config = yaml.safe_load(PRODUCTION.read_text(encoding="utf-8"))["run_launcher"]["config"]
    assert set(config["env_vars"]) <= set(compose_file.environment(SERVICES["dagster-daemon"]))
    given = {entry["env"] for entry in config["networks"]}
    assert given <= set(compose_file.environment(SERVICES["dagster-daemon"]))


def test_run_containers_are_as_hardened_as_services_and_leave_nothing() -> None:
    kwargs = yaml.safe_load(PRODUCTION.read_text(encoding="utf-8"))["run_launcher"]["config"][
        "container_kwargs"
    ]
    assert kwargs["auto_remove"]
    assert kwargs["read_only"]
    assert kwargs["cap_drop"] == ["ALL"]
    assert kwargs["security_opt"] == ["no-new-privileges:true"]
    assert kwargs["mem_limit"]


def test_what_run_containers_get_of_the_place_is_a_context_that_dagster_docker_accepts() -> None:
    from dagster_docker.container_context import DockerContainerContext

    text = compose_file.environment(SERVICES["dagster-code"])["DAGSTER_CONTAINER_CONTEXT"]
    context = DockerContainerContext.create_from_config(json.loads(text))
    volumes = [volume.split(":")[0] for volume in context.container_kwargs["volumes"]]
    named = {f"crypto-platform_{name}" for name in compose_file.read()["volumes"]}
    assert set(volumes) - named == {"/var/run/docker.sock"}


def test_the_tag_is_the_platforms_version() -> None:
    version = re.search(r'^version = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert {service["image"] for service in OURS.values()} == {f"crypto-platform:{version[1]}"}


def test_neither_image_nor_compose_holds_an_address_a_credential_or_a_path_of_a_machine() -> None:
    files = [COMPOSE, *(COMPOSE.parent / name for name in ("Dockerfile", "workspace.yaml")), PRODUCTION]
    for path in files:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)) - {"127.0.0.1", "0.0.0.0"}
        assert not addresses, path
        hosts = set(re.findall(r"https?://([^/\s\"':]+)", text)) - {"127.0.0.1"}
        assert not hosts, path
        assert not re.search(r"/(home|Users|root|mnt|work|srv)/", text), path
        for name, value in re.findall(r"(\w*(?:PASSWORD|TOKEN|SECRET|PASSPHRASE)\w*): (.*)", text):
            assert name.endswith("_FILE") or value in ('""', ""), f"{name} in {path}"


def test_both_locks_agree_and_name_no_address() -> None:
    pin = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([^ ;]+)", re.M)
    full, runtime = (
        dict(pin.findall((REPOSITORY / name).read_text(encoding="utf-8")))
        for name in ("requirements.lock", "requirements-runtime.lock")
    )
    assert runtime
    assert runtime.items() <= full.items()
    assert not {"pytest", "mypy", "playwright"} & set(runtime)
    assert "://" not in (REPOSITORY / "requirements-runtime.lock").read_text(encoding="utf-8")


def test_the_files_of_the_image_are_clean_to_their_linters() -> None:
    tools = Path(sys.executable).parent
    for command in (
        [tools / "hadolint", COMPOSE.parent / "Dockerfile"],
        [tools / "compose-lint", "check", "--fail-on", "low", "--strict-config", COMPOSE],
    ):
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.skipif(
    not Path(TOOL).exists(), reason="docker-compose is not installed: make compose-tool builds it"
)
@pytest.mark.parametrize("override", [(), ("compose.socket-proxy.yaml",)])
@pytest.mark.parametrize("profiles", ["", "emulator", "account", "emulator,sim", "account,sim"])
def test_compose_itself_accepts_every_profile(profiles: str, override: tuple[str, ...]) -> None:
    files = [
        argument for name in ("compose.yaml", *override) for argument in ("--file", COMPOSE.parent / name)
    ]
    run = subprocess.run(
        [TOOL, *files, "config", "--format", "json"],
        env={**os.environ, "COMPOSE_PROFILES": profiles},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "level=warning" not in run.stderr, run.stderr
    resolved: dict[str, Any] = json.loads(run.stdout)["services"]
    assert ("emulator" in resolved) == ("emulator" in profiles)
    assert ("account" in resolved) == ("account" in profiles)
    assert ("simulator" in resolved) == ("sim" in profiles)


def test_a_password_is_made_once_and_each_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    me = os.getuid()

    def prepare(key: Path | None = None) -> list[str]:
        return platform_secrets.prepare(tmp_path, key, platform_user=me, postgres_user=me)

    assert prepare() == ["postgres_password", "pgpass"]
    password = (tmp_path / "postgres_password").read_text()
    assert len(password) > 40
    assert (tmp_path / "pgpass").read_text() == f"*:*:*:*:{password}\n"
    assert prepare() == [], "an installation's password changed at its second start"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_key_is_copied_and_goes_when_it_is_no_longer_given(tmp_path: Path) -> None:
    key, folder = tmp_path / "key.p8", tmp_path / "volume"
    folder.mkdir()
    key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    me = os.getuid()
    assert "snowflake_key" in platform_secrets.prepare(folder, key, platform_user=me, postgres_user=me)
    assert (folder / "snowflake_key").read_text() == key.read_text()
    key.write_text("")
    platform_secrets.prepare(folder, key, platform_user=me, postgres_user=me)
    assert not (folder / "snowflake_key").exists()
