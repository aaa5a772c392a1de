"""A whole platform for a test: its own home and ports, driven by the `crypto-platform` command alone.

What belongs here: starting, asking and stopping it the way a person would. What does not: assertions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local import jars
from streaming import settings as settings_module
from streaming import warehouse
from streaming.settings import Settings

REPOSITORY = Path(__file__).parents[2]
RECORDING = Path(os.environ.get("RECORDED_TRADES", REPOSITORY.parent / "shared" / "data"))
UP_TIMEOUT_S = 420


@dataclass(frozen=True)
class Platform:
    """One stack and the environment that names it."""

    home: Path
    environment: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        return settings_module.load(dict(self.environment))

    def command(self, *arguments: str, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        """Run `crypto-platform` with these arguments and return what it printed."""
        return subprocess.run(
            self.command_line(*arguments),
            env=self.process_environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def command_line(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("crypto-platform")), *arguments]

    def process_environment(self) -> dict[str, str]:
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("CRYPTO_", "KAFKA_", "SNOWFLAKE_"))
        }
        return inherited | dict(self.environment) | {"NO_COLOR": "1"}

    def json(self, *arguments: str, timeout_s: float = 180) -> tuple[int, Any]:
        """Exit code and JSON answer of a command."""
        result = self.command(*arguments, "--json", timeout_s=timeout_s)
        assert result.stdout.strip(), f"{arguments} printed nothing but: {result.stderr}"
        return result.returncode, json.loads(result.stdout)

    def up(self) -> dict[str, Any]:
        code, answer = self.json("up", "--detach", timeout_s=UP_TIMEOUT_S)
        assert code == 0, answer
        assert isinstance(answer, dict)
        return answer

    def down(self) -> subprocess.CompletedProcess[str]:
        return self.command("down", timeout_s=120)

    def rows(self, statement: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """What the warehouse answers."""
        with warehouse.connect(self.settings) as connection:
            return warehouse.rows(connection, statement, params)

    def control(self, action: str, **values: Any) -> Any:
        """Ask the simulated exchange for a fault or an injected event."""
        answer = httpx.post(f"{self.settings.simulator_url}/control/{action}", json=values, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def truth(self, path: str, **params: Any) -> Any:
        """Ask the simulated exchange what it really traded."""
        answer = httpx.get(f"{self.settings.simulator_url}/truth/{path}", params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def await_that(self, what: str, condition: Callable[[], bool], timeout_s: float = 180) -> None:
        """Poll until the condition holds, or fail with its name."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            time.sleep(0.3)


def prepare(home: Path, offset: int, **environment: str) -> Platform:
    """A platform in `home`; the Java archives are shared with the checkout's own data folder."""
    shared = REPOSITORY / ".local"
    jars.fetch(shared)
    home.mkdir(parents=True, exist_ok=True)
    (home / "jars").symlink_to(shared / "jars", target_is_directory=True)
    settings = {"CRYPTO_HOME": str(home), "CRYPTO_PORT_OFFSET": str(offset), "CRYPTO_SOURCE": "sim"}
    return Platform(home, settings | environment)
