"""A start that cannot work says so in one line, with setting and remedy, and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import orphans
from tests.integration.platform_process import Platform, prepare

OFFSET = 1_600


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    assert orphans.find(tmp_path / "home") == []


def start(home: Path, **environment: str) -> tuple[int, str]:
    platform: Platform = prepare(home, OFFSET, **environment)
    result = platform.command("up", "--detach", timeout_s=60)
    assert "Traceback" not in result.stderr + result.stdout
    return result.returncode, result.stderr


CASES = {
    "a malformed setting": (
        {"CRYPTO_PORT_OFFSET": "many"},
        2,
        "CRYPTO_PORT_OFFSET is not valid (it is 'many')",
    ),
    "a misspelt setting": ({"CRYPTO_PARIS": "BTC-USDT"}, 2, "Did you mean CRYPTO_PAIRS?"),
    "a malformed pair": ({"CRYPTO_PAIRS": "bitcoin"}, 2, "CRYPTO_PAIRS has 'bitcoin'"),
    "an address with the wrong scheme": (
        {"CRYPTO_OKX_WS_URL": "http://x"},
        2,
        "CRYPTO_OKX_WS_URL is 'http://x'",
    ),
    "an exchange that does not answer": (
        {"CRYPTO_SOURCE": "okx", "CRYPTO_OKX_REST_URL": "http://127.0.0.1:9"},
        1,
        "CRYPTO_OKX_REST_URL",
    ),
    "an unknown pair": ({"CRYPTO_PAIRS": "BTC-USDT,DOGGE-USDT:5"}, 2, "CRYPTO_PAIRS names DOGGE-USDT"),
    "too little disk": ({"CRYPTO_MIN_FREE_GIB": "1e9"}, 2, "CRYPTO_HOME"),
    "a recording that is not there": (
        {"CRYPTO_SIM_MODE": "replay", "CRYPTO_SIM_RECORDING": "/nowhere", "CRYPTO_PAIRS": "BTC-USDT"},
        2,
        "CRYPTO_SIM_RECORDING",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_start_that_cannot_work_is_one_line_that_names_the_setting(home: Path, case: str) -> None:
    environment, exit_code, message = CASES[case]
    code, error = start(home, **environment)
    assert code == exit_code, error
    lines = [line for line in error.splitlines() if not line.startswith("  | ")]
    assert len(lines) == 1, error
    assert message in lines[0]
    assert not (home / "kafka").exists()


def test_a_taken_port_is_named_with_its_holder_before_anything_starts(home: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 9093 + OFFSET))
        listener.listen()
        code, error = start(home)
    assert code == 2
    assert f"port {9093 + OFFSET} (Kafka broker 2) by" in error
    assert "CRYPTO_PORT_OFFSET" in error
    assert not (home / "kafka").exists()


def test_a_command_without_a_running_stack_says_how_to_start_one(home: Path) -> None:
    platform = prepare(home, OFFSET)
    result = platform.command("status")
    assert result.returncode == 1
    assert "`crypto-platform up` starts it" in result.stderr
    assert platform.command("restart", "loader").returncode == 1
