"""Kraken's public REST interface over the market: markets, trades by time, the clock.

What belongs here: parameters, paging, errors and the limit of the endpoints below. What does not: the shape
of rows (`messages`).

Source: https://docs.kraken.com/api/docs/rest-api/get-recent-trades, get-tradable-asset-pairs,
get-server-time; guides/spot-rest-ratelimits.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streaming.simulator.budget import Budget
from streaming.simulator.engine import Engine
from streaming.simulator.kraken import messages
from streaming.simulator.market import Market

MOST_ROWS = 1000
BURST = 15
"""Requests in as many seconds: about one a second, and a client that was quiet may be quick."""


class ParameterError(Exception):
    """A request that Kraken refuses; the text is its error."""


class KrakenRest:
    """The endpoints. Every answer has status 200 and a list of errors."""

    def __init__(self, market: Market, engine: Engine, *, limits: bool) -> None:
        self._market = market
        self._engine = engine
        self._budget = Budget(BURST, BURST * 1_000_000) if limits else None
        self._pairs = {messages.rest_name(desk.instrument): pair for pair, desk in market.desks.items()}

    def routes(self) -> list[Route]:
        return [
            Route("/kraken/0/public/Time", self._endpoint(self.time)),
            Route("/kraken/0/public/AssetPairs", self._endpoint(self.asset_pairs)),
            Route("/kraken/0/public/Trades", self._endpoint(self.trades)),
        ]

    def time(self, query: QueryParams) -> str:
        seconds = self._engine.now_us() // 1_000_000
        text = time.strftime("%a, %d %b %y %H:%M:%S +0000", time.gmtime(seconds))
        return messages.compact({"unixtime": seconds, "rfc1123": text})

    def asset_pairs(self, query: QueryParams) -> str:
        desks = self._market.desks.values()
        return messages.compact(
            {messages.rest_name(d.instrument): messages.pair_row(d.instrument) for d in desks}
        )

    def trades(self, query: QueryParams) -> str:
        """The trades after the time `since` in nanoseconds, oldest first; without it, the newest."""
        name = query.get("pair", "")
        if name not in self._pairs:
            raise ParameterError("EQuery:Unknown asset pair")
        tape = self._market.desks[self._pairs[name]].tape
        instrument = self._market.desks[self._pairs[name]].instrument
        count = _number(query, "count")
        count = MOST_ROWS if count is None else min(max(count, 1), MOST_ROWS)
        since_ns = _number(query, "since")
        if since_ns is None:
            fills = tape.before_id(tape.next_id, count)[::-1]
        else:
            fills = tape.after_time(since_ns // 1_000_000, count)
        last_ns = fills[-1].time_ms * 1_000_000 if fills else since_ns or 0
        rows = ",".join(messages.history_row(instrument, fill) for fill in fills)
        return f'{{"{name}":[{rows}],"last":"{last_ns}"}}'

    def _endpoint(self, answer: Callable[[QueryParams], str]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if self._budget is not None and self._budget.wait_us(1, self._engine.now_us()):
                return _reply('["EGeneral:Too many requests"]')
            try:
                return _reply("[]", answer(request.query_params))
            except ParameterError as error:
                return _reply(messages.compact([str(error)]))

        return endpoint


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise ParameterError("EGeneral:Invalid arguments")
    return int(text)


def _reply(errors: str, result: str | None = None) -> Response:
    body = f'{{"error":{errors}}}' if result is None else f'{{"error":{errors},"result":{result}}}'
    return Response(body, media_type="application/json")
