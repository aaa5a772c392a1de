"""The REST API below /api/v1, read-only, described by its own /api/v1/openapi.json.

What belongs here: parameters, their limits, status codes. What does not: where answers come from
(`crypto_platform.dashboard.candles` and the rest).
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response, StreamingResponse

from crypto_platform.dashboard import candles as candles_module
from crypto_platform.dashboard import export
from crypto_platform.dashboard.address import BARS_MAX, DEFAULT_RANGE, RANGES
from crypto_platform.dashboard.numbers import deviation_bp, median, plain
from crypto_platform.dashboard.pipeline import Picture
from crypto_platform.dashboard.stream import VIEWERS_MAX
from crypto_platform.dashboard.views import INTERVALS, Candle, Finding, Market

if TYPE_CHECKING:
    from crypto_platform.dashboard.application import Dashboard

LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01: a later time is a mistake."""
FINDINGS_MAX: Final = 1_000

_DESCRIPTION: Final = f"""\
Markets, candles, anomalies and the state of the pipeline, read-only.

Prices, sizes and volumes are decimal texts, exactly; times are UTC since 1970, in the unit that the name ends
in. An answer has at most {BARS_MAX} candles; `/stream` serves {VIEWERS_MAX} viewers and answers 503 to more.
Simulated data has `simulated: true` and an exchange that ends in `_SIM`.

`/stream` sends server-sent events: `snapshot` (all markets, the open ends of all candles, all anomalies),
then at most 20 a second `frame` with what changed since, and `heartbeat` after two seconds without a change.
Its `id` given as `Last-Event-ID` or `?after=` continues where a connection broke.
"""


class Format(StrEnum):
    """The form of an answer."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class Interval(StrEnum):
    """The length of a candle."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"


class Markets(msgspec.Struct, frozen=True):
    """Every market, by pair and exchange. `now_ms` is the server's clock."""

    now_ms: int
    markets: list[Market]


class Candles(msgspec.Struct, frozen=True):
    """Candles by start. `incomplete` says why some may be missing; null: none is."""

    incomplete: str | None
    candles: list[Candle]


