"""`python -m streaming.loader`: loads until SIGTERM, then writes what it has read and exits 0.

What belongs here: wiring and signals. What does not: the loop (`streaming.loader.service`).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from streaming import logs, settings, telemetry
from streaming.errors import PlatformError
from streaming.loader import garbage
from streaming.loader.engines import Lane, lanes
from streaming.loader.metrics import LoaderMetrics
from streaming.loader.service import Loader
from streaming.loader.sink import Sink, WarehouseSink
from streaming.loader.snowpipe import SnowpipeSink
from streaming.loader.snowpipe_sdk import SnowpipeSdk
from streaming.loader.source import KafkaSource
from streaming.settings import Settings

log = structlog.get_logger(__name__)


def run(settings: Settings, stop: threading.Event) -> None:
    """Load until `stop` is set.

    Raises:
        SettingsError: the metrics port is taken, or a key cannot be read.
    """
    garbage.only_between_batches()
    metrics = LoaderMetrics()
    loaders = [_loader(settings, lane, metrics) for lane in lanes(settings)]
    port = settings.ports.metrics_loader if settings.metrics_port is None else settings.metrics_port
    endpoint = (
        telemetry.serve(port, metrics.registry, lambda: _ready(loaders), settings.listen) if port else None
    )
    try:
        _run_all(loaders, stop)
    finally:
        if endpoint is not None:
            endpoint.close()


def _loader(settings: Settings, lane: Lane, metrics: LoaderMetrics) -> Loader:
    source = KafkaSource(settings, lane.topics)
    sink: Sink = (
        SnowpipeSink(settings, source.discover, SnowpipeSdk()) if lane.streams else WarehouseSink(settings)
    )
    return Loader(lane.pace, source, sink, metrics)


def _ready(loaders: list[Loader]) -> tuple[bool, Mapping[str, object]]:
    """Ready when all are; the details are of the first that is not."""
    found = [loader.ready() for loader in loaders]
    return next((one for one in found if not one[0]), found[0])


def _run_all(loaders: list[Loader], stop: threading.Event) -> None:
    """Run every loader to its end; when one fails, the others drain and its error is raised."""
    first, *others = loaders

    def run_one(loader: Loader) -> None:
        try:
            loader.run(stop)
        finally:
            stop.set()

    with ThreadPoolExecutor(max_workers=len(loaders), thread_name_prefix="merging-loader") as pool:
        futures = [pool.submit(run_one, loader) for loader in others]
        run_one(first)
    for future in futures:
        future.result()


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """One line instead of a traceback: the connector cancels a timed-out statement in a thread, which fails
    when the warehouse is away, as the statement itself has said already."""
    log.warning("a background thread ended", reason=str(failure.exc_value)[:300])


def main() -> int:
    """Entry point; returns the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.excepthook = _log_thread_failure
    try:
        configured = settings.load()
        logs.configure(configured, "loader")
        run(configured, stop)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    log.info("loader stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
