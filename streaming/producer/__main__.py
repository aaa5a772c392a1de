"""`python -m streaming.producer`: the producer as a process.

What belongs here: arguments, signals, the wait for a local simulated exchange, the exit code. What does
not: work (`engine`).
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Final

import structlog
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    wait_random_exponential,
)

from streaming import logs, settings, telemetry
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.producer import metrics, preflight
from streaming.producer.engine import Engine
from streaming.producer.preflight import ProbeResult
from streaming.producer.source import Source

log = structlog.get_logger(__name__)

SIMULATOR_WAIT_S: Final = 30.0


def _choose(config: settings.Settings, stop: threading.Event) -> tuple[Source, ProbeResult]:
    """The source; the simulated exchange of the same stack may still be starting, so it gets some time."""
    if config.source != "sim":
        return preflight.choose(config)
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceUnavailableError),
        stop=stop_after_delay(SIMULATOR_WAIT_S),
        wait=wait_random_exponential(multiplier=0.2, max=2.0),
        sleep=sleep_using_event(stop),
        reraise=True,
    )
    return retrying(preflight.choose, config)


def run(config: settings.Settings, stop: threading.Event) -> None:
    """Produce until `stop` is set. Raises PlatformError."""
    source, result = _choose(config, stop)
    if stop.is_set():
        return
    log.info(
        "exchange answers",
        exchange=result.exchange,
        url=result.ws_url,
        clock_offset_ms=round(result.clock_offset_ms, 1),
        pairs=list(result.pairs),
    )
    engine = Engine(config, source, stop)
    port = config.ports.metrics_producer if config.metrics_port is None else config.metrics_port
    endpoint = telemetry.serve(port, metrics.registry(engine), engine.ready) if port else None
    try:
        engine.run()
    finally:
        if endpoint is not None:
            endpoint.close()


def main(arguments: list[str] | None = None) -> int:
    """Parse arguments, run, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming.producer", description="Read the exchange's trades and tickers into Kafka."
    )
    parser.add_argument("--verbose", action="store_true", help="log debug lines")
    verbose: bool = parser.parse_args(arguments).verbose
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = settings.load()
        logs.configure(config, "producer", verbose=verbose)
        run(config, stop)
    except PlatformError as error:
        print(f"producer: {error}", file=sys.stderr)  # noqa: T201 - the one line a person reads
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
