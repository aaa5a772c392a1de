"""Fixtures shared by the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import flink_cluster
from tests.integration.flink_cluster import FlinkCluster

AT_PRESENT = ("test_anomalies", "test_bench_flink")
"""Modules that send trades of now through the shared cluster. Others send trades of minutes ago, and a
watermark does not go back."""


def _uses_cluster(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run modules that use the shared cluster first, and of them those of `AT_PRESENT` last."""
    files = {item.path for item in items if _uses_cluster(item)}
    items.sort(key=lambda item: (item.path not in files, item.path.stem in AT_PRESENT))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Real Kafka and Flink, without jobs, for all modules that use it."""
    with flink_cluster.running(tmp_path_factory.mktemp("flink")) as started:
        _started.append(started)
        yield started


_started: list[FlinkCluster] = []


@pytest.fixture(scope="module", autouse=True)
def processors_are_free(request: pytest.FixtureRequest) -> None:
    """Stop the shared cluster before the first module that does not use it."""
    own = [item for item in request.session.items if item.path == request.node.path]
    if _started and not any(_uses_cluster(item) for item in own):
        _started.pop().stop()


@pytest.fixture(scope="session")
def jobs_and_their_input(request: pytest.FixtureRequest, cluster: FlinkCluster) -> None:
    """The jobs, started when the input of the modules about them waits in Kafka, the earlier times first.

    Waiting matters: of input that comes all at once into partitions that were silent, the first pair's last
    times would make the other pairs late.
    """
    modules = {item.module.__name__: item.module for item in request.session.items if hasattr(item, "module")}
    if "flink-jobs" in cluster.processes:
        assert cluster.terminate("flink-jobs") == 0
    for _, module in sorted(modules.items()):
        if hasattr(module, "put_input"):
            module.put_input(cluster)
    cluster.start_jobs()
