"""/control: injects faults and steers the market. POST JSON; a bad request answers 400 and says why.

What belongs here: the requests' grammar and calling what carries them out. What does not: how a fault works
(`hub` for the wire, `rest_faults` for REST, `market` for trades and quotes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.simulator.engine import Engine
from streaming.simulator.events import RawFill
from streaming.simulator.hub import Hub, Venue
from streaming.simulator.market import ControlError, Desk, Market
from streaming.simulator.rest_faults import Kind
from streaming.simulator.wire import ClientSocket

log = structlog.get_logger(__name__)

SERVICE_RESTART = 1012
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Aimed(_Body):
    path: str | None = None
    """End of the WebSocket path, `business` or `public`; all connections without it."""
    count: Count | None = None
    """How many connections, oldest first; all without it."""


class Drop(_Aimed):
    """Close connections with `code`, or cut them without a closing handshake if it is null."""

    code: Annotated[int, Field(ge=1000, le=4999)] | None = None


class Stall(_Aimed):
    """Push nothing for `seconds` on the connections open now; without `pong` answer nothing either."""

    seconds: Seconds
    pong: bool = True


class HalfOpen(_Aimed):
    """Lose connections without telling the client: its socket stays open, and nothing comes or is read.

    After `seconds` the client's next bytes would be answered with a reset, as by a host that is back.
    """

    seconds: Seconds = 300.0


class Rest(_Body):
    """For `seconds`, answer OKX's REST requests as `kind` says; a `lag` hides the newest `lag_s` seconds."""

    kind: Kind
    seconds: Seconds = 10.0
    lag_s: Seconds = 5.0


class Tickers(_Body):
    """For `seconds`, at most `per_second` tickers a second and pair."""

    per_second: Annotated[float, Field(gt=0, le=10_000)]
    seconds: Seconds


class Duplicate(_Body):
    """Push the last `n` trades again, of one pair or of each."""

    n: Count = 1
    pair: str | None = None


class Gap(_Body):
    """The next `n` trades are not pushed, of one pair or of each."""

    n: Count = 1
    pair: str | None = None


class Reorder(_Body):
    """For `seconds`, push trades pair by pair in windows, so that pairs overtake each other."""

    seconds: Seconds = 5.0
    window_ms: Annotated[int, Field(ge=1, le=60_000)] = 200


class Error(_Aimed):
    """Send an error message."""

    code: str = "64007"
    message: str = "Operation failed due to WebSocket internal error, please try again later."


class Notice(_Aimed):
    """Announce the end of connections, and close them after `seconds`."""

    seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0


class Spike(_Body):
    """Multiply the price of the next `n` trades."""

    n: Count = 1
    factor: Annotated[float, Field(gt=0, le=1000)]
    pair: str | None = None


class Crossed(_Body):
    """The next `n` quotes have bid and ask swapped."""

    n: Count = 1
    pair: str | None = None


class BadFrame(_Aimed):
    """Send a raw text: `text`, or the malformed message called `kind`, or each of them."""

    text: str | None = None
    kind: str | None = None
    pair: str = "BTC-USDT"


class Trade(_Body):
    """Trade once, at once."""

    pair: str
    price: str
    size: str
    side: Literal["buy", "sell"]
    time_ms: Annotated[int, Field(ge=0, lt=10**14)] | None = None
    """The exchange time it carries; now without it."""


class Rate(_Body):
    """Trades a second of the generator, over all pairs."""

    trades_per_second: Annotated[float, Field(ge=5, le=20_000)]


class Nothing(_Body):
    """No parameters."""


