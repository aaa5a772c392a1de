"""The processes of a measurement: the feed and the real producer, started, watched and ended.

What belongs here: their lives. What does not: what is asked of them and when (`ingest`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from streaming.errors import PlatformError
from streaming.settings import LOOPBACK, Settings

START_S: Final = 60.0
STOP_S: Final = 30.0
POLL_S: Final = 0.1
HTTP_TIMEOUT_S: Final = 30.0
LOG_LINES: Final = 5


class BenchError(PlatformError):
    """A part of the measurement did not do its work, so there is no figure."""


class Child:
    """`python -m …` with its log in the measurement's home; use it as a context, which ends the process."""

    def __init__(
        self, settings: Settings, name: str, command: list[str], environment: Mapping[str, str], stdout: int
    ) -> None:
        self.name = name
        self._log = settings.home / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log if stdout == subprocess.STDOUT else stdout,
                stderr=log,
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def first_line(self) -> str:
        """What the process says first on its standard output. Raises BenchError when it ends instead."""
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            self._process.wait(STOP_S)
            self.require_alive()
        return line.decode().strip()

    def require_alive(self) -> None:
        """Raises BenchError with the process's last words."""
        if self._process.poll() is not None:
            raise self.failed(f"ended with {self._process.returncode}")

    def failed(self, what: str) -> BenchError:
        """The error that says so, with the end of the log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return BenchError(f"The {self.name} {what}. {' | '.join(lines) or 'It wrote nothing.'}")

    def sleep(self, seconds: float) -> None:
        """Let time pass while the process lives. Raises BenchError."""
        deadline_s = time.monotonic() + seconds
        while (left_s := deadline_s - time.monotonic()) > 0:
            self.require_alive()
            time.sleep(min(left_s, POLL_S))

    def end(self) -> None:
        """Ask it to end, and require that it does so cleanly. Raises BenchError."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not end within {STOP_S:g} s") from None
        if code != 0:
            raise self.failed(f"ended with {code}")


class Feed:
    """The running feed; `url` is its host and port."""

    def __init__(self, child: Child, url: str) -> None:
        self.child = child
        self.url = url

    def stop(self) -> dict[str, Any]:
        """End the sending and return the feed's report. Raises BenchError."""
        try:
            answer = httpx.post(f"http://{self.url}/feed/stop", timeout=HTTP_TIMEOUT_S)
        except httpx.HTTPError as error:
            raise self.child.failed(f"does not answer ({error})") from error
        report: dict[str, Any] = answer.json()
        return report


@contextmanager
def feed(settings: Settings, rate: float | None, longest_s: float) -> Iterator[Feed]:
    """A feed of the settings' pairs that sends for `longest_s` seconds at most. Raises BenchError."""
    command = ["streaming.bench.feed", "--pairs", ",".join(settings.partitions), "--seconds", str(longest_s)]
    command += [] if rate is None else ["--rate", str(rate)]
    with Child(settings, "feed", command, {}, subprocess.PIPE) as child:
        yield Feed(child, f"{LOOPBACK}:{child.first_line()}")


@contextmanager
def producer(settings: Settings, feed_url: str) -> Iterator[Child]:
    """The real producer on the feed, once it is ready. Raises BenchError."""
    port = settings.ports.metrics_producers[0]
    environment = {
        "CRYPTO_HOME": str(settings.home),
        "CRYPTO_PORT_OFFSET": str(settings.port_offset),
        "CRYPTO_SOURCE": "okx",
        "CRYPTO_OKX_WS_URL": f"ws://{feed_url}",
        "CRYPTO_OKX_REST_URL": f"http://{feed_url}",
        "CRYPTO_METRICS_PORT": str(port),
    }
    with Child(settings, "producer", ["streaming.producer"], environment, subprocess.STDOUT) as child:
        deadline_s = time.monotonic() + START_S
        while not _is_ready(port):
            child.require_alive()
            if time.monotonic() > deadline_s:
                raise child.failed(f"was not ready within {START_S:g} s")
            time.sleep(POLL_S)
        yield child


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
