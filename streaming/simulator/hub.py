"""Who is connected, who gets what, and the faults of the wire.

What belongs here: connections by topic, pushing in batches, the 30-second rule, and the faults that change
what reaches a client (drop, stall, half-open, duplicate, gap, reorder). What does not: texts (a venue makes
them), what is traded (`market`), and faults of REST (`rest_faults`, which venues find here).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from starlette.routing import Route

from streaming.simulator.events import Fill
from streaming.simulator.market import Market, Ticker
from streaming.simulator.rest_faults import RestFaults
from streaming.simulator.wire import ClientSocket

Topic = tuple[str, str]
"""(channel, pair)."""
IDLE_SECONDS = 30.0
NO_DATA = 4004
BUFFER_FULL = 4005


class Session(Protocol):
    """A venue's side of one connection."""

    def received(self, text: bytes) -> None:
        """A text message has come."""


class Venue(Protocol):
    """A venue's protocol over the market."""

    websocket_paths: tuple[str, ...]

    def routes(self) -> list[Route]:
        """Its REST interface."""

    def open(self, connection: ClientSocket) -> Session:
        """A client has connected."""

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        """Push consecutive fills to those who subscribed."""

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        """Push a ticker to those who subscribed."""

    def on_second(self) -> None:
        """Push what is due once a second."""

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        """An error message in the venue's words."""

    def notice_text(self, connection: ClientSocket) -> str:
        """The announcement that the connection will be closed."""

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        """Messages that break the protocol, by a name that says how."""


