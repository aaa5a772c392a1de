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
from streaming.errors import PlatformError, ServiceUnavailableError, SettingsError
from streaming.producer import metrics, preflight
from streaming.producer.engine import Engine
from streaming.producer.preflight import ProbeResult
from streaming.producer.source import Source, only_exchange

log = structlog.get_logger(__name__)

SIMULATOR_WAIT_S: Final = 30.0


def _choose(config: settings.Settings, name: str, stop: threading.Event) -> tuple[Source, ProbeResult]:
    """The source; the simulated exchange of the same stack may still be starting, so it gets some time."""
    if config.source != "sim":
        return preflight.choose(config, name)
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceUnavailableError),
        stop=stop_after_delay(SIMULATOR_WAIT_S),
        wait=wait_random_exponential(multiplier=0.2, max=2.0),
        sleep=sleep_using_event(stop),
        reraise=True,
    )
    return retrying(preflight.choose, config, name)


def run(config: settings.Settings, name: str, stop: threading.Event) -> None:
    """Produce the exchange `name` until `stop` is set. Raises PlatformError."""
    source, result = _choose(config, name, stop)
    if stop.is_set():
        return
    log.info(
        "exchange answers",
        exchange=result.exchange,
        url=result.ws_url,
        clock_offset_ms=round(result.clock_offset_ms, 1),
        pairs=len(result.pairs),
    )
    engine = Engine(config, source, result.pairs, stop)
    own_port = config.ports.metrics_producers[config.exchanges.index(name)]
    port = own_port if config.metrics_port is None else config.metrics_port
    endpoint = telemetry.serve(port, metrics.registry(engine), engine.ready, config.listen) if port else None
    try:
        engine.run()
    finally:
        if endpoint is not None:
            endpoint.close()


def _exchange(config: settings.Settings, given: str | None) -> str:
    if given is None:
        return only_exchange(config)
    name = given.lower()
    if name not in config.exchanges:
        raise SettingsError(
            f"--exchange is {given}, which CRYPTO_SOURCE does not name.",
            f"It names {', '.join(config.exchanges)}.",
        )
    return name


def main(arguments: list[str] | None = None) -> int:
    """Parse arguments, run, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming.producer", description="Read the exchange's trades and tickers into Kafka."
    )
    parser.add_argument("--verbose", action="store_true", help="log debug lines")
    parser.add_argument("--exchange", help="which one, when CRYPTO_SOURCE names several")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = settings.load()
        name = _exchange(config, given.exchange)
        logs.configure(config, "producer", verbose=given.verbose)
        run(config, name, stop)
    except PlatformError as error:
        print(f"producer: {error}", file=sys.stderr)  # noqa: T201 - the one line a person reads
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
