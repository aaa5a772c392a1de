"""Bybit's public REST interface over the market: markets, the newest trades, the clock.

What belongs here: parameters, errors and the limit of the endpoints below. What does not: the shape of rows
(`messages`).

Source: https://bybit-exchange.github.io/docs/v5/market/recent-trade, /instrument, /time; docs/v5/rate-limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.budget import Budget
from streaming.simulator.bybit import messages
from streaming.simulator.engine import Engine
from streaming.simulator.market import Market

MOST_ROWS = 60
REQUESTS = 600
WINDOW_US = 5_000_000


class ParameterError(Exception):
    """A request that Bybit refuses with code 10001."""


class BybitRest:
    """The endpoints. Trades are newest first, and there is no way to older ones than the newest sixty."""

    def __init__(self, market: Market, engine: Engine, *, limits: bool) -> None:
        self._market = market
        self._engine = engine
        self._budget = Budget(REQUESTS, WINDOW_US) if limits else None
        self._pairs = {messages.symbol(pair): pair for pair in market.desks}

    def routes(self) -> list[Route]:
        return [
            Route("/bybit/v5/market/time", self._endpoint(self.time)),
            Route("/bybit/v5/market/instruments-info", self._endpoint(self.instruments)),
            Route("/bybit/v5/market/recent-trade", self._endpoint(self.trades)),
        ]

    def time(self, query: QueryParams) -> object:
        now_us = self._engine.now_us()
        return {"timeSecond": str(now_us // 1_000_000), "timeNano": str(now_us * 1000)}

    def instruments(self, query: QueryParams) -> object:
        rows = [messages.instrument_row(desk.instrument) for desk in self._market.desks.values()]
        return {"category": _category(query), "list": rows}

    def trades(self, query: QueryParams) -> object:
        category, symbol, limit = _category(query), query.get("symbol", ""), query.get("limit", "60")
        if symbol not in self._pairs:
            raise ParameterError("params error: symbol invalid")
        if not (limit.isascii() and limit.isdecimal() and len(limit) < 3 and 1 <= int(limit) <= MOST_ROWS):
            raise ParameterError("params error: limit invalid")
        desk = self._market.desks[self._pairs[symbol]]
        fills = desk.tape.before_id(desk.tape.next_id, int(limit))
        return {"category": category, "list": [messages.history_row(desk.instrument, f) for f in fills]}

    def _endpoint(self, answer: Callable[[QueryParams], object]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            now_us = self._engine.now_us()
            if self._budget is not None and self._budget.wait_us(1, now_us):
                return Response("access too frequent", status_code=403)
            body: dict[str, object] = {"retExtInfo": {}, "time": now_us // 1000}
            try:
                body |= {"retCode": 0, "retMsg": "OK", "result": answer(request.query_params)}
            except ParameterError as error:
                body |= {"retCode": 10001, "retMsg": str(error), "result": {}}
            return JSONResponse(body)

        return endpoint


def _category(query: QueryParams) -> str:
    if query.get("category") != "spot":
        raise ParameterError("params error: Category is invalid")
    return "spot"
