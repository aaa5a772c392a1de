"""An emulator with the platform's schema for one measurement: its own folder and port, nothing left behind.

What belongs here: this short life. What does not: what is measured (`streaming.bench`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local import emulator_readiness
from snowflake_sql import deploy
from streaming.errors import ServiceUnavailableError
from streaming.settings import Settings

PORT_STEP: Final = 2_500
"""Added to the configured offset, so that a measurement can run beside the stack of the same settings."""
START_S: Final = 60.0
STOP_S: Final = 20.0
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class ScratchEmulator:
    """Where the emulator is, and its process."""

    settings: Settings
    pid: int


@contextmanager
def emulator_for_a_while(settings: Settings) -> Iterator[ScratchEmulator]:
    """An emulator in a temporary folder, migrated.

    Raises:
        ServiceUnavailableError: it does not start.
        MigrationError: a migration failed.
    """
    with tempfile.TemporaryDirectory(prefix="crypto-bench-") as folder:
        scratch = settings.model_copy(
            update={
                "home": Path(folder),
                "port_offset": settings.port_offset + PORT_STEP,
                "snowflake_account": None,
            }
        )
        environment = {"CRYPTO_HOME": folder, "CRYPTO_PORT_OFFSET": str(scratch.port_offset)}
        with (scratch.home / "emulator.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.emulator"], env=environment, stdout=log, stderr=log
            )
        try:
            _await_ready(scratch, process)
            deploy.deploy(scratch)
            yield ScratchEmulator(scratch, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_S
    while not emulator_readiness.is_ready(settings, timeout_s=1):
        if process.poll() is not None or time.monotonic() > deadline_s:
            lines = (
                (settings.home / "emulator.log").read_text(encoding="utf-8", errors="replace").splitlines()
            )
            raise ServiceUnavailableError(
                f"The emulator of the measurement does not start ({' | '.join(lines[-3:]) or 'no word'}).",
                "Free its port, or move it with CRYPTO_PORT_OFFSET.",
            )
        time.sleep(POLL_S)
