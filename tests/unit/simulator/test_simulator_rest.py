"""OKX's REST interface: shapes from OKX's documentation, paging against the tape, codes and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from tests_simulator_support import ManualClock, filled_market

from streaming.simulator.app import build
from streaming.simulator.candles import MINUTE_MS
from streaming.simulator.engine import Engine, WallClock
from streaming.simulator.events import Fill
from streaming.simulator.hub import Hub
from streaming.simulator.market import Market
from streaming.simulator.okx.limits import RequestBudget, WindowLimit
from streaming.simulator.okx.rest import OkxRest, ParameterError
from streaming.simulator.rest_faults import RestFaults

PAIR = "BTC-USDT"
FILLS = 1234
DOCUMENTED_TRADE = {"instId", "side", "sz", "px", "source", "tradeId", "ts"}
DOCUMENTED_TICKER = {
    "instType", "instId", "last", "lastSz", "askPx", "askSz", "bidPx", "bidSz", "open24h", "high24h",
    "low24h", "volCcy24h", "vol24h", "ts", "sodUtc0", "sodUtc8",
}  # fmt: skip


def rest_over(fills: int, limit: int = 1_000_000) -> tuple[OkxRest, Market]:
    market, clock = filled_market(fills, limit)
    return OkxRest(market, Engine(market, Hub(market), clock), limits=False), market


REST, MARKET = rest_over(FILLS)
TAPE = MARKET.desks[PAIR].tape
IDS = list(range(TAPE.next_id - 1, TAPE.first_id - 1, -1))


def ask(handler: Callable[[QueryParams], list[Any]], **query: object) -> list[Any]:
    return handler(QueryParams({"instId": PAIR} | {key: str(value) for key, value in query.items()}))


def ids(rows: list[Any]) -> list[int]:
    return [int(row["tradeId"]) for row in rows]


near_ids = st.integers(TAPE.first_id - 5, TAPE.next_id + 5)


@hypothesis_settings(max_examples=200, deadline=None)
@given(after=st.none() | near_ids, before=st.none() | near_ids, limit=st.none() | st.integers(1, 600))
def test_history_pages_by_id_as_documented(after: int | None, before: int | None, limit: int | None) -> None:
    query = {k: v for k, v in {"after": after, "before": before, "limit": limit}.items() if v is not None}
    older = [i for i in IDS if after is None or i < after][: min(limit or 100, 100)]
    assert ids(ask(REST.history_trades, **query)) == [i for i in older if before is None or i > before]


@hypothesis_settings(max_examples=100, deadline=None)
@given(position=st.integers(0, FILLS - 1), limit=st.integers(1, 100))
def test_history_pages_by_time_as_documented(position: int, limit: int) -> None:
    time_ms = TAPE[TAPE.first_id + position].time_ms
    rows = ask(REST.history_trades, type=2, after=time_ms, limit=limit)
    assert ids(rows) == [i for i in IDS if TAPE[i].time_ms < time_ms][:limit]


@pytest.mark.parametrize("page", [1, 7, 100])
def test_paging_backwards_gives_every_trade_once_and_exactly(page: int) -> None:
    rows = ask(REST.history_trades, limit=page)
    while more := ask(REST.history_trades, after=rows[-1]["tradeId"], limit=page):
        rows += more
    instrument = MARKET.desks[PAIR].instrument
    assert ids(rows) == IDS
    for row in rows:
        fill = TAPE[int(row["tradeId"])]
        assert row["px"] == instrument.price_text(fill.price)
        assert row["sz"] == instrument.size_text(fill.size)
        assert row["side"] == ("sell" if fill.sell else "buy")
        assert row["ts"] == str(fill.time_ms)


def test_before_alone_gives_the_latest_rows_not_the_next_page() -> None:
    assert ids(ask(REST.history_trades, before=TAPE.first_id, limit=3)) == IDS[:3]


@pytest.mark.parametrize(("limit", "count"), [(None, 100), (1, 1), (500, 500), (9999, 500)])
def test_recent_trades_are_the_last_ones_up_to_five_hundred(limit: int | None, count: int) -> None:
    query = {} if limit is None else {"limit": limit}
    assert ids(ask(REST.trades, **query)) == IDS[:count]


def test_trades_that_are_no_longer_kept_are_an_error_and_not_an_empty_page() -> None:
    rest, market = rest_over(600, limit=5 * 100)
    oldest = market.desks[PAIR].tape.first_id
    assert ids(ask(rest.history_trades, after=oldest + 2)) == [oldest + 1, oldest]
    with pytest.raises(ParameterError, match="no longer kept") as caught:
        ask(rest.history_trades, after=oldest)
    assert (caught.value.status, caught.value.code) == (400, "51000")


def test_rows_have_the_documented_fields_all_of_them_text() -> None:
    trade, ticker = ask(REST.trades, limit=1)[0], ask(REST.ticker)[0]
    assert set(trade) == DOCUMENTED_TRADE
    assert set(ticker) == DOCUMENTED_TICKER
    assert all(isinstance(value, str) for row in (trade, ticker) for value in row.values())
    assert ticker["last"] == trade["px"]
    assert ticker["ts"] >= trade["ts"]


def test_ticker_volumes_are_base_and_quote_and_bound_the_last_price() -> None:
    row = ask(REST.ticker)[0]
    totals = TAPE.totals()
    assert totals is not None
    assert row["vol24h"] == MARKET.desks[PAIR].instrument.size_text(totals.size)
    assert float(row["volCcy24h"]) == pytest.approx(float(row["vol24h"]) * float(row["last"]), rel=0.02)
    assert float(row["low24h"]) <= float(row["last"]) <= float(row["high24h"])
    assert float(row["bidPx"]) < float(row["askPx"])


@pytest.mark.parametrize(("bar", "minutes"), [("1m", 1), ("5m", 5), ("1H", 60)])
def test_candles_are_newest_first_and_add_up_to_the_tape(bar: str, minutes: int) -> None:
    rows = ask(REST.candles, bar=bar, limit=300)
    starts = [int(row[0]) for row in rows]
    totals = TAPE.totals()
    assert totals is not None
    instrument = MARKET.desks[PAIR].instrument
    assert all(len(row) == 9 and all(isinstance(cell, str) for cell in row) for row in rows)
    assert starts == sorted(starts, reverse=True)
    assert all(start % (minutes * MINUTE_MS) == 0 for start in starts)
    assert sum(instrument.size_lots(row[5]) for row in rows) == totals.size
    assert rows[0][4] == ask(REST.trades, limit=1)[0]["px"]
    assert rows[0][8] == "0"
    assert all(row[8] == "1" for row in rows[1:])


def test_candles_page_by_time_on_both_sides() -> None:
    starts = [row[0] for row in ask(REST.candles)]
    assert len(starts) > 6
    assert [row[0] for row in ask(REST.candles, after=starts[2])] == starts[3:]
    assert [row[0] for row in ask(REST.history_candles, before=starts[3])] == starts[:3]
    assert [row[0] for row in ask(REST.candles, after=starts[1], before=starts[5], limit=2)] == starts[2:4]


def test_day_candles_begin_at_utc_plus_eight_unless_they_say_utc() -> None:
    assert int(ask(REST.candles, bar="1Dutc")[0][0]) % 86_400_000 == 0
    assert int(ask(REST.candles, bar="1D")[0][0]) % 86_400_000 == 16 * 3_600_000


@pytest.mark.parametrize(
    ("handler", "query", "status", "code"),
    [
        (REST.trades, {"instId": ""}, 400, "50014"),
        (REST.trades, {"instId": "NOPE-USDT"}, 200, "51001"),
        (REST.ticker, {"instId": "NOPE-USDT"}, 200, "51001"),
        (REST.trades, {"limit": "many"}, 400, "51000"),
        (REST.trades, {"limit": "0"}, 400, "51000"),
        (REST.history_trades, {"type": "3"}, 400, "51000"),
        (REST.history_trades, {"after": "-1"}, 400, "51000"),
        (REST.candles, {"bar": "7m"}, 400, "51000"),
        (REST.tickers, {}, 400, "50014"),
        (REST.tickers, {"instType": "EQUITY"}, 400, "51000"),
        (REST.instruments, {"instType": "SPOT", "instId": "NOPE-USDT"}, 200, "51001"),
    ],
)
def test_a_wrong_request_gets_its_documented_code(
    handler: Callable[[QueryParams], list[Any]], query: dict[str, str], status: int, code: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        ask(handler, **query)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_instruments_are_the_configured_pairs_and_the_five_seeds(start: Callable[..., Any]) -> None:
    running = start(pairs="DOGE-USDT:5")
    answer = running.get("/api/v5/public/instruments", instType="SPOT")
    assert (answer["code"], answer["msg"]) == ("0", "")
    by_name = {row["instId"]: row for row in answer["data"]}
    assert set(by_name) == {"BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT", "DOGE-USDT"}
    btc = by_name["BTC-USDT"]
    assert (btc["tickSz"], btc["lotSz"], btc["state"]) == ("0.1", "0.00000001", "live")
    assert (btc["baseCcy"], btc["quoteCcy"], btc["ctVal"], btc["upcChg"]) == ("BTC", "USDT", "", [])
    assert running.get("/api/v5/public/instruments", instType="SWAP")["data"] == []


def test_every_endpoint_answers_over_http_in_the_envelope(exchange: Any) -> None:
    exchange.until(lambda: exchange.get("/api/v5/market/trades", instId=PAIR)["data"])
    for path, query in [
        ("public/time", {}),
        ("market/tickers", {"instType": "SPOT"}),
        ("market/ticker", {"instId": PAIR}),
        ("market/trades", {"instId": PAIR}),
        ("market/history-trades", {"instId": PAIR}),
        ("market/candles", {"instId": PAIR}),
        ("market/history-candles", {"instId": PAIR}),
    ]:
        response = exchange.http.get(f"/api/v5/{path}", params=query)
        body = response.json()
        assert response.status_code == 200
        assert list(body) == ["code", "msg", "data"]
        assert body["code"] == "0", path
        assert body["data"], path
    unknown = exchange.http.get("/api/v5/market/ticker", params={"instId": "NOPE-USDT"})
    assert (unknown.status_code, unknown.json()["code"], unknown.json()["data"]) == (200, "51001", [])


def test_too_many_requests_get_429_and_50011(start: Callable[..., Any]) -> None:
    running = start(limits=True)
    answers: list[httpx.Response] = [running.http.get("/api/v5/public/time") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].json()["code"] == "50011"


def test_a_window_lets_requests_pass_again_after_two_seconds() -> None:
    limit = WindowLimit(2)
    assert [limit.take(t) for t in (0, 1, 2, 1_999_999, 2_000_000, 2_000_000, 2_000_001)] == [
        True, True, False, False, True, False, True,
    ]  # fmt: skip


def test_the_subscribe_budget_is_480_and_refills_every_seven_and_a_half_seconds() -> None:
    budget = RequestBudget()
    assert sum(budget.take(0) for _ in range(500)) == 480
    assert not budget.take(7_400_000)
    assert budget.take(7_600_000)
    assert not budget.take(7_600_000)


def test_the_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([5_000_000, 4_000_000, 6_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    clock = WallClock()
    assert [clock.now_us() for _ in range(3)] == [5000, 5000, 6000]


def test_a_restarted_exchange_goes_on_after_its_last_trade_and_still_has_the_old_ones(tmp_path: Any) -> None:
    from streaming import settings

    loaded = settings.load({}, home=tmp_path, sim_trades_per_second=500.0)
    clock = ManualClock()
    before = build(loaded, clock=clock)
    before.market.open(clock.now_us())
    clock.pass_seconds(0.9)
    before.market.advance(clock.now_us())
    old: list[Fill] = list(before.market.desks[PAIR].tape.span(0, 10**12))
    assert len(old) > 50

    clock.pass_seconds(3600)
    after = build(loaded, clock=clock)
    after.market.open(clock.now_us())
    clock.pass_seconds(0.9)
    after.market.advance(clock.now_us())
    new = list(after.market.desks[PAIR].tape.span(0, 10**12))
    assert new[: len(old)] == old
    assert len(new) > len(old) + 50
    assert new[len(old)].time_ms - old[-1].time_ms >= 3_600_000
    never_stopped = build(loaded, clock=ManualClock(), keep=False)
    never_stopped.market.open(ManualClock().now_us())
    for part in range(1, 9):
        never_stopped.market.advance(ManualClock().now_us() + part * 500_000)
    whole = list(never_stopped.market.desks[PAIR].tape.span(0, new[-1].trade_id))
    assert [(f.trade_id, f.price, f.size, f.sell) for f in new] == [
        (f.trade_id, f.price, f.size, f.sell) for f in whole
    ]
    for built in (before, after):
        assert built.journal is not None
        built.journal.close()


@pytest.mark.parametrize("after", [None, IDS[0], IDS[0] + 1, IDS[200]])
def test_a_lagging_history_lacks_the_newest_trades_and_no_others(after: int | None) -> None:
    market, clock = filled_market(FILLS)
    faults = RestFaults()
    rest = OkxRest(market, Engine(market, Hub(market), clock), limits=False, faults=faults)
    now_us = clock.now_us()
    newest_shown = market.desks[PAIR].tape[IDS[40]]
    faults.begin("lag", now_us + 1_000_000, now_us - newest_shown.time_ms * 1000 - 1000)
    visible = [i for i in IDS if i <= newest_shown.trade_id]
    query = {} if after is None else {"after": after}
    assert ids(ask(rest.history_trades, **query)) == [i for i in visible if after is None or i < after][:100]
    assert ids(ask(rest.trades, limit=500)) == visible[:500]
    clock.pass_seconds(1)
    assert ids(ask(rest.trades, limit=500)) == IDS[:500]
