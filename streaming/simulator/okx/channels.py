"""OKX's WebSocket: acknowledgements, the first push, and pushes as the market trades.

What belongs here: the venue object the hub talks to and its session. What does not: the grammar of requests
(`requests`), the shape of rows (`messages`) and REST (`rest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from starlette.routing import Route

from streaming.simulator.candles import MINUTE_MS
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.hub import Hub
from streaming.simulator.market import ControlError, Market, Ticker
from streaming.simulator.okx import messages
from streaming.simulator.okx.limits import RequestBudget
from streaming.simulator.okx.requests import BUSINESS, PUBLIC, Refused, Wanted, parse
from streaming.simulator.okx.rest import OkxRest
from streaming.simulator.wire import ClientSocket, text_frame

LONGEST_ORDER = 64
"""How far back the fills of the last taker order are looked for."""
SERVICE_UPGRADE = "The connection will soon be closed for a service upgrade. Please reconnect."


class OkxVenue:
    """OKX over the market; see `hub.Venue`.

    Args:
        market, hub, engine: what it speaks for.
        limits: whether REST and subscribe limits are enforced.
    """

    websocket_paths: tuple[str, ...] = (PUBLIC, BUSINESS)

    def __init__(self, market: Market, hub: Hub, engine: Engine, *, limits: bool = True) -> None:
        self.market = market
        self.hub = hub
        self.engine = engine
        self.limits = limits
        self._rest = OkxRest(market, engine, limits=limits, faults=hub.rest_faults)
        self._prefixes = {
            pair: f'{{"arg":{{"channel":"trades-all","instId":"{pair}"}},"data":[{{"instId":"{pair}",'
            for pair in market.desks
        }
        self._forming: dict[str, int] = {}

    def routes(self) -> list[Route]:
        return self._rest.routes()

    def open(self, connection: ClientSocket) -> OkxSession:
        return OkxSession(self, connection)

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        if self.hub.subscribers(("trades-all", pair)):
            self.hub.publish(("trades-all", pair), self.single_fills(pair, fills))
        if self.hub.subscribers(("trades", pair)):
            self.hub.publish(("trades", pair), self.aggregated(pair, fills))

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        if self.hub.subscribers(("tickers", pair)):
            text = messages.push("tickers", pair, [messages.ticker_row(ticker)])
            self.hub.publish(("tickers", pair), text_frame(text.encode()))

    def on_second(self) -> None:
        """Push forming candles, and each closed one once more as confirmed."""
        now_ms = self.engine.now_us() // 1000
        for pair, desk in self.market.desks.items():
            if not self.hub.subscribers(("candle1m", pair)):
                self._forming.pop(pair, None)
                continue
            newest = list(islice(desk.tape.candles.newest_first(), 2))
            for candle in reversed(newest):
                closed = candle.start_ms + MINUTE_MS <= now_ms or candle is not newest[0]
                if closed and self._forming.get(pair) != candle.start_ms:
                    continue
                row = messages.candle_row(desk.instrument, candle, confirmed=closed)
                text = messages.push("candle1m", pair, [row])
                self.hub.publish(("candle1m", pair), text_frame(text.encode()))
                if closed:
                    del self._forming[pair]
                else:
                    self._forming[pair] = candle.start_ms

    def single_fills(self, pair: str, fills: Sequence[Fill]) -> bytes:
        """The frames of `trades-all`: one a fill. Built by hand, because this is the busiest path."""
        prefix = self._prefixes[pair]
        instrument = self.market.desks[pair].instrument
        price, size = instrument.price_text, instrument.size_text
        return b"".join(
            [
                text_frame(
                    f'{prefix}"tradeId":"{f.trade_id}","px":"{price(f.price)}","sz":"{size(f.size)}",'
                    f'"side":"{"sell" if f.sell else "buy"}","source":"0","ts":"{f.time_ms}"}}]}}'.encode()
                )
                for f in fills
            ]
        )

    def aggregated(self, pair: str, fills: Sequence[Fill]) -> bytes:
        """The frames of `trades`: one a taker order and price."""
        instrument = self.market.desks[pair].instrument
        return b"".join(
            text_frame(messages.push("trades", pair, [messages.aggregated_row(instrument, order)]).encode())
            for order in messages.orders(fills)
        )

    def first_push(self, wanted: Wanted) -> bytes:
        """What OKX sends right after the acknowledgement: the last trade or ticker, however old."""
        if wanted.channel not in ("trades-all", "trades", "tickers"):
            return b""
        desk = self.market.desks[wanted.pair]
        if wanted.channel == "tickers":
            ticker = desk.ticker()
            if ticker is None or ticker.quote is None:
                return b""
            text = messages.push("tickers", wanted.pair, [messages.ticker_row(ticker)])
            return text_frame(text.encode())
        last = desk.tape.last
        if last is None:
            return b""
        if wanted.channel == "trades-all":
            return self.single_fills(wanted.pair, [last])
        begin = max(last.trade_id - LONGEST_ORDER, desk.tape.first_id)
        *_, order = messages.orders(list(desk.tape.span(begin, last.trade_id)))
        return self.aggregated(wanted.pair, order)

    def error_text(self, connection: ClientSocket, code: str, message: str) -> str:
        return error(None, Refused(code, message), connection)

    def notice_text(self, connection: ClientSocket) -> str:
        return messages.compact(
            {"event": "notice", "code": "64008", "msg": SERVICE_UPGRADE, "connId": connection.connection_id}
        )

    def malformed_texts(self, pair: str) -> Mapping[str, str]:
        desk = self.market.desk(pair)
        if desk.tape.last is None:
            raise ControlError(f"{pair} has not traded yet, so there is no message to break.")
        return messages.malformed_texts(desk.instrument, desk.tape.last)


def error(request_id: str | None, refused: Refused, connection: ClientSocket) -> str:
    """An error message. It has no `arg`; only the id says what it answers."""
    body = {} if request_id is None else {"id": request_id}
    body |= {"event": "error", "code": refused.code, "msg": refused.message}
    return messages.compact(body | {"connId": connection.connection_id})


class OkxSession:
    """One connection; see `hub.Session`."""

    def __init__(self, venue: OkxVenue, connection: ClientSocket) -> None:
        self._venue = venue
        self._connection = connection
        self._budget = RequestBudget()

    def received(self, text: bytes) -> None:
        connection = self._connection
        if text == b"ping":
            connection.pinged()
            connection.answer("pong")
            return
        now_us = self._venue.engine.now_us()
        if self._venue.limits and not self._budget.take(now_us):
            connection.answer(error(None, Refused("60014", "Requests too frequent"), connection))
            return
        request = parse(connection.path, text, self._venue.market.desks.keys())
        if isinstance(request, tuple):
            connection.answer(error(*request, connection))
            return
        for outcome in request.outcomes:
            if isinstance(outcome, Refused):
                connection.answer(error(request.id, outcome, connection))
                continue
            ack = {
                "event": request.operation,
                "arg": outcome.arg,
                "connId": connection.connection_id,
            }
            connection.answer(messages.compact(ack if request.id is None else {"id": request.id} | ack))
            topic = (outcome.channel, outcome.pair)
            if request.operation == "unsubscribe":
                self._venue.hub.unsubscribe(connection, topic)
                continue
            self._venue.hub.subscribe(connection, topic)
            first = self._venue.first_push(outcome)
            if first:
                connection.push(first)
            if outcome.channel in ("trades-all", "trades"):
                self._venue.market.watch(outcome.pair, now_us)
                self._venue.engine.wake()
