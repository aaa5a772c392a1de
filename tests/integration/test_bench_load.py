"""`bench load` in small: both phases on a real emulator, and figures that belong together."""

from __future__ import annotations

import pytest

from streaming.bench import load
from tests.integration import emulator_process

pytestmark = pytest.mark.stack


def test_every_row_is_committed_once_and_measured(tmp_path_factory: pytest.TempPathFactory) -> None:
    with emulator_process.running(tmp_path_factory.mktemp("bench-load")) as emulator:
        assert emulator.process is not None
        options = load.Options(seconds=1, micro_rate=100, large_rows=25_000)
        result = load.run(emulator.settings, emulator.process.pid, options)
    assert result.exact
    assert result.rows >= 25_000
    assert result.rate == pytest.approx(result.rows / result.seconds, rel=0.01)
    assert result.cpu_seconds > 0
    assert result.micro_batches >= 3
    for latency in (result.commit_to_visible_ms, result.batch_to_visible_ms):
        assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    assert result.commit_to_visible_ms["p50"] < result.batch_to_visible_ms["p50"]