class Control:
    """The /control routes.

    Args:
        market, hub, engine, venues: what is steered.
        mode: for `/control/state`.
    """

    def __init__(self, market: Market, hub: Hub, engine: Engine, venues: list[Venue], mode: str) -> None:
        self._market = market
        self._hub = hub
        self._engine = engine
        self._venues = venues
        self._mode = mode
        self._usual_tickers = market.tickers_per_second
        self._storms = 0

    def routes(self) -> list[Route]:
        return [
            self._route("drop", Drop, self.drop),
            self._route("stall", Stall, self.stall),
            self._route("half_open", HalfOpen, self.half_open),
            self._route("rest", Rest, self.rest),
            self._route("tickers", Tickers, self.tickers),
            self._route("duplicate", Duplicate, self.duplicate),
            self._route("gap", Gap, self.gap),
            self._route("reorder", Reorder, self.reorder),
            self._route("error", Error, self.error),
            self._route("notice", Notice, self.notice),
            self._route("spike", Spike, self.spike),
            self._route("crossed", Crossed, self.crossed),
            self._route("bad_frame", BadFrame, self.bad_frame),
            self._route("trade", Trade, self.trade),
            self._route("pause", Nothing, self.pause),
            self._route("resume", Nothing, self.resume),
            self._route("rate", Rate, self.rate),
            Route("/control/state", self.state),
        ]

    def drop(self, body: Drop) -> dict[str, object]:
        chosen = self._aim(body)
        self._hub.drop(chosen, body.code)
        return {"connections": len(chosen)}

    def stall(self, body: Stall) -> dict[str, object]:
        chosen = self._aim(body)
        self._hub.stall(chosen, body.seconds, answer=body.pong)
        return {"connections": len(chosen)}

    def half_open(self, body: HalfOpen) -> dict[str, object]:
        chosen = self._aim(body)
        self._hub.half_open(chosen, body.seconds)
        return {"connections": len(chosen)}

    def rest(self, body: Rest) -> dict[str, object]:
        until_us = self._engine.now_us() + round(body.seconds * 1e6)
        self._hub.rest_faults.begin(body.kind, until_us, round(body.lag_s * 1e6))
        return {}

    def tickers(self, body: Tickers) -> dict[str, object]:
        self._market.set_tickers(body.per_second)
        self._storms += 1
        asyncio.get_running_loop().call_later(body.seconds, self._calm, self._storms)
        return {}

    def _calm(self, storm: int) -> None:
        """End a storm of tickers, unless a later one has begun."""
        if storm == self._storms:
            self._market.set_tickers(self._usual_tickers)
            self._engine.wake()

    def duplicate(self, body: Duplicate) -> dict[str, object]:
        return {"trades": sum(self._hub.duplicate(d.tape.pair, body.n) for d in self._desks(body.pair))}

    def gap(self, body: Gap) -> dict[str, object]:
        """Answers with the first id that is hidden, by pair."""
        desks = self._desks(body.pair)
        for desk in desks:
            self._hub.gap(desk.tape.pair, body.n)
        return {"from_id": {desk.tape.pair: desk.tape.next_id for desk in desks}}

    def reorder(self, body: Reorder) -> dict[str, object]:
        self._hub.reorder(body.seconds, body.window_ms / 1000)
        return {}

    def error(self, body: Error) -> dict[str, object]:
        chosen = self._aim(body)
        for connection in chosen:
            text = self._venue(connection).error_text(connection, body.code, body.message)
            self._hub.tell([connection], text)
        return {"connections": len(chosen)}

    def notice(self, body: Notice) -> dict[str, object]:
        chosen = self._aim(body)
        for connection in chosen:
            self._hub.tell([connection], self._venue(connection).notice_text(connection))
        loop = asyncio.get_running_loop()
        loop.call_later(body.seconds, self._hub.drop, chosen, SERVICE_RESTART)
        return {"connections": len(chosen)}

    def spike(self, body: Spike) -> dict[str, object]:
        for desk in self._desks(body.pair):
            desk.spikes, desk.spike_factor = body.n, body.factor
        return {}

    def crossed(self, body: Crossed) -> dict[str, object]:
        for desk in self._desks(body.pair):
            desk.crossed = body.n
        return {}

    def bad_frame(self, body: BadFrame) -> dict[str, object]:
        chosen = self._aim(body)
        if body.text is not None:
            self._hub.tell(chosen, body.text)
            return {"connections": len(chosen)}
        for connection in chosen:
            texts = self._venue(connection).malformed_texts(body.pair)
            if body.kind is not None and body.kind not in texts:
                raise ControlError(f"There is no kind {body.kind!r}; there are {', '.join(texts)}.")
            for kind in [body.kind] if body.kind else texts:
                self._hub.tell([connection], texts[kind])
        return {"connections": len(chosen)}

    def trade(self, body: Trade) -> dict[str, object]:
        instrument = self._market.desk(body.pair).instrument
        raw = RawFill(
            self._engine.now_us() // 1000 if body.time_ms is None else body.time_ms,
            instrument.price_ticks(body.price),
            instrument.size_lots(body.size),
            body.side == "sell",
            False,
        )
        fill = self._market.inject(body.pair, raw)
        self._hub.flush()
        return {"pair": body.pair, "id": fill.trade_id, "time_ms": fill.time_ms}

    def pause(self, body: Nothing) -> dict[str, object]:
        self._engine.step()
        self._market.pause(self._engine.now_us())
        return {}

    def resume(self, body: Nothing) -> dict[str, object]:
        self._market.resume(self._engine.now_us())
        return {}

    def rate(self, body: Rate) -> dict[str, object]:
        if self._mode == "replay":
            raise ControlError("A replay keeps the recording's pace; CRYPTO_SIM_SPEED sets it.")
        self._engine.step()
        self._market.set_rate(body.trades_per_second, self._engine.now_us())
        return {}

    async def state(self, request: Request) -> Response:
        return JSONResponse(
            {
                "mode": self._mode,
                "paused": self._market.paused,
                "finished": self._market.finished,
                "pairs": {
                    pair: {
                        "trades": len(desk.tape),
                        "next_id": desk.tape.next_id,
                        "finished": desk.source.finished(),
                        "spikes": desk.spikes,
                        "crossed": desk.crossed,
                    }
                    for pair, desk in self._market.desks.items()
                },
                **self._hub.state(),
                "rest": self._hub.rest_faults.state(self._engine.now_us()),
            }
        )

    def _aim(self, body: _Aimed) -> list[ClientSocket]:
        return self._hub.chosen(body.path, body.count)

    def _desks(self, pair: str | None) -> list[Desk]:
        return list(self._market.desks.values()) if pair is None else [self._market.desk(pair)]

    def _venue(self, connection: ClientSocket) -> Venue:
        return next(venue for venue in self._venues if connection.path in venue.websocket_paths)

    def _route(self, name: str, kind: type[Any], act: Callable[[Any], dict[str, object]]) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            try:
                body = kind.model_validate_json(raw or b"{}")
                result = act(body)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                raise HTTPException(400, f"{place or 'body'}: {first['msg']}.") from error
            except ValueError as error:
                raise HTTPException(400, str(error)) from error
            log.info("control", action=name, request=body.model_dump(), result=result)
            self._engine.wake()
            return JSONResponse({"ok": True, **result})

        handler: Callable[[Request], Awaitable[Response]] = endpoint
        return Route(f"/control/{name}", handler, methods=["POST"])
