"""`crypto-platform bench ingest`, short: its figures are complete and its proof holds; not how fast it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local.ports import is_open
from infra.local.scratch import PORT_STEP
from streaming.settings import Ports
from tests.integration.platform_process import prepare

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

OFFSET = 4_300
RATE = 10_000


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A place for temporary files whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bench-test-") as folder:
        yield Path(folder)


def test_ten_thousand_trades_a_second_arrive_once_and_nothing_is_left(tmp_path: Path, scratch: Path) -> None:
    platform = prepare(tmp_path / "home", OFFSET, TMPDIR=str(scratch))
    code, figures = platform.json(
        "bench", "ingest", "--rate", str(RATE), "--seconds", "5", "--warmup", "2", timeout_s=240
    )
    assert code == 0, figures
    assert figures["exact"]
    assert figures["acked"] == figures["received"] > RATE * 5
    assert (figures["lost"], figures["duplicated"], figures["out_of_order"], figures["gaps"]) == (0, 0, 0, 0)
    assert sum(pair["records"] for pair in figures["pairs"].values()) == figures["received"]
    assert 0 < figures["rate"] < 1.5 * RATE
    assert 0 < figures["receive_to_acked_ms"]["p50"] <= figures["receive_to_acked_ms"]["p99"]
    assert figures["cpu_seconds"] == figures["cpu"]["producer"] > 0
    assert all(figures["cpu"][part] > 0 for part in ("brokers", "feed"))
    assert all(megabytes > 10 for megabytes in figures["rss_mb"].values())
    assert figures["parse_frames_per_core_second"] > 0
    assert list(scratch.iterdir()) == []
    assert not any(is_open(port) for port in Ports(OFFSET + PORT_STEP).kafka)
    own = [p for p in psutil.process_iter() if str(scratch) in _environment(p).get("TMPDIR", "")]
    assert own == []


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ() if process.pid != os.getpid() else {}
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return {}
