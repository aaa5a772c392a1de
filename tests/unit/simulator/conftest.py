"""A simulated exchange in a thread, on a free port, and small clients for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

from streaming import settings
from streaming.simulator.app import Exchange, build
from streaming.simulator.serving import bind, serve

TIMEOUT_SECONDS = 5.0
PATHS = {"public": "/ws/v5/public", "business": "/ws/v5/business"}


class Client:
    """One WebSocket client. `data()` skips everything but pushes."""

    def __init__(self, url: str) -> None:
        self.socket = websocket.create_connection(url, timeout=TIMEOUT_SECONDS)

    def send(self, message: object) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def text(self, timeout: float = TIMEOUT_SECONDS) -> str:
        self.socket.settimeout(timeout)
        received = self.socket.recv()
        assert isinstance(received, str)
        return received

    def message(self) -> Any:
        return json.loads(self.text())

    def subscribe(self, channel: str, *pairs: str, id: str = "t1") -> list[Any]:
        args = [{"channel": channel, "instId": pair} for pair in pairs]
        self.send({"id": id, "op": "subscribe", "args": args})
        acks: list[Any] = []
        while len(acks) < len(args):
            message = self.message()
            if "event" in message:
                acks.append(message)
        return acks

    def data(self) -> Any:
        while True:
            message = self.message()
            if "data" in message:
                return message

    def rows(self, count: int) -> list[Any]:
        rows: list[Any] = []
        while len(rows) < count:
            rows += self.data()["data"]
        return rows

    def drain(self, seconds: float) -> list[str]:
        """Everything that comes within that time."""
        texts: list[str] = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                texts.append(self.text(left))
            except websocket.WebSocketTimeoutException:
                break
        return texts

    def close_code(self) -> int | None:
        """Read until the server closes; None if it cut the connection."""
        self.socket.settimeout(TIMEOUT_SECONDS)
        try:
            while True:
                opcode, data = self.socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(data[:2], "big")
        except (ConnectionError, websocket.WebSocketConnectionClosedException):
            return None


class Running:
    """The exchange, running."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._listener = bind(0)
        self.port = self._listener.getsockname()[1]
        self._clients: list[Client] = []
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="simulator-under-test")
        self._thread.start()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=TIMEOUT_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(serve(self.exchange, self._listener, self._stop))
        self._loop.close()

    def connect(self, path: str) -> Client:
        client = Client(f"ws://127.0.0.1:{self.port}{PATHS.get(path, path)}")
        self._clients.append(client)
        return client

    def get(self, path: str, **query: object) -> Any:
        return self.http.get(path, params=query).json()

    def control(self, name: str, **body: object) -> Any:
        response = self.http.post(f"/control/{name}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, name: str, **body: object) -> str:
        response = self.http.post(f"/control/{name}", json=body)
        assert response.status_code == 400, response.text
        return response.json()["error"]

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            time.sleep(0.01)

    def close(self) -> None:
        for client in self._clients:
            client.socket.shutdown()
        self.http.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=TIMEOUT_SECONDS)
        assert not self._thread.is_alive()


def load(**overrides: object) -> settings.Settings:
    """Settings from nothing but the defaults and `overrides`."""
    return settings.load({}, **overrides)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts exchanges: `start(sim_trades_per_second=..., idle_seconds=..., limits=...)`."""
    started: list[Running] = []

    def starter(*, idle_seconds: float = 30.0, limits: bool = False, **overrides: object) -> Running:
        loaded = load(home=tmp_path / "home", **overrides)
        started.append(Running(build(loaded, keep=False, limits=limits, idle_seconds=idle_seconds)))
        return started[-1]

    yield starter
    for running in started:
        running.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A busy exchange for tests that steer nothing and leave nothing behind but their connections."""
    loaded = load(home=tmp_path_factory.mktemp("home"), sim_trades_per_second=500.0)
    running = Running(build(loaded, keep=False, limits=False))
    yield running
    running.close()


@pytest.fixture
def exchange(start: Callable[..., Running]) -> Running:
    """A busy exchange."""
    return start(sim_trades_per_second=500.0, sim_tickers_per_second=10.0)
