"""Coinbase Exchange's WebSocket feed: subscriptions, the first push, matches, tickers, heartbeats.

What belongs here: the venue object the hub talks to and its session. What does not: the shape of rows
(`messages`) and REST (`rest`).

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed > overview, channels, errors.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping

from starlette.routing import Route

from streaming.simulator.coinbase import messages
from streaming.simulator.coinbase.rest import CoinbaseRest
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.hub import Hub
from streaming.simulator.market import ControlError, Market, Ticker
from streaming.simulator.wire import ClientSocket, text_frame

PATH = "/coinbase"
CHANNELS = ("matches", "ticker", "heartbeat")
SUBSCRIBE_SECONDS = 5.0
POLICY_VIOLATION = 1008


class RefusedError(Exception):
    """A request that is answered with an error: message and reason."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


def topic(channel: str, pair: str) -> tuple[str, str]:
    """Under which name the hub knows a channel of a product."""
    return (f"coinbase/{channel}", pair)


class CoinbaseVenue:
    """Coinbase Exchange over the market; see `hub.Venue`.

    Args:
        market, hub, engine: what it speaks for.
        limits: whether REST limits are enforced.
    """

    websocket_paths: tuple[str, ...] = (PATH,)

    def __init__(self, market: Market, hub: Hub, engine: Engine, *, limits: bool = True) -> None:
        self.market = market
        self.hub = hub
        self.engine = engine
        self._limits = limits

    def routes(self) -> list[Route]:
        return CoinbaseRest(self.market, self.engine, limits=self._limits).routes()

    def open(self, connection: ClientSocket) -> CoinbaseSession:
        return CoinbaseSession(self, connection)

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        """Every match, then one ticker for all of them, as Coinbase batches what happens at once."""
        if self.hub.subscribers(topic("matches", pair)):
            instrument = self.market.desks[pair].instrument
            texts = (messages.compact(messages.match(instrument, fill)) for fill in fills)
            self.hub.publish(topic("matches", pair), b"".join(text_frame(text.encode()) for text in texts))
        if self.hub.subscribers(topic("ticker", pair)):
            self.hub.publish(topic("ticker", pair), self.first_push("ticker", pair))

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        """Nothing: this venue's tickers follow matches."""

    def on_second(self) -> None:
        """Push the heartbeats, and let go of clients that have not subscribed in time."""
        now_us = self.engine.now_us()
        for pair, desk in self.market.desks.items():
            if self.hub.subscribers(topic("heartbeat", pair)):
                last_id = desk.tape.last.trade_id if desk.tape.last else 0
                text = messages.compact(messages.heartbeat(pair, last_id, now_us))
                self.hub.publish(topic("heartbeat", pair), text_frame(text.encode()))
        now = asyncio.get_running_loop().time()
        for connection in list(self.hub.connections):
            since = connection.unsubscribed_since
            if connection.path == PATH and since is not None and now - since >= SUBSCRIBE_SECONDS:
                connection.answer(error("error", "no subscription within five seconds"))
                connection.close(POLICY_VIOLATION, "no subscription within five seconds")

    def first_push(self, channel: str, pair: str) -> bytes:
        """What a subscription brings at once: the last match or the current ticker, if there is one."""
        desk = self.market.desks[pair]
        state, last = desk.ticker(), desk.tape.last
        row: messages.Row | None = None
        if channel == "matches" and last is not None:
            row = messages.match(desk.instrument, last, "last_match")
        elif channel == "ticker" and state is not None:
            row = messages.ticker(state)
        return b"" if row is None else text_frame(messages.compact(row).encode())

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        return error(message, code)

    def notice_text(self, connection: ClientSocket) -> str:
        raise ControlError("Coinbase Exchange closes connections without announcing it; use drop.")

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        desk = self.market.desk(pair)
        if desk.tape.last is None:
            raise ControlError(f"{pair} has not traded yet, so there is no message to break.")
        return messages.malformed_texts(desk.instrument, desk.tape.last)


def error(message: str, reason: str) -> str:
    """An error message."""
    return messages.compact({"type": "error", "message": message, "reason": reason})


class CoinbaseSession:
    """One connection; see `hub.Session`."""

    def __init__(self, venue: CoinbaseVenue, connection: ClientSocket) -> None:
        self._venue = venue
        self._connection = connection
        self._subscribed: dict[tuple[str, str], None] = {}

    def received(self, text: bytes) -> None:
        try:
            kind, wanted = self._parse(text)
        except RefusedError as refused:
            self._connection.answer(error(refused.message, refused.reason))
            return
        fresh = [key for key in wanted if key not in self._subscribed]
        for key in wanted:
            if kind == "subscribe":
                self._subscribed[key] = None
                self._venue.hub.subscribe(self._connection, topic(*key))
            else:
                self._subscribed.pop(key, None)
                self._venue.hub.unsubscribe(self._connection, topic(*key))
        self._connection.answer(self._subscriptions())
        if kind == "subscribe":
            self._first(fresh)

    def _first(self, keys: Iterable[tuple[str, str]]) -> None:
        for channel, pair in keys:
            if channel == "matches":
                self._venue.market.watch(pair, self._venue.engine.now_us())
                self._venue.engine.wake()
            first = self._venue.first_push(channel, pair)
            if first:
                self._connection.push(first)

    def _subscriptions(self) -> str:
        channels = [
            {
                "name": name,
                "product_ids": [pair for channel, pair in self._subscribed if channel == name],
                "account_ids": None,
            }
            for name in dict.fromkeys(channel for channel, _ in self._subscribed)
        ]
        return messages.compact({"type": "subscriptions", "channels": channels})

    def _parse(self, text: bytes) -> tuple[str, list[tuple[str, str]]]:
        """What is asked, and for which (channel, product). Raises RefusedError.

        Products may stand beside the channels, for all of them, or inside a channel.
        """
        try:
            request = json.loads(text)
        except ValueError:
            raise RefusedError("Malformed JSON", "") from None
        if not isinstance(request, dict) or request.get("type") not in ("subscribe", "unsubscribe"):
            raise RefusedError("Malformed message", "type must be subscribe or unsubscribe")
        shared, channels = request.get("product_ids", []), request.get("channels")
        if not isinstance(channels, list) or not channels:
            raise RefusedError("Failed to subscribe", "channels are required")
        wanted: list[tuple[str, str]] = []
        for channel in channels:
            own = channel if isinstance(channel, dict) else {"name": channel}
            name, products = own.get("name"), own.get("product_ids", shared)
            if name not in CHANNELS:
                raise RefusedError("Failed to subscribe", f"{name} is not a valid channel")
            if not isinstance(products, list) or not products:
                raise RefusedError("Failed to subscribe", "product_ids are required")
            for product in products:
                if product not in self._venue.market.desks:
                    raise RefusedError("Failed to subscribe", f"{product} is not a valid product")
                wanted.append((name, product))
        return request["type"], wanted
