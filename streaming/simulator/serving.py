"""Serves the simulated exchange on a socket until it is told to stop.

What belongs here: the HTTP and WebSocket server and its life cycle. What does not: signals and settings
(`__main__`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import uvicorn

from streaming.errors import SettingsError
from streaming.settings import LOOPBACK
from streaming.simulator.app import Exchange
from streaming.simulator.wire import ClientSocket

BACKLOG = 128
SHUTDOWN_SECONDS = 5


def bind(port: int, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        SettingsError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Port {port} for the simulated exchange is taken ({error.strerror}).", "Set CRYPTO_PORT_OFFSET."
        ) from error
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(exchange: Exchange, listener: socket.socket, stop: asyncio.Event) -> None:
    """Trade and answer until `stop` is set, then close every connection.

    Raises:
        PlatformError: the market cannot go on; the server has been closed.
    """
    config = uvicorn.Config(
        exchange.app,
        ws=cast(Any, partial(ClientSocket, exchange.hub)),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="simulator-server")
    trading = asyncio.create_task(exchange.engine.run(), name="simulator-engine")
    stopping = asyncio.create_task(stop.wait(), name="simulator-stop")
    await asyncio.wait({serving, trading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    failed = trading.done()
    trading.cancel()
    stopping.cancel()
    server.should_exit = True
    await asyncio.wait({serving, trading, stopping})
    if exchange.journal is not None:
        exchange.journal.close()
    serving.result()
    if failed:
        try:
            trading.result()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
