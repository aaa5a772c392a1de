"""Each fault does what it says, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests_simulator_support import filled_market

from streaming.simulator.events import Fill
from streaming.simulator.hub import Hub
from streaming.simulator.okx.messages import MALFORMED_KINDS

PAIR = "BTC-USDT"


class Recorder:
    """A venue that notes which fills it is told to push."""

    websocket_paths: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.pushed: list[tuple[str, list[int]]] = []

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        self.pushed.append((pair, [fill.trade_id for fill in fills]))


def watching(exchange: Any, *pairs: str, channel: str = "trades-all", path: str = "business") -> Any:
    client = exchange.connect(path)
    client.subscribe(channel, *(pairs or (PAIR,)))
    client.rows(2)
    return client


def numbers(rows: list[Any], pair: str = PAIR) -> list[int]:
    return [int(row["tradeId"]) for row in rows if row["instId"] == pair]


def pushed(texts: list[str]) -> list[Any]:
    return [row for text in texts for row in json.loads(text).get("data", [])]


@pytest.mark.parametrize("code", [1001, 4001, 4006, None])
def test_drop_closes_with_the_code_or_cuts(exchange: Any, code: int | None) -> None:
    client = watching(exchange)
    assert exchange.control("drop", code=code)["connections"] == 1
    assert client.close_code() == code
    exchange.until(lambda: exchange.get("/control/state")["connections"] == [])


def test_drop_takes_only_as_many_as_asked_and_only_of_the_path(exchange: Any) -> None:
    first, second = watching(exchange), watching(exchange)
    public = watching(exchange, channel="tickers", path="public")
    assert exchange.control("drop", code=4006, count=1, path="business")["connections"] == 1
    assert first.close_code() == 4006
    second.rows(2)
    public.rows(2)


@pytest.mark.parametrize("pong", [True, False])
def test_stall_is_silent_for_its_time_and_then_goes_on_with_a_gap(exchange: Any, pong: bool) -> None:
    client = watching(exchange)
    exchange.control("stall", seconds=0.8, pong=pong)
    before = pushed(client.drain(0.1))
    client.send("ping")
    assert client.drain(0.4) == (["pong"] if pong else [])
    after = client.rows(3)
    if before:
        assert numbers(after)[0] > numbers(before)[-1] + 10
    fresh = exchange.connect("business")
    fresh.subscribe("trades-all", PAIR)
    missed = exchange.get("/truth/trades", pair=PAIR, to_id=numbers(after)[0], limit=10_000)["trades"]
    assert numbers(after)[0] in [trade["id"] for trade in missed]


def test_stall_leaves_later_connections_alone(exchange: Any) -> None:
    watching(exchange)
    exchange.control("stall", seconds=5)
    watching(exchange).rows(3)


def test_duplicate_pushes_the_last_trades_again(exchange: Any) -> None:
    client = watching(exchange)
    exchange.control("pause")
    client.drain(0.2)
    last = exchange.get("/truth/summary")["pairs"][PAIR]["last_id"]
    assert exchange.control("duplicate", n=3, pair=PAIR)["trades"] == 3
    assert numbers(pushed(client.drain(0.3))) == [last - 2, last - 1, last]


def test_a_gap_is_missing_on_the_socket_but_not_in_rest_and_truth(exchange: Any) -> None:
    client = watching(exchange)
    hidden = exchange.control("gap", n=20, pair=PAIR)["from_id"][PAIR]
    seen = numbers(client.rows(60))
    missing = sorted(set(range(seen[0], seen[-1] + 1)) - set(seen))
    assert missing == list(range(hidden, hidden + 20))
    rest = exchange.get("/api/v5/market/history-trades", instId=PAIR, after=hidden + 20, limit=20)
    assert numbers(rest["data"]) == missing[::-1]
    truth = exchange.get("/truth/trades", pair=PAIR, from_id=hidden, to_id=hidden + 19)
    assert [trade["id"] for trade in truth["trades"]] == missing


def test_a_gap_hides_exactly_its_trades_of_its_pair() -> None:
    market, _ = filled_market(0)
    hub, venue = Hub(market), Recorder()
    hub.register(venue)
    hub.gap("A-B", 4)
    for pair, ids in (("A-B", (1, 2, 3)), ("C-D", (1,)), ("A-B", (4, 5, 6)), ("A-B", (7,))):
        hub.on_fills(pair, [Fill(trade_id, 1, 1, 1, False, False) for trade_id in ids])
    assert venue.pushed == [("C-D", [1]), ("A-B", [5, 6]), ("A-B", [7])]


def test_reorder_lets_pairs_overtake_each_other_but_keeps_each_pair_in_order(exchange: Any) -> None:
    client = watching(exchange, PAIR, "ETH-USDT", "SOL-USDT")
    exchange.control("reorder", seconds=1.5, window_ms=150)
    rows = pushed(client.drain(1.2))
    for pair in (PAIR, "ETH-USDT", "SOL-USDT"):
        ids = numbers(rows, pair)
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    backwards = max(int(a["ts"]) - int(b["ts"]) for a, b in itertools.pairwise(rows))
    assert backwards > 50
    client.drain(0.6)
    assert not exchange.get("/control/state")["reordering"]


def test_reorder_pushes_the_pair_that_traded_last_first() -> None:
    async def scenario() -> list[tuple[str, list[int]]]:
        market, _ = filled_market(0)
        hub, venue = Hub(market), Recorder()
        hub.register(venue)
        hub.reorder(60.0, 30.0)
        for trade_id, pair in enumerate(("A-B", "C-D", "A-B", "E-F")):
            hub.on_fills(pair, [Fill(trade_id, 1, 1, 1, False, False)])
        assert venue.pushed == []
        hub.release(asyncio.get_running_loop().time())
        return venue.pushed

    assert asyncio.run(scenario()) == [("E-F", [3]), ("C-D", [1]), ("A-B", [0, 2])]


def test_error_sends_the_error(exchange: Any) -> None:
    client = exchange.connect("public")
    exchange.until(lambda: exchange.control("error", code="60014", message="Requests too frequent"))
    error = client.message()
    assert (error["event"], error["code"], error["msg"]) == ("error", "60014", "Requests too frequent")


def test_notice_announces_and_then_closes_only_those_it_told(exchange: Any) -> None:
    old = exchange.connect("public")
    exchange.control("notice", seconds=0.4)
    assert old.message() == {
        "event": "notice",
        "code": "64008",
        "msg": "The connection will soon be closed for a service upgrade. Please reconnect.",
        "connId": exchange.get("/control/state")["connections"][0]["connection_id"],
    }
    new = watching(exchange)
    began = time.monotonic()
    assert old.close_code() == 1012
    assert time.monotonic() - began < 1.0
    new.rows(3)


def test_spike_multiplies_the_next_prices_and_only_those(exchange: Any) -> None:
    client = watching(exchange)
    usual = float(client.rows(1)[0]["px"])
    exchange.control("spike", n=5, factor=1.5, pair=PAIR)
    prices = [float(row["px"]) for row in client.rows(80)]
    high = [i for i, price in enumerate(prices) if price > 1.4 * usual]
    assert high == list(range(high[0], high[0] + 5))
    assert max(p for i, p in enumerate(prices) if i not in high) < 1.1 * usual


def test_crossed_swaps_bid_and_ask_for_n_quotes(exchange: Any) -> None:
    client = watching(exchange, channel="tickers", path="public")
    exchange.control("crossed", n=3, pair=PAIR)
    crossed = [float(row["bidPx"]) > float(row["askPx"]) for row in client.rows(8)]
    assert sum(crossed) == 3
    assert not crossed[-1]


def test_bad_frame_sends_the_given_text(exchange: Any) -> None:
    client = exchange.connect("public")
    exchange.control("bad_frame", text="{not json")
    assert client.text() == "{not json"


def test_bad_frame_sends_every_kind_of_malformed_message(exchange: Any) -> None:
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"][PAIR])
    client = exchange.connect("public")
    exchange.control("bad_frame")
    texts = [client.text() for _ in MALFORMED_KINDS]
    assert len(set(texts)) == len(MALFORMED_KINDS)
    exchange.control("bad_frame", kind="empty_data")
    assert client.message() == {"arg": {"channel": "trades-all", "instId": PAIR}, "data": []}


def test_trade_is_traded_pushed_and_kept_exactly_as_given(exchange: Any) -> None:
    client = watching(exchange)
    exchange.control("pause")
    client.drain(0.2)
    done = exchange.control(
        "trade", pair=PAIR, price="99999.9", size="0.00000001", side="sell", time_ms=1_800_000_000_123
    )
    row = client.data()["data"][0]
    assert row == {
        "instId": PAIR,
        "tradeId": str(done["id"]),
        "px": "99999.9",
        "sz": "0.00000001",
        "side": "sell",
        "source": "0",
        "ts": "1800000000123",
    }
    assert exchange.get("/api/v5/market/trades", instId=PAIR, limit=1)["data"] == [row]
    assert exchange.get("/truth/summary")["pairs"][PAIR]["max_time_ms"] == 1_800_000_000_123


def test_ids_stay_consecutive_after_an_injected_trade(exchange: Any) -> None:
    client = watching(exchange)
    exchange.control("trade", pair=PAIR, price="80000", size="1", side="buy")
    seen = numbers(client.rows(40))
    assert seen == list(range(seen[0], seen[0] + 40))


def test_nothing_trades_between_pause_and_resume_and_the_pause_is_not_made_up(exchange: Any) -> None:
    client = watching(exchange)
    exchange.control("pause")
    client.drain(0.1)
    paused = exchange.get("/truth/summary")
    assert exchange.get("/control/state")["paused"]
    assert client.drain(0.5) == []
    assert exchange.get("/truth/summary") == paused
    resumed_ms = time.time() * 1000
    exchange.control("resume")
    rows = client.rows(3)
    assert numbers(rows)[0] == paused["pairs"][PAIR]["last_id"] + 1
    assert all(int(row["ts"]) >= resumed_ms - 100 for row in rows)


def test_rate_changes_the_trades_a_second(start: Callable[..., Any]) -> None:
    running = start(sim_trades_per_second=5.0)

    def traded(seconds: float) -> int:
        def total() -> int:
            return sum(pair["trades"] for pair in running.get("/control/state")["pairs"].values())

        before = total()
        time.sleep(seconds)
        return total() - before

    assert traded(0.5) < 20
    running.control("rate", trades_per_second=2000)
    assert traded(0.5) > 400
    running.control("rate", trades_per_second=5)
    assert traded(0.5) < 20


def test_state_shows_connections_and_waiting_faults(exchange: Any) -> None:
    watching(exchange)
    exchange.control("gap", n=1_000_000, pair="ETH-USDT")
    exchange.control("stall", seconds=60)
    state = exchange.get("/control/state")
    assert state["mode"] == "generate"
    assert state["gaps"]["ETH-USDT"] > 900_000
    connection = state["connections"][0]
    assert connection["path"] == "/ws/v5/business"
    assert connection["subscriptions"] == ["trades-all:BTC-USDT"]
    assert connection["silent_seconds"] > 50


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("drop", {"code": 42}, "code"),
        ("stall", {}, "seconds"),
        ("stall", {"seconds": -1}, "seconds"),
        ("gap", {"n": 0}, "n"),
        ("gap", {"pair": "NOPE-USDT"}, "NOPE-USDT"),
        ("spike", {"n": 1}, "factor"),
        ("trade", {"pair": PAIR, "price": "1.23", "size": "1", "side": "buy"}, "multiple of 0.1"),
        ("trade", {"pair": PAIR, "price": "1", "size": "0", "side": "buy"}, "size of BTC-USDT"),
        ("trade", {"pair": PAIR, "price": "1", "size": "1", "side": "hold"}, "side"),
        ("rate", {"trades_per_second": 4}, "trades_per_second"),
        ("pause", {"now": True}, "now"),
        ("notice", {"seconds": "soon"}, "seconds"),
    ],
)
def test_a_bad_request_is_refused_with_the_reason(
    shared: Any, name: str, body: dict[str, object], said: str
) -> None:
    assert said in shared.refused(name, **body)


def test_a_body_that_is_not_json_and_an_unknown_kind_are_refused(shared: Any) -> None:
    response = shared.http.post("/control/gap", content=b"{")
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]
    shared.until(lambda: shared.get("/truth/summary")["pairs"][PAIR])
    shared.connect("public")
    assert "truncated" in shared.refused("bad_frame", kind="surprise")


def test_a_half_open_connection_brings_nothing_answers_nothing_and_is_not_closed(exchange: Any) -> None:
    client = watching(exchange)
    assert exchange.control("half_open", seconds=60)["connections"] == 1
    client.drain(0.1)
    client.send("ping")
    assert client.drain(0.5) == []
    assert exchange.get("/control/state")["connections"] == []


def test_a_half_open_connection_is_cut_when_its_time_is_over(exchange: Any) -> None:
    client = watching(exchange)
    exchange.control("half_open", seconds=0.3)
    assert client.close_code() is None


@pytest.mark.parametrize(
    ("kind", "status", "words"), [("too_many", 429, "50011"), ("unavailable", 503, "Unavailable")]
)
def test_rest_refuses_for_a_while(exchange: Any, kind: str, status: int, words: str) -> None:
    exchange.control("rest", kind=kind, seconds=0.5)
    answer = exchange.http.get("/api/v5/public/time")
    assert (answer.status_code, words in answer.text) == (status, True)
    assert exchange.get("/control/state")["rest"][kind] > 0
    exchange.until(lambda: exchange.http.get("/api/v5/public/time").status_code == 200)
    assert exchange.get("/control/state")["rest"] == {}


def test_rest_hangs_until_the_fault_ends(exchange: Any) -> None:
    exchange.control("rest", kind="hang", seconds=0.6)
    began = time.monotonic()
    assert exchange.http.get("/api/v5/public/time").status_code == 200
    assert 0.4 < time.monotonic() - began < 3


def test_rest_can_be_behind_the_live_feed(exchange: Any) -> None:
    exchange.until(lambda: len(exchange.get("/api/v5/market/trades", instId=PAIR)["data"]) == 100)
    exchange.control("rest", kind="lag", seconds=60, lag_s=3600)
    assert exchange.get("/api/v5/market/trades", instId=PAIR)["data"] == []


def test_a_storm_of_tickers_comes_and_goes(start: Callable[..., Any]) -> None:
    running = start(sim_trades_per_second=50.0, sim_tickers_per_second=2.0)
    client = watching(running, channel="tickers", path="public")
    assert len(pushed(client.drain(1.0))) < 10
    running.control("tickers", per_second=500, seconds=1.0)
    assert len(pushed(client.drain(1.0))) > 50
    client.drain(0.2)
    assert len(pushed(client.drain(1.0))) < 10
