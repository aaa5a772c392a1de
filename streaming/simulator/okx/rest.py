"""OKX's public REST interface over the market: instruments, tickers, trades and candles.

What belongs here: parameters, paging, envelope, codes and limits of the endpoints below (OKX's documentation,
"Public Data" and "Order Book Trading / Market Data"). What does not: the shape of rows (`messages`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.candles import MINUTE_MS
from streaming.simulator.engine import Engine
from streaming.simulator.events import Fill
from streaming.simulator.market import UTC_PLUS_8_MS, Desk, Market
from streaming.simulator.okx import messages
from streaming.simulator.okx.limits import WindowLimit
from streaming.simulator.rest_faults import RestFaults
from streaming.simulator.tape import HistoryEvictedError

TRADES_KEPT = 500
CANDLES_KEPT = 1440
INSTRUMENT_TYPES = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"})
_BARS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240}
_DAY_BARS = {"6H": 360, "12H": 720, "1D": 1440}
BARS: dict[str, tuple[int, int]] = (
    {name: (minutes, 0) for name, minutes in _BARS.items()}
    | {name: (minutes, UTC_PLUS_8_MS) for name, minutes in _DAY_BARS.items()}
    | {f"{name}utc": (minutes, 0) for name, minutes in _DAY_BARS.items()}
)
"""Bars by OKX's name: minutes and offset. From 6H on they begin at UTC+8 unless the name ends in `utc`."""


