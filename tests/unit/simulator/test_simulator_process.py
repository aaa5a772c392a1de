"""`python -m streaming.simulator` as the supervisor sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streaming.settings import Ports

DEFAULT_PORT = Ports().simulator


def free_offset() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) - DEFAULT_PORT


class Process:
    def __init__(self, home: Path, offset: int, **environment: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CRYPTO_")}
        self.url = f"http://127.0.0.1:{DEFAULT_PORT + offset}"
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "streaming.simulator"],
            env=inherited | {"CRYPTO_HOME": str(home), "CRYPTO_PORT_OFFSET": str(offset)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        end = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{self.url}/ready", timeout=2).raise_for_status()
                return
            except httpx.TransportError:
                assert self.popen.poll() is None, self.popen.communicate()
                assert time.monotonic() < end, "the simulator did not become ready"
                time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.popen.send_signal(number)
        _, errors = self.popen.communicate(timeout=15)
        return self.popen.returncode, errors


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate(timeout=15)


def test_it_ends_with_zero_on_sigterm_and_after_a_kill_goes_on_where_it_was(
    tmp_path: Path, processes: list[Process]
) -> None:
    offset = free_offset() % 30_000
    first = Process(tmp_path, offset, CRYPTO_SIM_TRADES_PER_SECOND="500")
    processes.append(first)
    first.wait_ready()
    end = time.monotonic() + 10
    while not (seen := httpx.get(f"{first.url}/truth/summary").json()["pairs"]["BTC-USDT"]):
        assert time.monotonic() < end
    trades = httpx.get(f"{first.url}/truth/trades", params={"pair": "BTC-USDT"}).json()["trades"]
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL

    second = Process(tmp_path, offset)
    processes.append(second)
    second.wait_ready()
    later = httpx.get(f"{second.url}/truth/trades", params={"pair": "BTC-USDT"}).json()["trades"]
    assert later[: len(trades)] == trades
    assert seen["count"] <= len(trades)
    assert second.end() == (0, "")


def test_a_taken_port_and_a_bad_recording_are_one_clear_line_and_exit_two(
    tmp_path: Path, processes: list[Process]
) -> None:
    with socket.socket() as taken:
        offset = free_offset() % 30_000
        taken.bind(("127.0.0.1", DEFAULT_PORT + offset))
        taken.listen()
        process = Process(tmp_path, offset)
        processes.append(process)
        _, errors = process.popen.communicate(timeout=30)
    assert process.popen.returncode == 2
    assert errors.count("\n") == 1
    assert f"Port {DEFAULT_PORT + offset}" in errors

    replay = Process(
        tmp_path, free_offset() % 30_000, CRYPTO_SIM_MODE="replay", CRYPTO_SIM_RECORDING=str(tmp_path)
    )
    processes.append(replay)
    _, errors = replay.popen.communicate(timeout=30)
    assert replay.popen.returncode == 2
    assert errors.count("\n") == 1
    assert "CRYPTO_SIM_RECORDING" in errors
