"""Flink's own metrics, as its Prometheus reporter serves them, are those that the dashboards name."""

from __future__ import annotations

import time

import httpx

from tests import monitoring_names
from tests.integration.flink_cluster import FlinkCluster

WITHIN_S = 60


def test_every_metric_of_flink_that_a_dashboard_names_is_served(
    cluster: FlinkCluster, jobs_and_their_input: None
) -> None:
    wanted = {
        name
        for text in monitoring_names.expressions().values()
        for name in monitoring_names.names_in(text)
        if name.startswith("flink_")
    }
    assert len(wanted) > 5

    def missing() -> set[str]:
        try:
            return wanted - monitoring_names.scraped(cluster.settings.ports, ["flink"])["flink"]
        except httpx.ConnectError:
            return wanted  # a reporter opens its port some seconds after its process is ready

    deadline = time.monotonic() + WITHIN_S
    while absent := missing():
        assert time.monotonic() < deadline, f"not served: {sorted(absent)}"
        time.sleep(1)