class Hub:
    """The connections of all venues. It is the market's listener."""

    def __init__(self, market: Market, idle_seconds: float = IDLE_SECONDS) -> None:
        self._market = market
        self._idle_seconds = idle_seconds
        self._venues: list[Venue] = []
        self._topics: dict[Topic, dict[ClientSocket, None]] = defaultdict(dict)
        self._gaps: dict[str, int] = {}
        self._held: dict[str, list[Fill]] = {}
        self._hold_until = 0.0
        self._release_at = 0.0
        self._hold_window = 0.0
        self.connections: dict[ClientSocket, None] = {}
        self.dirty: list[ClientSocket] = []
        self.rest_faults = RestFaults()
        market.listener = self

    def register(self, venue: Venue) -> None:
        self._venues.append(venue)

    def venue_of(self, path: str) -> Venue | None:
        return next((venue for venue in self._venues if path in venue.websocket_paths), None)

    def add(self, connection: ClientSocket) -> None:
        self.connections[connection] = None

    def forget(self, connection: ClientSocket) -> None:
        self.connections.pop(connection, None)
        for topic in connection.topics:
            self._topics[topic].pop(connection, None)

    def subscribe(self, connection: ClientSocket, topic: Topic) -> None:
        connection.topics.add(topic)
        connection.unsubscribed_since = None
        connection.last_activity = asyncio.get_running_loop().time()
        self._topics[topic][connection] = None

    def unsubscribe(self, connection: ClientSocket, topic: Topic) -> None:
        connection.topics.discard(topic)
        self._topics[topic].pop(connection, None)
        if not connection.topics:
            connection.unsubscribed_since = asyncio.get_running_loop().time()

    def subscribers(self, topic: Topic) -> Iterable[ClientSocket]:
        """Who gets a topic; false if nobody does."""
        return self._topics.get(topic, {}).keys()

    def publish(self, topic: Topic, frames: bytes) -> None:
        for connection in self.subscribers(topic):
            connection.push(frames)

    def flush(self) -> None:
        """Write everything that was pushed since the last time."""
        waiting, self.dirty = self.dirty, []
        for connection in waiting:
            connection.flush()

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        hidden = self._gaps.get(pair, 0)
        if hidden:
            self._gaps[pair] = max(hidden - len(fills), 0)
            fills = fills[hidden:]
            if not fills:
                return
        if self._hold_until:
            self._held.setdefault(pair, []).extend(fills)
            now = asyncio.get_running_loop().time()
            if now >= self._release_at:
                self.release(now)
            return
        for venue in self._venues:
            venue.on_fills(pair, fills)

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        for venue in self._venues:
            venue.on_ticker(pair, ticker)

    def on_second(self) -> None:
        """Apply the 30-second rule and let the venues push what is due."""
        now = asyncio.get_running_loop().time()
        if self._held and now >= self._release_at:
            self.release(now)
        for connection in list(self.connections):
            if now < connection.silent_until:
                continue
            since = connection.unsubscribed_since
            oldest = connection.last_activity if since is None else since
            if now - oldest >= self._idle_seconds:
                connection.close(NO_DATA, "No data received in 30s")
        for venue in self._venues:
            venue.on_second()
        self.flush()

    def overflowed(self, connection: ClientSocket) -> None:
        """The client reads too slowly."""
        connection.close(BUFFER_FULL, "Connection buffer is full")

    def gap(self, pair: str, count: int) -> None:
        """The next `count` trades of a pair happen but are not pushed."""
        self._gaps[pair] = self._gaps.get(pair, 0) + count

    def duplicate(self, pair: str, count: int) -> int:
        """Push the last trades of a pair again; returns how many."""
        tape = self._market.desk(pair).tape
        fills = list(tape.span(max(tape.next_id - count, tape.first_id), tape.next_id - 1))
        if fills:
            for venue in self._venues:
                venue.on_fills(pair, fills)
            self.flush()
        return len(fills)

    def reorder(self, seconds: float, window_seconds: float) -> None:
        """For a while, collect trades and push them pair by pair, the last pair to trade first."""
        now = asyncio.get_running_loop().time()
        self._hold_until = now + seconds
        self._hold_window = window_seconds
        self._release_at = now + window_seconds

    def release(self, now: float) -> None:
        """Push the trades that `reorder` has collected."""
        held, self._held = self._held, {}
        self._release_at = now + self._hold_window
        if now >= self._hold_until:
            self._hold_until = 0.0
        for pair in reversed(held):
            for venue in self._venues:
                venue.on_fills(pair, held[pair])

    def chosen(self, path: str | None, count: int | None = None) -> list[ClientSocket]:
        """Connections, oldest first, at most `count`, of one path (its end is enough) or of all."""
        matching = [c for c in self.connections if path is None or c.path.endswith(path)]
        return matching if count is None else matching[:count]

    def drop(self, connections: Iterable[ClientSocket], code: int | None) -> None:
        """Close with a code, or cut without one."""
        for connection in list(connections):
            if code is None:
                connection.abort()
            else:
                connection.close(code, "")

    def stall(self, connections: Iterable[ClientSocket], seconds: float, *, answer: bool) -> None:
        """Push nothing for a while; with `answer=False` not even a pong."""
        until = asyncio.get_running_loop().time() + seconds
        for connection in connections:
            connection.silent_until = until
            if not answer:
                connection.mute_until = until

    def half_open(self, connections: Iterable[ClientSocket], seconds: float) -> None:
        """This side of the connections is gone, and the client is not told for `seconds`."""
        for connection in list(connections):
            self.forget(connection)
            connection.vanish(seconds)

    def tell(self, connections: Iterable[ClientSocket], text: str) -> None:
        """Send the same raw text to some connections."""
        for connection in connections:
            connection.answer(text)
            connection.flush()

    def state(self) -> dict[str, object]:
        """What is connected and which faults wait, as JSON values."""
        now = asyncio.get_running_loop().time()
        return {
            "connections": [
                {
                    "path": c.path,
                    "connection_id": c.connection_id,
                    "subscriptions": sorted(":".join(topic) for topic in c.topics),
                    "silent_seconds": round(max(c.silent_until - now, 0.0), 3),
                }
                for c in self.connections
            ],
            "gaps": {pair: left for pair, left in self._gaps.items() if left},
            "reordering": bool(self._hold_until),
        }
