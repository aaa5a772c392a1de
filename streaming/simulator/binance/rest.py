"""Binance's public REST interface over the market: trades, exchange information, time.

What belongs here: parameters, paging, errors and weights of the endpoints below. What does not: the shape of
rows (`messages`).

Source: rest-api.md > IP Limits, Recent trades list, Old trade lookup, Exchange information, Server time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.binance import messages
from streaming.simulator.budget import Budget
from streaming.simulator.engine import Engine
from streaming.simulator.market import Desk, Market
from streaming.simulator.tape import HistoryEvictedError

WEIGHT_PER_MINUTE = 6000
MOST_ROWS = 1000
MINUTE_US = 60_000_000


class ParameterError(Exception):
    """A request Binance refuses with HTTP 400: code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ParameterError(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    return int(text)


def _limit(query: QueryParams) -> int:
    limit = _number(query, "limit")
    if limit == 0:
        raise ParameterError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(500 if limit is None else limit, MOST_ROWS)


class BinanceRest:
    """The endpoints. Trades are oldest first. All requests share one budget of weights."""

    def __init__(self, market: Market, engine: Engine, *, limits: bool) -> None:
        self._market = market
        self._engine = engine
        self._budget = Budget(WEIGHT_PER_MINUTE, MINUTE_US) if limits else None
        self._symbols = {messages.symbol(pair): pair for pair in market.desks}

    def routes(self) -> list[Route]:
        endpoints: list[tuple[str, int, Callable[[QueryParams], object]]] = [
            ("ping", 1, lambda query: {}),
            ("time", 1, self.time),
            ("exchangeInfo", 20, self.exchange_information),
            ("trades", 25, self.trades),
            ("historicalTrades", 25, self.historical_trades),
        ]
        return [
            Route(f"/binance/api/v3/{name}", self._endpoint(answer, weight))
            for name, weight, answer in endpoints
        ]

    def time(self, query: QueryParams) -> object:
        return {"serverTime": self._engine.now_us() // 1000}

    def exchange_information(self, query: QueryParams) -> object:
        desks = [self._desk(query)] if query.get("symbol") else list(self._market.desks.values())
        return {
            "timezone": "UTC",
            "serverTime": self._engine.now_us() // 1000,
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": WEIGHT_PER_MINUTE,
                }
            ],
            "exchangeFilters": [],
            "symbols": [messages.symbol_row(desk.instrument) for desk in desks],
        }

    def trades(self, query: QueryParams) -> object:
        """The newest trades."""
        desk, limit = self._desk(query), _limit(query)
        fills = desk.tape.before_id(desk.tape.next_id, limit)
        return [messages.history_row(desk.instrument, fill) for fill in reversed(fills)]

    def historical_trades(self, query: QueryParams) -> object:
        """Trades from an id on, or the newest."""
        first_id = _number(query, "fromId")
        if first_id is None:
            return self.trades(query)
        desk, limit = self._desk(query), _limit(query)
        tape = desk.tape
        first_id = max(first_id, tape.first_id)
        try:
            fills = list(tape.span(first_id, first_id + limit - 1))
        except HistoryEvictedError as error:
            raise ParameterError(-1130, str(error)) from error
        return [messages.history_row(desk.instrument, fill) for fill in fills]

    def _desk(self, query: QueryParams) -> Desk:
        name = query.get("symbol", "")
        if not name:
            raise ParameterError(
                -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            )
        if name not in self._symbols:
            raise ParameterError(-1121, "Invalid symbol.")
        return self._market.desks[self._symbols[name]]

    def _endpoint(
        self, answer: Callable[[QueryParams], object], weight: int
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            wait_us = self._budget.wait_us(weight, self._engine.now_us()) if self._budget else 0
            if wait_us:
                body = {"code": -1003, "msg": "Too much request weight used; please use WebSocket Streams."}
                headers = {"Retry-After": str(wait_us // 1_000_000 + 1)}
                return JSONResponse(body, status_code=429, headers=headers)
            try:
                return JSONResponse(answer(request.query_params))
            except ParameterError as error:
                return JSONResponse({"code": error.code, "msg": error.message}, status_code=400)

        return endpoint
