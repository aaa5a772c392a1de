"""A Docker engine of a test's own: its socket, its data, the platform's image, and nothing left after.

What belongs here: the engine, the base image, the build, and a service of compose as a container on the
host's network. What does not: assertions. Neither a registry nor a bridge is needed: the base image is a
Debian 12 made by debootstrap, kept in `.local/docker`, and containers use the host's network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import psutil
import pytest
from docker.models.containers import Container

from tests.compose_file import REPOSITORY

BASE: Final = "crypto-platform-base:bookworm"
IMAGE: Final = "crypto-platform:0.1.0"
SUITE: Final = "bookworm"
PACKAGES: Final = "ca-certificates,python3,python3-venv"
TRUSTED: Final = Path("/etc/ssl/certs/ca-certificates.crt")
STORAGE_DRIVERS: Final = ("overlay2", "vfs")
READY_S: Final = 20.0


def missing() -> str:
    """Why no engine can be started here; empty if one can."""
    if os.geteuid() != 0:
        return "a Docker engine of the test's own needs root"
    for program in ("dockerd", "debootstrap"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install docker.io debootstrap)"
    return ""


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    client: Any
    process: subprocess.Popen[bytes]
    folder: Path
    storage_driver: str

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def group(self) -> int:
        """Who else than root may use the socket."""
        return self.socket.stat().st_gid


@contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """An engine until the block ends; then its containers, volumes, images, processes and data are gone."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    engine = next((found for driver in STORAGE_DRIVERS if (found := _started(folder / driver, driver))), None)
    if engine is None:
        pytest.skip("dockerd does not run here, with no storage driver; its logs are in " + str(folder))
    try:
        yield engine
    finally:
        _remove(engine)
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, driver: str) -> Engine | None:
    folder.mkdir(parents=True)
    command = [
        *("dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", f"--storage-driver={driver}"),
        *("--host", f"unix://{folder / 'docker.sock'}", "--pidfile", str(folder / "docker.pid")),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    client = None
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "docker.sock").exists():
            client = client or docker.DockerClient(f"unix://{folder / 'docker.sock'}", timeout=600)
            try:
                client.ping()
            except (docker.errors.DockerException, OSError):
                pass
            else:
                return Engine(client, process, folder, driver)
        time.sleep(0.2)
    process.terminate()
    process.wait(30)
    return None


def _remove(engine: Engine) -> None:
    for container in engine.client.containers.list(all=True):
        container.remove(force=True, v=True)
    for volume in engine.client.volumes.list():
        volume.remove(force=True)
    engine.client.close()
    children = psutil.Process(engine.process.pid).children(recursive=True)
    engine.process.terminate()
    engine.process.wait(60)
    _, alive = psutil.wait_procs(children, timeout=30)
    for process in alive:
        process.kill()
    for mount in sorted(_mounts(engine.folder), reverse=True):  # that of its network namespace stays
        subprocess.run(["umount", mount], timeout=30, check=True)
    shutil.rmtree(engine.folder, ignore_errors=True)


def _mounts(folder: Path) -> list[str]:
    lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    return [line.split()[1] for line in lines if str(folder) in line.split()[1]]


def left_of(folder: Path) -> list[str]:
    """What an engine in `folder` has left: processes that name it, mounts and files."""
    processes = [
        f"{process.info['pid']} {process.info['name']}"
        for process in psutil.process_iter(["pid", "name", "cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]
    files = [str(path) for path in folder.rglob("*") if path.name != "log"] if folder.exists() else []
    return [*_mounts(folder), *processes, *files]


def import_base(engine: Engine) -> None:
    """Debian 12 with Python 3.11 as an image."""
    archive = REPOSITORY / ".local" / "docker" / f"{SUITE}.tar"
    if not archive.exists():
        root = archive.with_suffix(".root")
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)],
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        if made.returncode != 0:
            pytest.skip(f"debootstrap found no Debian: {made.stdout[-300:]}")
        partial = archive.with_suffix(".partial")
        with tarfile.open(partial, "w") as tar:
            tar.add(root, arcname=".")
        partial.rename(archive)
        shutil.rmtree(root)
    repository, tag = BASE.split(":")
    engine.client.api.import_image_from_file(str(archive), repository=repository, tag=tag)


def build(engine: Engine, context: Path) -> tuple[Any, float]:
    """The platform's image from the files that git knows, and the seconds that its build took.

    The certificates that this machine trusts are given to the build, as one behind a proxy would.
    """
    context.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=30,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, target)
    shutil.copy(TRUSTED, context / "infra" / "docker" / "certificates" / "trusted.pem")
    begun_s = time.monotonic()
    image, _ = engine.client.images.build(
        path=str(context),
        dockerfile="infra/docker/Dockerfile",
        tag=IMAGE,
        buildargs={"BASE_IMAGE": BASE},
        network_mode="host",
        rm=True,
    )
    return image, time.monotonic() - begun_s


def container(
    engine: Engine,
    name: str,
    service: Mapping[str, Any],
    environment: Mapping[str, str],
    replaced: Mapping[str, str],
    **options: Any,
) -> Container:
    """A service of compose, started on the host's network with all that compose bounds it by.

    Args:
        engine: where.
        name: of the container.
        service: as `tests.compose_file.services` has it.
        environment: instead of what compose gives it.
        replaced: words of its command and health check that differ here, such as ports.
        options: of `containers.create`, beside or instead of compose's.
    """

    def here(words: list[str]) -> list[str]:
        found = []
        for word in words:
            for old, new in replaced.items():
                word = word.replace(old, new)
            found.append(word)
        return found

    health = service.get("healthcheck")
    given = {
        "name": name,
        "command": here(service["command"]),
        "environment": dict(environment),
        "labels": service.get("labels", {}),
        "network_mode": "host",
        "init": service["init"],
        "read_only": service["read_only"],
        "tmpfs": dict(entry.split(":") for entry in service["tmpfs"]),
        "cap_drop": service["cap_drop"],
        "security_opt": service["security_opt"],
        "mem_limit": service["mem_limit"],
        "pids_limit": service["pids_limit"],
        "restart_policy": {"Name": service["restart"]} if service["restart"] != "no" else None,
        "healthcheck": health and {"test": here(health["test"]), "interval": 2_000_000_000, "retries": 30},
    }
    made = engine.client.containers.create(IMAGE, **given | options)
    made.start()
    return made
