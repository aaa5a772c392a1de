"""Coinbase Exchange's public REST interface over the market: products, trades, time.

What belongs here: parameters, paging, errors and the limit of the endpoints below. What does not: the shape
of rows (`messages`).

Source: https://docs.cdp.coinbase.com/exchange/rest-api > Products, Pagination, Rate limits; Get server time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.budget import Budget
from streaming.simulator.coinbase import messages
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.market import Desk, Market
from streaming.simulator.tape import HistoryEvictedError

REQUESTS_PER_SECOND = 10
MOST_ROWS = 1000


class ParameterError(Exception):
    """A request that is refused: HTTP status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ParameterError(400, f"Invalid {name}")
    return int(text)


class CoinbaseRest:
    """The endpoints. Trades are newest first; all requests of an address share one limit."""

    def __init__(self, market: Market, engine: Engine, *, limits: bool) -> None:
        self._market = market
        self._engine = engine
        self._budget = Budget(REQUESTS_PER_SECOND, 1_000_000) if limits else None

    def routes(self) -> list[Route]:
        return [
            Route("/coinbase/time", self._endpoint(self.time)),
            Route("/coinbase/products", self._endpoint(self.products)),
            Route("/coinbase/products/{product}", self._endpoint(self.product)),
            Route("/coinbase/products/{product}/trades", self._endpoint(self.trades)),
        ]

    def time(self, request: Request) -> Response:
        now_us = self._engine.now_us()
        return JSONResponse({"iso": messages.rfc3339(now_us, 3), "epoch": now_us // 1000 / 1000})

    def products(self, request: Request) -> Response:
        return JSONResponse([messages.product_row(d.instrument) for d in self._market.desks.values()])

    def product(self, request: Request) -> Response:
        return JSONResponse(messages.product_row(self._desk(request).instrument))

    def trades(self, request: Request) -> Response:
        """A page of trades: the newest, those older than `after`, or the newest of those after `before`.

        The headers hold the ids to go on with, as long as there is anything in that direction.
        """
        desk, query = self._desk(request), request.query_params
        limit, after, before = _number(query, "limit"), _number(query, "after"), _number(query, "before")
        if limit == 0:
            raise ParameterError(400, "Invalid limit")
        tape = desk.tape
        try:
            fills = tape.before_id(
                tape.next_id if after is None else after,
                min(MOST_ROWS if limit is None else limit, MOST_ROWS),
            )
        except HistoryEvictedError as error:
            raise ParameterError(400, str(error)) from error
        newer = [fill for fill in fills if before is None or fill.trade_id > before]
        rows = [messages.history_row(desk.instrument, fill) for fill in newer]
        return JSONResponse(rows, headers=_cursors(newer))

    def _desk(self, request: Request) -> Desk:
        product = request.path_params["product"]
        if product not in self._market.desks:
            raise ParameterError(404, "NotFound")
        return self._market.desks[product]

    def _endpoint(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if self._budget is not None and self._budget.wait_us(1, self._engine.now_us()):
                return JSONResponse({"message": "Public rate limit exceeded"}, status_code=429)
            try:
                return answer(request)
            except ParameterError as error:
                return JSONResponse({"message": error.message}, status_code=error.status)

        return endpoint


def _cursors(fills: list[Fill]) -> dict[str, str]:
    if not fills:
        return {}
    return {"CB-BEFORE": str(fills[0].trade_id), "CB-AFTER": str(fills[-1].trade_id)}
