"""`python -m streaming.loader`: loads until SIGTERM, then writes what it has read and exits 0.

What belongs here: wiring and signals. What does not: the loop (`streaming.loader.service`).
"""

from __future__ import annotations

import signal
import sys
import threading

import structlog

from streaming import logs, settings, telemetry
from streaming.errors import PlatformError
from streaming.loader.metrics import LoaderMetrics
from streaming.loader.service import Loader
from streaming.loader.sink import WarehouseSink
from streaming.loader.source import KafkaSource
from streaming.settings import Settings

log = structlog.get_logger(__name__)


def run(settings: Settings, stop: threading.Event) -> None:
    """Load until `stop` is set.

    Raises:
        SettingsError: the metrics port is taken.
    """
    metrics = LoaderMetrics()
    loader = Loader(settings, KafkaSource(settings), WarehouseSink(settings), metrics)
    port = settings.ports.metrics_loader if settings.metrics_port is None else settings.metrics_port
    endpoint = telemetry.serve(port, metrics.registry, loader.ready) if port else None
    try:
        loader.run(stop)
    finally:
        if endpoint is not None:
            endpoint.close()


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
