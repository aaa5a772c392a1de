"""Kraken's WebSocket: answers, snapshots, pushes as the market trades, heartbeats.

What belongs here: the venue object the hub talks to and its session. What does not: the shape of rows
(`messages`) and REST (`rest`).

Source: https://docs.kraken.com/api/docs/websocket-v2/ trade, ticker, heartbeat, status, ping.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill, Quote
from streaming.simulator.hub import Hub
from streaming.simulator.kraken import messages
from streaming.simulator.kraken.rest import KrakenRest
from streaming.simulator.market import ControlError, Market, Ticker
from streaming.simulator.wire import ClientSocket, text_frame

PATH = "/kraken/v2"
TRADES = "kraken/trade"
SNAPSHOT_TRADES = 50
HEARTBEAT_SECONDS = 0.9
"""A second, less the jitter of the clock that asks."""


def tickers(trigger: str) -> str:
    """The hub's name for tickers that are pushed on that event, `bbo` or `trades`."""
    return f"kraken/ticker/{trigger}"


class KrakenVenue:
    """Kraken over the market; see `hub.Venue`.

    Args:
        market, hub, engine: what it speaks for.
        limits: whether the REST limit is enforced.
    """

    websocket_paths: tuple[str, ...] = (PATH,)

    def __init__(self, market: Market, hub: Hub, engine: Engine, *, limits: bool = True) -> None:
        self.market = market
        self.hub = hub
        self.engine = engine
        self._rest = KrakenRest(market, engine, limits=limits)
        self._pushed: dict[str, tuple[Quote | None, int]] = {}

    def routes(self) -> list[Route]:
        return self._rest.routes()

    def open(self, connection: ClientSocket) -> KrakenSession:
        connection.answer(messages.status("online"))
        return KrakenSession(self, connection)

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        if self.hub.subscribers((TRADES, pair)):
            instrument = self.market.desks[pair].instrument
            text = messages.push("trade", "update", [messages.trade_row(instrument, f) for f in fills])
            self.hub.publish((TRADES, pair), text_frame(text.encode()))

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        before = self._pushed.get(pair)
        self._pushed[pair] = (ticker.quote, ticker.last.trade_id)
        frame = b""
        for trigger, index in (("bbo", 0), ("trades", 1)):
            if not self.hub.subscribers((tickers(trigger), pair)):
                continue
            if before is None or _event(before[index]) != _event(self._pushed[pair][index]):
                frame = frame or _ticker_frame(ticker, "update")
                self.hub.publish((tickers(trigger), pair), frame)

    def on_second(self) -> None:
        """A heartbeat for everyone who has subscribed and was sent nothing for a second."""
        now = asyncio.get_running_loop().time()
        for connection in self.hub.connections:
            mine = connection.path == PATH and connection.topics
            if mine and now - connection.last_activity >= HEARTBEAT_SECONDS:
                # A heartbeat is activity, and a stalled feed still has it.
                connection.pinged()
                connection.answer('{"channel":"heartbeat"}')

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        return messages.answer("subscribe", None, self.engine.now_us(), success=False, error=message)

    def notice_text(self, connection: ClientSocket) -> str:
        return messages.status("maintenance")

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        desk = self.market.desk(pair)
        if desk.tape.last is None:
            raise ControlError(f"{pair} has not traded yet, so there is no message to break.")
        return messages.malformed_texts(desk.instrument, desk.tape.last)

    def snapshot(self, channel: str, pair: str) -> bytes:
        """What follows the acknowledgement: the last 50 trades, oldest first, or the ticker."""
        desk = self.market.desks[pair]
        if channel == "ticker":
            ticker = desk.ticker()
            return b"" if ticker is None else _ticker_frame(ticker, "snapshot")
        if desk.tape.last is None:
            return b""
        fills = reversed(desk.tape.before_id(desk.tape.next_id, SNAPSHOT_TRADES))
        rows = [messages.trade_row(desk.instrument, fill) for fill in fills]
        return text_frame(messages.push("trade", "snapshot", rows).encode())


def _ticker_frame(ticker: Ticker, kind: str) -> bytes:
    return text_frame(messages.push("ticker", kind, [messages.ticker_row(ticker)]).encode())


def _event(state: Quote | int | None) -> object:
    """What must differ for a push: all of a quote but its time, or the id of the last trade."""
    return state[1:] if isinstance(state, Quote) else state


class KrakenSession:
    """One connection; see `hub.Session`."""

    def __init__(self, venue: KrakenVenue, connection: ClientSocket) -> None:
        self._venue = venue
        self._connection = connection

    def received(self, text: bytes) -> None:
        try:
            request = json.loads(text)
            method = request["method"]
            request_id = request.get("req_id")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer("", None, success=False, error="Malformed request")
            return
        if method == "ping":
            self._connection.pinged()
            self._answer("pong", request_id)
        elif method in ("subscribe", "unsubscribe"):
            self._carry_out(method, request_id, request.get("params"))
        else:
            self._answer(str(method), request_id, success=False, error="Unsupported method")

    def _carry_out(self, method: str, request_id: object, params: Any) -> None:
        known = isinstance(params, dict) and params.get("channel") in ("trade", "ticker")
        symbols = params.get("symbol") if known else None
        trigger = params.get("event_trigger", "trades") if known else None
        if not isinstance(symbols, list) or trigger not in ("bbo", "trades"):
            self._answer(method, request_id, success=False, error="Malformed request: invalid params")
            return
        channel = params["channel"]
        snapshot = params.get("snapshot", channel == "ticker") is True
        pairs = {messages.symbol(pair): pair for pair in self._venue.market.desks}
        for symbol in symbols:
            pair = pairs.get(symbol) if isinstance(symbol, str) else None
            if pair is None:
                error = f"Currency pair not supported {symbol}"
                self._answer(method, request_id, success=False, error=error, symbol=symbol)
                continue
            topic = (TRADES if channel == "trade" else tickers(trigger), pair)
            if method == "subscribe" and topic in self._connection.topics:
                self._answer(method, request_id, success=False, error="Already subscribed", symbol=symbol)
                continue
            result = {"channel": channel, "snapshot": snapshot, "symbol": symbol}
            self._answer(method, request_id, success=True, result=result)
            if method == "unsubscribe":
                self._venue.hub.unsubscribe(self._connection, topic)
                continue
            self._venue.hub.subscribe(self._connection, topic)
            if snapshot and (first := self._venue.snapshot(channel, pair)):
                self._connection.push(first)
            if channel == "trade":
                self._venue.market.watch(pair, self._venue.engine.now_us())
                self._venue.engine.wake()

    def _answer(self, method: str, request_id: object, **fields: Any) -> None:
        self._connection.answer(messages.answer(method, request_id, self._venue.engine.now_us(), **fields))
