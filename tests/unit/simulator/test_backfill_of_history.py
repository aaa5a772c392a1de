"""History on request against the simulated exchange's REST interface: trades by time, candles by page."""

from __future__ import annotations

import json
import threading
from decimal import Decimal

import httpx
import pytest
from starlette.datastructures import QueryParams
from tests_simulator_support import filled_market

from streaming.backfill import candles as history
from streaming.backfill.trades import Stored, missing, walk
from streaming.exchanges.candles import candles_of
from streaming.exchanges.registry import venue
from streaming.producer.rest_client import RestClient
from streaming.simulator.candles import MINUTE_MS
from streaming.simulator.engine import Engine
from streaming.simulator.hub import Hub
from streaming.simulator.okx.rest import OkxRest

PAIR = "BTC-USDT"
FILLS = 2_000


@pytest.fixture(scope="module")
def market() -> object:
    found, clock = filled_market(FILLS, 1_000_000)
    return found, clock


@pytest.fixture
def client(market: tuple[object, object]) -> RestClient:
    found, clock = market
    rest = OkxRest(found, Engine(found, Hub(found), clock), limits=False)  # type: ignore[arg-type]
    handlers = {
        "/api/v5/market/trades": rest.trades,
        "/api/v5/market/history-trades": rest.history_trades,
        "/api/v5/market/history-candles": rest.history_candles,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        rows = handlers[request.url.path](QueryParams(dict(request.url.params)))
        return httpx.Response(200, content=json.dumps({"code": "0", "msg": "", "data": rows}))

    return RestClient("http://127.0.0.1", threading.Event(), httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("stored", "runs"),
    [
        ([], [(1, 99)]),
        ([Stored(10, 19, 0), Stored(20, 20, 0)], [(1, 9)]),
        ([Stored(10, 19, 0), Stored(25, 30, 0), Stored(40, 40, 0)], [(31, 39), (20, 24), (1, 9)]),
        ([Stored(1, 5, 0)], []),
    ],
)
def test_only_ids_that_the_warehouse_lacks_are_asked_for(
    stored: list[Stored], runs: list[tuple[int, int]]
) -> None:
    assert missing(stored, 99) == runs


@pytest.mark.parametrize(("begin", "end"), [(0, FILLS), (300, 900), (1500, 1501)])
def test_the_trades_of_a_span_come_completely_and_no_others(
    client: RestClient, market: tuple[object, object], begin: int, end: int
) -> None:
    tape = market[0].desks[PAIR].tape  # type: ignore[attr-defined]
    times = [tape[tape.first_id + position].time_ms for position in range(FILLS)]
    from_us, to_us = times[begin] * 1000, (times[end] * 1000 if end < FILLS else (times[-1] + 1) * 1000)
    found = walk(venue("okx"), client, PAIR, (1, tape.next_id - 1), from_us, to_us)
    wanted = [tape.first_id + n for n, at_ms in enumerate(times) if from_us <= at_ms * 1000 < to_us]
    assert sorted(trade.trade_id for trade in found) == wanted, "lost, twice, or not of the span"


def test_the_exchanges_candles_come_over_many_pages_and_only_closed_ones(
    client: RestClient, market: tuple[object, object]
) -> None:
    tape = market[0].desks[PAIR].tape  # type: ignore[attr-defined]
    first_ms, last_ms = (tape[i].time_ms // MINUTE_MS * MINUTE_MS for i in (tape.first_id, tape.next_id - 1))
    candles = candles_of("OKX")
    assert candles is not None
    found = history.read(client, candles, PAIR, first_ms, last_ms + MINUTE_MS)
    starts = [candle.start_ms for candle in found]
    assert starts == sorted(set(starts))
    assert all(first_ms <= start <= last_ms for start in starts)
    for candle in found:
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
        fills = [
            tape[i]
            for i in range(tape.first_id, tape.next_id)
            if tape[i].time_ms // MINUTE_MS * MINUTE_MS == candle.start_ms
        ]
        size = market[0].desks[PAIR].instrument.size_text  # type: ignore[attr-defined]
        assert candle.volume == sum(Decimal(size(fill.size)) for fill in fills)


def test_an_exchange_whose_candles_are_not_read_says_so() -> None:
    assert candles_of("BYBIT") is None
