"""A Snowflake emulator of its own for a test: its own process, folder and port.

What belongs here: starting, killing and restarting it. What does not: assertions.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from infra.local import emulator, emulator_readiness
from streaming import settings as settings_module
from streaming.settings import LOOPBACK, Ports, Settings

REPOSITORY = Path(__file__).parents[2]
START_TIMEOUT_S = 60


def environment(home: Path) -> dict[str, str]:
    """Settings with a port offset at which the ports that loader tests use are free."""
    for offset in random.sample(range(18_000, 23_000), 100):
        ports = Ports(offset)
        wanted = (ports.emulator, ports.metrics_loader, *ports.kafka, *ports.kafka_controllers)
        if all(map(_is_free, wanted)):
            return {"CRYPTO_HOME": str(home), "CRYPTO_PORT_OFFSET": str(offset)}
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def inherited() -> dict[str, str]:
    """The environment of the tests without settings of the platform."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CRYPTO_", "KAFKA_", "SNOWFLAKE_"))}


@dataclass
class Emulator:
    """One emulator; `settings` lead to it."""

    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def settings(self) -> Settings:
        return settings_module.load(self.environment)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.emulator"],
            env=inherited() | self.environment,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not emulator_readiness.is_ready(self.settings, timeout_s=1):
            assert self.process.poll() is None, "the emulator ended while it started"
            assert time.monotonic() < deadline, "the emulator did not become ready"
            time.sleep(0.1)

    def python(self, *arguments: str) -> str:
        """What a Python process with these settings prints; it must succeed."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=inherited() | self.environment,
            cwd=REPOSITORY,
            check=True,
            timeout=180,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@cache
def _migrated() -> Path:
    """The files of an emulator with the platform's schema, made once and kept until these tests end."""
    home = tempfile.TemporaryDirectory(prefix="crypto-schema-")
    atexit.register(home.cleanup)
    first = Emulator(environment(Path(home.name)))
    try:
        first.start()
        first.python("-m", "snowflake_sql.deploy")
    finally:
        if first.process is not None:
            first.stop()
    return emulator.folder(first.settings)


@contextmanager
def running(home: Path, *, migrated: bool = True) -> Iterator[Emulator]:
    """An emulator, with the platform's schema unless told otherwise."""
    started = Emulator(environment(home))
    if migrated:
        shutil.copytree(_migrated(), emulator.folder(started.settings))
    try:
        started.start()
        yield started
    finally:
        if started.process is not None:
            started.stop()
