"""/truth: what the simulated exchange really traded, for whoever checks the platform.

What belongs here: reading the tapes, exact text. What does not: any venue's protocol, and changing anything.
"""

from __future__ import annotations

from itertools import islice

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.candles import Candle
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.instruments import Instrument, decimal_text
from streaming.simulator.market import Desk, Market
from streaming.simulator.tape import HistoryEvictedError

MOST_ROWS = 10_000
BARS = {"1m": 1, "5m": 5, "15m": 15, "1H": 60, "1D": 1440}
"""Bars, all aligned in UTC."""


def _trade(instrument: Instrument, fill: Fill) -> dict[str, object]:
    return {
        "id": fill.trade_id,
        "price": instrument.price_text(fill.price),
        "size": instrument.size_text(fill.size),
        "side": "sell" if fill.sell else "buy",
        "time_ms": fill.time_ms,
    }


def _candle(instrument: Instrument, candle: Candle) -> dict[str, object]:
    return {
        "start_ms": candle.start_ms,
        "open": instrument.price_text(candle.open),
        "high": instrument.price_text(candle.high),
        "low": instrument.price_text(candle.low),
        "close": instrument.price_text(candle.close),
        "volume": instrument.size_text(candle.volume),
        "quote_volume": decimal_text(candle.quote_volume, instrument.quote_decimals),
        "count": candle.count,
        "first_id": candle.first[1],
        "last_id": candle.last[1],
    }


def _integer(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise HTTPException(400, f"{name} is {text!r}; it must be a whole number.")
    return int(text)


class Truth:
    """The /truth routes."""

    def __init__(self, market: Market, engine: Engine) -> None:
        self._market = market
        self._engine = engine

    def routes(self) -> list[Route]:
        return [
            Route("/truth/summary", self.summary),
            Route("/truth/trades", self.trades),
            Route("/truth/candles", self.candles),
        ]

    async def summary(self, request: Request) -> Response:
        """Per pair: count, id and time bounds and exact sums of the trades kept; null without trades."""
        pairs: dict[str, object] = {}
        for pair, desk in self._market.desks.items():
            totals = desk.tape.totals()
            pairs[pair] = totals and {
                "count": totals.count,
                "first_id": totals.first_id,
                "last_id": totals.last_id,
                "min_time_ms": totals.min_time_ms,
                "max_time_ms": totals.max_time_ms,
                "sum_size": desk.instrument.size_text(totals.size),
                "sum_quote": decimal_text(totals.quote, desk.instrument.quote_decimals),
                "evicted": desk.tape.evicted,
            }
        return JSONResponse({"pairs": pairs})

    async def trades(self, request: Request) -> Response:
        """Trades by id, oldest first, at most `limit`; `next_from_id` is null on the last page."""
        query = request.query_params
        desk = self._desk(query)
        tape = desk.tape
        first = _integer(query, "from_id", tape.first_id)
        last = min(_integer(query, "to_id", tape.next_id - 1), tape.next_id - 1)
        limit = min(_integer(query, "limit", 1000), MOST_ROWS)
        try:
            fills = list(islice(tape.span(first, last), limit))
        except HistoryEvictedError as error:
            raise HTTPException(410, str(error)) from error
        following = fills[-1].trade_id + 1 if fills else None
        return JSONResponse(
            {
                "pair": tape.pair,
                "trades": [_trade(desk.instrument, fill) for fill in fills],
                "next_from_id": following if following is not None and following <= last else None,
            }
        )

    async def candles(self, request: Request) -> Response:
        """Bars that had trades, oldest first; `closed` by the clock of this exchange."""
        query = request.query_params
        desk = self._desk(query)
        name = query.get("bar", "1m")
        if name not in BARS:
            raise HTTPException(400, f"bar is {name!r}; it must be one of {', '.join(BARS)}.")
        newest = islice(desk.tape.candles.newest_first(BARS[name]), _integer(query, "limit", MOST_ROWS))
        rows = [_candle(desk.instrument, candle) for candle in newest]
        return JSONResponse({"pair": desk.tape.pair, "bar": name, "candles": rows[::-1]})

    def _desk(self, query: QueryParams) -> Desk:
        pair = query.get("pair", "")
        if pair not in self._market.desks:
            raise HTTPException(400, f"pair is {pair!r}; it must be one of {', '.join(self._market.desks)}.")
        return self._market.desks[pair]