class ParameterError(Exception):
    """A request OKX refuses: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _wrong(name: str) -> ParameterError:
    return ParameterError(400, "51000", f"Parameter {name} error")


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _wrong(name)
    return int(text)


def _limit(query: QueryParams, most: int, default: int) -> int:
    limit = _number(query, "limit")
    if limit == 0:
        raise _wrong("limit")
    return default if limit is None else min(limit, most)


Handler = Callable[[QueryParams], list[object]]


class OkxRest:
    """The endpoints. Answers are newest first, and as `faults` has them."""

    def __init__(
        self, market: Market, engine: Engine, *, limits: bool, faults: RestFaults | None = None
    ) -> None:
        self._market = market
        self._engine = engine
        self._limits = limits
        self._faults = faults or RestFaults()

    def routes(self) -> list[Route]:
        endpoints: list[tuple[str, int, Handler]] = [
            ("/api/v5/public/instruments", 20, self.instruments),
            ("/api/v5/public/time", 10, self.time),
            ("/api/v5/market/tickers", 20, self.tickers),
            ("/api/v5/market/ticker", 20, self.ticker),
            ("/api/v5/market/trades", 100, self.trades),
            ("/api/v5/market/history-trades", 20, self.history_trades),
            ("/api/v5/market/candles", 40, self.candles),
            ("/api/v5/market/history-candles", 20, self.history_candles),
        ]
        return [Route(path, self._endpoint(handler, WindowLimit(n))) for path, n, handler in endpoints]

    def instruments(self, query: QueryParams) -> list[object]:
        pair = query.get("instId")
        if self._instrument_type(query) != "SPOT":
            return []
        desks = [self._desk(query)] if pair else list(self._market.desks.values())
        return [messages.instrument_row(desk.instrument) for desk in desks]

    def time(self, query: QueryParams) -> list[object]:
        return [{"ts": str(self._engine.now_us() // 1000)}]

    def tickers(self, query: QueryParams) -> list[object]:
        if self._instrument_type(query) != "SPOT":
            return []
        tickers = [desk.ticker() for desk in self._market.desks.values()]
        return [messages.ticker_row(ticker) for ticker in tickers if ticker is not None]

    def ticker(self, query: QueryParams) -> list[object]:
        ticker = self._desk(query).ticker()
        return [] if ticker is None else [messages.ticker_row(ticker)]

    def trades(self, query: QueryParams) -> list[object]:
        desk, limit = self._desk(query), _limit(query, TRADES_KEPT, 100)
        return _rows(desk, desk.tape.before_id(self._end_id(desk), limit))

    def history_trades(self, query: QueryParams) -> list[object]:
        """Pages by id (`type` 1) or time (2): `after` gives older rows, `before` newer ones, by id only.

        `before` alone gives the latest rows that are newer, not the ones that follow it.
        """
        desk, limit = self._desk(query), _limit(query, 100, 100)
        after, before, kind = _number(query, "after"), _number(query, "before"), query.get("type", "1")
        if kind not in ("1", "2"):
            raise _wrong("type")
        tape = desk.tape
        try:
            if kind == "2" and after is not None:
                return _rows(desk, tape.before_time(after, limit))
            end_id = self._end_id(desk)
            fills = tape.before_id(end_id if after is None else min(after, end_id), limit)
        except HistoryEvictedError as error:
            raise ParameterError(400, "51000", f"Parameter after error: {error}") from error
        newer_than = before if before is not None and kind == "1" else -1
        return _rows(desk, [fill for fill in fills if fill.trade_id > newer_than])

    def candles(self, query: QueryParams) -> list[object]:
        return self._candles(query, CANDLES_KEPT)

    def history_candles(self, query: QueryParams) -> list[object]:
        return self._candles(query, None)

    def _candles(self, query: QueryParams, kept: int | None) -> list[object]:
        desk, limit = self._desk(query), _limit(query, 300, 100)
        name = query.get("bar", "1m")
        if name not in BARS:
            raise _wrong("bar")
        minutes, offset_ms = BARS[name]
        after, before = _number(query, "after"), _number(query, "before")
        now_ms = self._engine.now_us() // 1000
        bars = islice(desk.tape.candles.newest_first(minutes, offset_ms), kept)
        chosen = (
            candle
            for candle in bars
            if (after is None or candle.start_ms < after) and (before is None or candle.start_ms > before)
        )
        return [
            messages.candle_row(
                desk.instrument, candle, confirmed=candle.start_ms + minutes * MINUTE_MS <= now_ms
            )
            for candle in islice(chosen, limit)
        ]

    def _end_id(self, desk: Desk) -> int:
        """The id after the newest trade that these endpoints show."""
        now_us = self._engine.now_us()
        lag_us = self._faults.lag_us(now_us)
        if not lag_us:
            return desk.tape.next_id
        shown = desk.tape.before_time((now_us - lag_us) // 1000, 1)
        return shown[0].trade_id + 1 if shown else desk.tape.first_id

    def _desk(self, query: QueryParams) -> Desk:
        pair = query.get("instId", "")
        if not pair:
            raise ParameterError(400, "50014", "Parameter instId cannot be empty.")
        if pair not in self._market.desks:
            raise ParameterError(200, "51001", "Instrument ID doesn't exist.")
        return self._market.desks[pair]

    def _instrument_type(self, query: QueryParams) -> str:
        kind = query.get("instType", "")
        if not kind:
            raise ParameterError(400, "50014", "Parameter instType cannot be empty.")
        if kind not in INSTRUMENT_TYPES:
            raise _wrong("instType")
        return kind

    def _endpoint(self, handler: Handler, limit: WindowLimit) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            refusal = self._faults.refusal(self._engine.now_us())
            if refusal == "hang":
                await asyncio.sleep(self._faults.left_s("hang", self._engine.now_us()))
            elif refusal == "unavailable":
                return HTMLResponse("<html><body>Service Unavailable</body></html>", status_code=503)
            within = not self._limits or limit.take(self._engine.now_us())
            if refusal == "too_many" or not within:
                return _envelope(429, "50011", "Too Many Requests", [])
            try:
                return _envelope(200, "0", "", handler(request.query_params))
            except ParameterError as error:
                return _envelope(error.status, error.code, error.message, [])

        return answer


def _rows(desk: Desk, fills: list[Fill]) -> list[object]:
    return [messages.trade_row(desk.instrument, fill) for fill in fills]


def _envelope(status: int, code: str, message: str, data: list[object]) -> JSONResponse:
    return JSONResponse({"code": code, "msg": message, "data": data}, status_code=status)
