"""Fixtures shared by the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import flink_cluster
from tests.integration.flink_cluster import FlinkCluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Real Kafka and Flink, without jobs, for the whole session."""
    with flink_cluster.running(tmp_path_factory.mktemp("flink")) as started:
        yield started
