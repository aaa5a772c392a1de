"""`python -m streaming.simulator`: the simulated exchange as a process.

What belongs here: settings, logs, signals, exit code. What does not: anything of the market.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog
from uvicorn.loops.auto import auto_loop_factory

from streaming import logs, settings, telemetry
from streaming.errors import PlatformError
from streaming.simulator.app import build, registry_of
from streaming.simulator.serving import bind, serve

log = structlog.get_logger("streaming.simulator")


async def _run(loaded: settings.Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = bind(loaded.ports.simulator, loaded.listen)
    exchange = build(loaded)
    endpoint = None
    if loaded.metrics_port:
        endpoint = telemetry.serve(
            loaded.metrics_port, registry_of(exchange), lambda: (True, {}), loaded.listen
        )
    log.info("simulator started", mode=loaded.sim_mode, url=loaded.simulator_url)
    try:
        await serve(exchange, listener, stop)
    finally:
        if endpoint is not None:
            endpoint.close()
    log.info("simulator stopped")


def main() -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    try:
        loaded = settings.load()
        logs.configure(loaded, "simulator")
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_run(loaded))
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
