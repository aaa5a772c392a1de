"""Binance's WebSocket: requests and their answers, pushes as the market trades, pings.

What belongs here: the venue object the hub talks to and its session. What does not: the shape of rows
(`messages`) and REST (`rest`). Only combined streams are spoken, and streams are chosen by SUBSCRIBE, not in
the address.

Source: web-socket-streams.md > General WSS information, WebSocket Limits, Live Subscribing/Unsubscribing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from starlette.routing import Route

from streaming.simulator.binance import messages
from streaming.simulator.binance.rest import BinanceRest
from streaming.simulator.budget import Budget
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.hub import Hub
from streaming.simulator.market import ControlError, Market, Ticker
from streaming.simulator.wire import ClientSocket, text_frame

PATH = "/binance/stream"
CHANNELS = ("trade", "ticker")
PING_SECONDS = 20.0
PONG_SECONDS = 60.0
MESSAGES_PER_SECOND = 5
MOST_STREAMS = 1024
POLICY_VIOLATION = 1008
PONG_MISSING = 1011


def topic(channel: str, pair: str) -> tuple[str, str]:
    """Under which name the hub knows a stream."""
    return (f"binance/{channel}", pair)


class BinanceVenue:
    """Binance over the market; see `hub.Venue`.

    Args:
        market, hub, engine: what it speaks for.
        limits: whether REST and message limits are enforced.
    """

    websocket_paths: tuple[str, ...] = (PATH,)

    def __init__(self, market: Market, hub: Hub, engine: Engine, *, limits: bool = True) -> None:
        self.market = market
        self.hub = hub
        self.engine = engine
        self.limits = limits
        self.streams = {
            messages.stream(pair, channel): (channel, pair) for pair in market.desks for channel in CHANNELS
        }
        self._pinged_at: dict[ClientSocket, float] = {}

    def routes(self) -> list[Route]:
        return BinanceRest(self.market, self.engine, limits=self.limits).routes()

    def open(self, connection: ClientSocket) -> BinanceSession:
        return BinanceSession(self, connection)

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        if not self.hub.subscribers(topic("trade", pair)):
            return
        instrument, name = self.market.desks[pair].instrument, messages.stream(pair, "trade")
        now_ms = self.engine.now_us() // 1000
        texts = (messages.push(name, messages.trade(instrument, fill, now_ms)) for fill in fills)
        self.hub.publish(topic("trade", pair), b"".join(text_frame(text.encode()) for text in texts))

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        """Nothing: this venue's tickers come by the second."""

    def on_second(self) -> None:
        """Push the tickers, ping, and let go of clients that do not answer pings."""
        now_ms = self.engine.now_us() // 1000
        for pair, desk in self.market.desks.items():
            if self.market.paused or not self.hub.subscribers(topic("ticker", pair)):
                continue
            state = desk.ticker()
            if state is not None:
                text = messages.push(messages.stream(pair, "ticker"), messages.ticker(state, now_ms))
                self.hub.publish(topic("ticker", pair), text_frame(text.encode()))
        self._ping()

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        return error(int(code) if code.lstrip("-").isdecimal() else 2, message, None)

    def notice_text(self, connection: ClientSocket) -> str:
        event = {"e": "serverShutdown", "E": self.engine.now_us() // 1000}
        return messages.push(messages.SHUTDOWN_STREAM, event)

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        desk = self.market.desk(pair)
        if desk.tape.last is None:
            raise ControlError(f"{pair} has not traded yet, so there is no message to break.")
        return messages.malformed_texts(desk.instrument, desk.tape.last)

    def _ping(self) -> None:
        now = asyncio.get_running_loop().time()
        mine = [c for c in self.hub.connections if c.path == PATH]
        self._pinged_at = {c: self._pinged_at.get(c, now) for c in mine}
        for connection in mine:
            if now - connection.ponged_at >= PONG_SECONDS:
                connection.close(PONG_MISSING, "Pong timeout")
            elif now - self._pinged_at[connection] >= PING_SECONDS:
                self._pinged_at[connection] = now
                # A ping is activity: Binance does not close a connection for having no data.
                connection.pinged()
                connection.ping(str(self.engine.now_us() // 1000).encode())


def error(code: int, message: str, request_id: object) -> str:
    """An answer that refuses a request."""
    return messages.compact({"error": {"code": code, "msg": message}, "id": request_id})


class BinanceSession:
    """One connection; see `hub.Session`."""

    def __init__(self, venue: BinanceVenue, connection: ClientSocket) -> None:
        self._venue = venue
        self._connection = connection
        self._budget = Budget(MESSAGES_PER_SECOND, 1_000_000)
        self._streams: dict[str, None] = {}

    def received(self, text: bytes) -> None:
        if self._venue.limits and self._budget.wait_us(1, self._venue.engine.now_us()):
            self._connection.close(POLICY_VIOLATION, "Too many requests")
            return
        try:
            request = json.loads(text)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            self._connection.answer(error(3, "Invalid JSON: expected value at line 1 column 1", None))
            return
        self._connection.answer(self._answer(request))

    def _answer(self, request: dict[str, object]) -> str:
        method, names, request_id = request.get("method"), request.get("params"), request.get("id")
        if method == "LIST_SUBSCRIPTIONS":
            return messages.compact({"result": list(self._streams), "id": request_id})
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            known = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`"
            return error(
                2, f"Invalid request: unknown variant `{method}`, expected one of {known}", request_id
            )
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return error(2, "Invalid request: params must be a list of strings", request_id)
        if method == "SUBSCRIBE" and len({*self._streams, *names}) > MOST_STREAMS:
            self._connection.close(POLICY_VIOLATION, "Too many streams")
        for name in names:
            self._apply(method == "SUBSCRIBE", name)
        return messages.compact({"result": None, "id": request_id})

    def _apply(self, subscribe: bool, name: str) -> None:
        """A stream of a symbol that does not exist is accepted like any other, and stays silent."""
        venue = self._venue
        if not subscribe:
            self._streams.pop(name, None)
            if name in venue.streams:
                venue.hub.unsubscribe(self._connection, topic(*venue.streams[name]))
            return
        self._streams[name] = None
        if name in venue.streams:
            channel, pair = venue.streams[name]
            venue.hub.subscribe(self._connection, topic(channel, pair))
            if channel == "trade":
                venue.market.watch(pair, venue.engine.now_us())
                venue.engine.wake()