class Findings(msgspec.Struct, frozen=True):
    """Anomalies, the latest first."""

    anomalies: list[Finding]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange beside the others. `deviation_bp` is of its price from the median of all that have one."""

    exchange: str
    last_price: str | None
    deviation_bp: str | None
    spread_bp: str | None
    exchange_time_us: int
    simulated: bool


class Comparison(msgspec.Struct, frozen=True):
    """One pair on every exchange."""

    pair: str
    median_price: str | None
    exchanges: list[Compared]


_ANSWERS: Final = (Markets, Candles, Findings, Comparison, Picture)
_REF: Final = "#/components/schemas/{name}"
_encoder = msgspec.json.Encoder()

Pair = Annotated[str, Query(max_length=40, description="A pair, for example BTC-USDT.")]
Exchange = Annotated[str, Query(max_length=40, description="An exchange, for example OKX.")]
TimeMs = Annotated[int | None, Query(ge=0, le=LATEST_MS, description="Milliseconds since 1970, UTC.")]


def _json(value: msgspec.Struct) -> Response:
    return Response(_encoder.encode(value), media_type="application/json")


def _answer(kind: type[msgspec.Struct]) -> dict[int | str, dict[str, Any]]:
    """The schema of a 200 answer, for the document."""
    schema = {"$ref": _REF.format(name=kind.__name__)}
    return {200: {"description": "Answer", "content": {"application/json": {"schema": schema}}}}


_PROBLEM: Final = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"detail": {"type": "string"}},
                "required": ["detail"],
            }
        }
    }
}


def comparison(pair: str, markets: list[Market]) -> Comparison:
    """One pair on every exchange that has it."""
    here = [market for market in markets if market.pair == pair]
    prices = [market.last_price for market in here if market.last_price is not None]
    middle = median(prices) if prices else None
    return Comparison(
        pair,
        None if middle is None else plain(middle),
        [
            Compared(
                exchange=market.exchange,
                last_price=market.last_price,
                deviation_bp=None
                if market.last_price is None or middle is None
                else deviation_bp(market.last_price, middle),
                spread_bp=market.spread_bp,
                exchange_time_us=market.exchange_time_us,
                simulated=market.simulated,
            )
            for market in here
        ],
    )


def create(dashboard: Dashboard) -> FastAPI:
    """The API of one dashboard."""
    app = FastAPI(
        title="crypto-platform", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    not_found: dict[int | str, dict[str, Any]] = {404: {"description": "No such market"} | _PROBLEM}

    def require(exchange: str | None, pair: str) -> None:
        known = {(market.exchange, market.pair) for market in dashboard.state.markets()}
        if not any(pair == p and exchange in (None, e) for e, p in known):
            where = f" on {exchange}" if exchange else ""
            raise HTTPException(404, f"There is no market {pair}{where}. /api/v1/markets lists them.")

    @app.get("/markets", responses=_answer(Markets), summary="Every market now")
    def markets() -> Response:
        return _json(Markets(time.time_ns() // 1_000_000, dashboard.state.markets()))

    @app.get(
        "/candles",
        responses=_answer(Candles)
        | not_found
        | {400: {"description": "A range that is empty or too long"} | _PROBLEM},
        summary="Candles of one market, also as CSV or Parquet",
    )
    def candles(
        exchange: Exchange,
        pair: Pair,
        interval: Interval = Interval.M1,
        start_ms: TimeMs = None,
        end_ms: TimeMs = None,
        format: Format = Format.JSON,
    ) -> Response:
        require(exchange, pair)
        length = INTERVALS[interval]
        end = time.time_ns() // 1_000_000 + length if end_ms is None else end_ms
        start = max(0, end - RANGES[DEFAULT_RANGE]) if start_ms is None else start_ms
        if end <= start:
            raise HTTPException(400, "end_ms must be later than start_ms.")
        if (end - start) // length > BARS_MAX:
            raise HTTPException(
                400, f"At most {BARS_MAX} candles at once: {BARS_MAX * length} ms of {interval.value}."
            )
        found = candles_module.series(
            dashboard.history, dashboard.state, exchange, pair, interval.value, start, end
        )
        if format is Format.JSON:
            return _json(Candles(found.incomplete, found.candles))
        as_file, kind = (
            (export.as_csv, "text/csv")
            if format is Format.CSV
            else (export.as_parquet, "application/vnd.apache.parquet")
        )
        name = f"{exchange}_{pair}_{interval.value}_{start}_{end}.{format.value}"
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
        return Response(
            as_file(found.candles),
            media_type=kind,
            headers={"Content-Disposition": f'attachment; filename="{safe}"'},
        )

    @app.get("/anomalies", responses=_answer(Findings), summary="Findings of the last 24 hours")
    def anomalies(
        pair: Annotated[str | None, Query(max_length=40)] = None,
        limit: Annotated[int, Query(ge=1, le=FINDINGS_MAX)] = 200,
    ) -> Response:
        found = [one for one in dashboard.state.findings() if pair in (None, one.pair)]
        return _json(Findings(found[:limit]))

    @app.get("/comparison", responses=_answer(Comparison) | not_found, summary="One pair on every exchange")
    def compare(pair: Pair) -> Response:
        require(None, pair)
        return _json(comparison(pair, dashboard.state.markets()))

    @app.get("/pipeline", responses=_answer(Picture), summary="How the platform's parts are")
    def pipeline() -> Response:
        return _json(dashboard.pipeline.picture)

    @app.get(
        "/stream",
        responses={
            200: {"description": "Server-sent events", "content": {"text/event-stream": {}}},
            503: {"description": "Too many viewers"} | _PROBLEM,
        },
        summary="What changes, as it changes",
    )
    async def stream(
        after: Annotated[str | None, Query(max_length=40)] = None,
        last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    ) -> Response:
        if dashboard.stream.full:
            raise HTTPException(503, f"There are {VIEWERS_MAX} viewers already.", {"Retry-After": "10"})
        return StreamingResponse(
            dashboard.stream.events(last_event_id or after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                servers=[{"url": "/api/v1"}],
            )
            _, schemas = msgspec.json.schema_components(_ANSWERS, ref_template=_REF)
            made.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
    return app
