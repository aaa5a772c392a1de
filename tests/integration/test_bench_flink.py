"""`bench flink` in small: the phases on real Kafka and Flink, and figures that belong together."""

from __future__ import annotations

import pytest

from streaming.bench import flink_line
from tests.integration.flink_cluster import FlinkCluster

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_everything_sent_comes_out_and_is_measured(cluster: FlinkCluster) -> None:
    cluster.ensure_jobs()
    pids = {name: p.pid for name, p in cluster.processes.items() if name.startswith(("jobm", "taskm"))}
    result = flink_line.run(cluster.settings, pids, 4, lambda _: None, keys=20_000, rates=(500,))
    assert len(pids) == 3
    assert result.records == 12_500
    assert result.records_per_core_second == pytest.approx(result.records / result.cpu_seconds, rel=0.05)
    (latency,) = result.latencies
    assert latency.messages == 2_000
    assert 0 < latency.p50 <= latency.p95 <= latency.p99
    assert result.taskmanagers_mb > 100
    assert result.restarts == 0
