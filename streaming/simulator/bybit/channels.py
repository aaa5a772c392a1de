"""Bybit's WebSocket: answers, pushes as the market trades, quotes that repeat every three seconds.

What belongs here: the venue object the hub talks to and its session. What does not: the shape of rows
(`messages`) and REST (`rest`).

Source: https://bybit-exchange.github.io/docs/v5/ws/connect and websocket/public/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.routing import Route

from streaming.simulator.bybit import messages
from streaming.simulator.bybit.rest import BybitRest
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill, Quote
from streaming.simulator.hub import Hub, Topic
from streaming.simulator.market import ControlError, Desk, Market, Ticker
from streaming.simulator.wire import ClientSocket, text_frame

PATH = "/bybit/spot"
CHANNELS = ("publicTrade", "tickers", "orderbook.1")
MOST_ARGUMENTS = 10
MOST_ROWS = 1024
REPEAT_MS = 3000
FIRST_UPDATE = 18_521_288


@dataclass(slots=True)
class _Book:
    """The quote that was pushed last, when, and its number."""

    quote: Quote
    update_id: int
    pushed_ms: int


class BybitVenue:
    """Bybit over the market; see `hub.Venue`.

    Args:
        market, hub, engine: what it speaks for.
        limits: whether the REST limit is enforced.
    """

    websocket_paths: tuple[str, ...] = (PATH,)

    def __init__(self, market: Market, hub: Hub, engine: Engine, *, limits: bool = True) -> None:
        self.market = market
        self.hub = hub
        self.engine = engine
        self.topics: dict[str, Topic] = {
            f"{channel}.{messages.symbol(pair)}": (f"bybit/{channel}", pair)
            for pair in market.desks
            for channel in CHANNELS
        }
        self._rest = BybitRest(market, engine, limits=limits)
        self._books: dict[str, _Book] = {}

    def routes(self) -> list[Route]:
        return self._rest.routes()

    def open(self, connection: ClientSocket) -> BybitSession:
        return BybitSession(self, connection)

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        if not self.hub.subscribers(("bybit/publicTrade", pair)):
            return
        instrument = self.market.desks[pair].instrument
        for begin in range(0, len(fills), MOST_ROWS):
            rows = [messages.trade_row(instrument, fill) for fill in fills[begin : begin + MOST_ROWS]]
            self._push("publicTrade", pair, rows)

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        if self.hub.subscribers(("bybit/tickers", pair)):
            self._push("tickers", pair, messages.ticker_row(ticker))
        if self._note_quote(self.market.desks[pair]) and self.hub.subscribers(("bybit/orderbook.1", pair)):
            self._push("orderbook.1", pair, self._book_row(pair))

    def on_second(self) -> None:
        """Repeat quotes that have not changed for three seconds, with the same number."""
        now_ms = self.engine.now_us() // 1000
        for pair, book in self._books.items():
            if now_ms - book.pushed_ms >= REPEAT_MS and self.hub.subscribers(("bybit/orderbook.1", pair)):
                book.pushed_ms = now_ms
                self._push("orderbook.1", pair, self._book_row(pair))

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        return messages.answer(connection.connection_id, "", "subscribe", success=False, message=message)

    def notice_text(self, connection: ClientSocket) -> str:
        """Bybit announces nothing; a client must not mind a message it does not know."""
        return messages.compact({"op": "system", "conn_id": connection.connection_id})

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        desk = self.market.desk(pair)
        if desk.tape.last is None:
            raise ControlError(f"{pair} has not traded yet, so there is no message to break.")
        return messages.malformed_texts(desk.instrument, desk.tape.last)

    def snapshot(self, topic: str) -> str | None:
        """What follows the acknowledgement of a topic; old trades are not repeated."""
        channel, pair = self.topics[topic]
        desk = self.market.desks[pair]
        now_ms = self.engine.now_us() // 1000
        if channel == "bybit/tickers":
            ticker = desk.ticker()
            return messages.push(topic, now_ms, messages.ticker_row(ticker)) if ticker else None
        if channel == "bybit/orderbook.1":
            self._note_quote(desk)
            return messages.push(topic, now_ms, self._book_row(pair)) if pair in self._books else None
        return None

    def _note_quote(self, desk: Desk) -> bool:
        """Number the quote of a desk; False if it is the one that is known."""
        pair, quote = desk.instrument.pair, desk.quote
        book = self._books.get(pair)
        if quote is None or (book is not None and book.quote[1:] == quote[1:]):
            return False
        update_id = FIRST_UPDATE if book is None else book.update_id + 1
        self._books[pair] = _Book(quote, update_id, self.engine.now_us() // 1000)
        return True

    def _book_row(self, pair: str) -> messages.Row:
        book = self._books[pair]
        return messages.book_row(self.market.desks[pair].instrument, book.quote, book.update_id)

    def _push(self, channel: str, pair: str, data: object) -> None:
        text = messages.push(f"{channel}.{messages.symbol(pair)}", self.engine.now_us() // 1000, data)
        self.hub.publish((f"bybit/{channel}", pair), text_frame(text.encode()))


class BybitSession:
    """One connection; see `hub.Session`."""

    def __init__(self, venue: BybitVenue, connection: ClientSocket) -> None:
        self._venue = venue
        self._connection = connection

    def received(self, text: bytes) -> None:
        try:
            request = json.loads(text)
            operation = str(request["op"])
            request_id, arguments = request.get("req_id"), request.get("args")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer("", "", success=False, message="Request not valid")
            return
        if operation == "ping":
            self._connection.pinged()
            self._answer(request_id, "ping", success=True, message="pong")
        elif operation in ("subscribe", "unsubscribe"):
            self._carry_out(request_id, operation, arguments)
        else:
            self._answer(request_id, operation, success=False, message=f"op {operation} not support")

    def _carry_out(self, request_id: object, operation: str, arguments: object) -> None:
        """All of a request or nothing: one bad topic fails it."""
        if not isinstance(arguments, list) or not arguments:
            self._answer(request_id, operation, success=False, message="error:invalid args")
            return
        if len(arguments) > MOST_ARGUMENTS:
            self._answer(request_id, operation, success=False, message=f"args size >{MOST_ARGUMENTS}")
            return
        wrong = [
            topic for topic in arguments if not isinstance(topic, str) or topic not in self._venue.topics
        ]
        if wrong:
            message = f"error:handler not found,topic:{wrong[0]}"
            self._answer(request_id, operation, success=False, message=message)
            return
        self._answer(request_id, operation, success=True, message=operation)
        for topic in arguments:
            if operation == "unsubscribe":
                self._venue.hub.unsubscribe(self._connection, self._venue.topics[topic])
            else:
                self._subscribe(topic)

    def _subscribe(self, topic: str) -> None:
        channel, pair = self._venue.topics[topic]
        self._venue.hub.subscribe(self._connection, (channel, pair))
        first = self._venue.snapshot(topic)
        if first is not None:
            self._connection.push(text_frame(first.encode()))
        if channel == "bybit/publicTrade":
            self._venue.market.watch(pair, self._venue.engine.now_us())
            self._venue.engine.wake()

    def _answer(self, request_id: object, operation: str, *, success: bool, message: str) -> None:
        text = messages.answer(
            self._connection.connection_id, request_id, operation, success=success, message=message
        )
        self._connection.answer(text)
