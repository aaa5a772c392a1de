"""`crypto-platform probe`, `record` and `replay` as a person calls them: output, exit codes, ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from crypto_platform import cli
from streaming.simulator.recording import read_recordings
from tests.unit.capture.conftest import PAIRS, VENUES, environment
from tests.unit.simulator.conftest import Running

Run = Callable[..., tuple[int, str, str]]
PATIENCE_S = 30.0


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Runs the command in this process: exit code, standard output, standard error."""
    kept = structlog.get_config()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRYPTO_HOME", str(tmp_path / "home"))

    def runner(*arguments: object, **variables: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["crypto-platform", *map(str, arguments)])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, captured.out, captured.err

    yield runner
    structlog.configure(**kept)


@pytest.fixture
def busy(start: Callable[..., Running]) -> Running:
    running = start(sim_trades_per_second=400.0)
    running.until(lambda: all(running.get("/truth/trades", pair=pair, limit=1)["trades"] for pair in PAIRS))
    return running


def spawn(running: Running, folder: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from crypto_platform.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env={**os.environ, **environment(running), "CRYPTO_HOME": str(folder / "home")},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_bytes(file: Path, size: int) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not file.exists() or file.stat().st_size < size:
        assert time.monotonic() < end_s, f"{file} has not grown to {size} bytes"
        time.sleep(0.05)


def test_what_was_recorded_is_replayed_and_becomes_a_recording_for_the_simulated_exchange(
    run: Run, busy: Running, tmp_path: Path
) -> None:
    code, out, err = run(
        "record", "--venue", "binance", "--seconds", "2.5", "--output", "r", **environment(busy)
    )
    assert (code, err) == (0, "")
    assert "Recorded BINANCE_SIM for 2.5 s into r" in out

    code, out, err = run("replay", "r", "--parquet", "p", "--json")
    tally = json.loads(out)

    assert (code, err) == (0, "")
    assert tally["complete"]
    again = read_recordings(tmp_path / "p", PAIRS)
    for pair in PAIRS:
        assert len(again[pair].trades) == tally["pairs"][pair]["trades"] > 10
    assert f"{tally['trades']:,} trades" in run("replay", "r")[1]


def test_a_probe_shows_and_tells_the_same(run: Run, busy: Running) -> None:
    code, out, err = run("probe", "okx", "bybit", **environment(busy))
    assert (code, err) == (0, "")
    assert "ALL ANSWER" in out
    assert "\x1b[" not in out
    assert all(f"{name}_SIM" in out for name in ("OKX", "BYBIT"))
    assert max(map(len, out.splitlines())) <= 160

    code, out, err = run("probe", "okx", "bybit", "--json")
    report = json.loads(out)

    assert (code, err) == (0, "")
    assert [venue["exchange"] for venue in report["venues"]] == ["OKX_SIM", "BYBIT_SIM"]
    assert all(venue["ok"] and venue["rest"]["latency_ms"] > 0 for venue in report["venues"])


def test_all_venues_are_probed_with_one_word(run: Run, busy: Running) -> None:
    code, out, _ = run("probe", "--all", "--json", **environment(busy))

    assert code == 0
    assert {venue["exchange"] for venue in json.loads(out)["venues"]} == {f"{name}_SIM" for name in VENUES}


def test_an_exchange_that_does_not_answer_ends_a_probe_with_1(run: Run) -> None:
    code, out, _ = run(
        "probe",
        "--seconds",
        2,
        CRYPTO_SOURCE="bybit",
        CRYPTO_BYBIT_REST_URL="http://127.0.0.1:1",
        CRYPTO_BYBIT_WS_URL="ws://127.0.0.1:1",
    )

    assert code == 1
    assert "CRYPTO_BYBIT_REST_URL" in out
    assert "CRYPTO_BYBIT_WS_URL" in out
    assert "NOT ALL ANSWER" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("probe", "nyse"), "There is no exchange 'nyse'"),
        (("probe", "okx", "--all"), "exclude each other"),
        (("record", "--venue", "nyse"), "There is no exchange 'nyse'"),
        (("replay", "nowhere"), "There is no nowhere"),
        (("replay", "."), "holds no recording"),
        (("replay", "/etc/hostname"), "/etc/hostname is no recording"),
    ],
)
def test_a_bad_argument_is_one_line_and_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)

    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_line_and_2(run: Run, busy: Running, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    code, out, err = run("record", "--output", "file/r", **environment(busy))

    assert (code, out) == (2, "")
    assert "cannot be written to file/r" in err
    assert len(err.splitlines()) == 1


def test_a_recording_without_the_exchange_is_one_line_and_1(run: Run, tmp_path: Path) -> None:
    code, out, err = run(
        "record", "--output", "r", CRYPTO_SOURCE="okx", CRYPTO_OKX_REST_URL="http://127.0.0.1:1"
    )

    assert (code, out) == (1, "")
    assert "CRYPTO_OKX_REST_URL" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_ctrl_c_ends_a_recording_in_good_order(busy: Running, run: Run, tmp_path: Path) -> None:
    process = spawn(busy, tmp_path, "record", "--seconds", 0, "--output", "r", "--json")
    wait_for_bytes(tmp_path / "r" / "00001.jsonl.zst", 5000)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, err) == (0, "")
    tally = json.loads(run("replay", "r", "--json")[1])
    assert tally["complete"]
    assert tally["frames"] == json.loads(out)["messages"] > 0


def test_without_verbose_nothing_but_the_answer_is_printed(run: Run, busy: Running) -> None:
    code, out, err = run("record", "--seconds", 1, "--output", "r", "--json", **environment(busy))

    assert (code, err) == (0, "")
    assert json.loads(out)["messages"] > 0


def test_a_killed_recorder_leaves_a_recording_that_lacks_less_than_a_second(
    busy: Running, run: Run, tmp_path: Path
) -> None:
    process = spawn(busy, tmp_path, "record", "--seconds", 0, "--output", "r")
    wait_for_bytes(tmp_path / "r" / "00001.jsonl.zst", 5000)

    killed_us = time.time_ns() // 1000
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    code, out, _ = run("replay", "r")
    tally = json.loads(run("replay", "r", "--json")[1])

    assert code == 0
    assert "The recorder was killed" in out
    assert not tally["complete"]
    assert tally["trades"] > 50
    assert killed_us - tally["pairs"]["BTC-USDT"]["last_time_us"] < 1_500_000


def test_a_torn_recording_says_what_is_lost(run: Run, busy: Running, tmp_path: Path) -> None:
    run("record", "--seconds", "1.5", "--output", "r", **environment(busy))
    file = tmp_path / "r" / "00001.jsonl.zst"
    file.write_bytes(file.read_bytes()[:-10])

    code, out, _ = run("replay", "r")

    assert code == 0
    assert "00001.jsonl.zst ends in a torn frame: its last" in out


def test_verbose_logs_to_standard_error_and_leaves_the_answer_alone(busy: Running, tmp_path: Path) -> None:
    process = spawn(busy, tmp_path, "-v", "probe", "--json")

    out, err = process.communicate(timeout=PATIENCE_S)

    lines: list[dict[str, Any]] = [json.loads(line) for line in err.splitlines()]
    assert process.returncode == 0
    assert json.loads(out)["ok"]
    assert any(line["level"] == "debug" and line["service"] == "crypto-platform" for line in lines)
