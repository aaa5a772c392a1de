"""Back-fill against an exchange in memory that follows OKX's REST rules."""

import json
import threading

import httpx
import pytest

from streaming.exchanges.registry import venue
from streaming.producer import filler as filler_module
from streaming.producer.filler import COMPLETE_WALKS, Filler
from streaming.producer.rest_client import RestClient


class Exchange:
    """Trades 1..newest without those in `lacks`; `failures` are answered first."""

    def __init__(self, newest: int, lacks: set[int] = frozenset()) -> None:
        self.newest = newest
        self.lacks = set(lacks)
        self.failures: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        after = int(request.url.params.get("after", self.newest + 1))
        limit = int(request.url.params["limit"])
        ids = [i for i in range(min(after, self.newest + 1) - 1, 0, -1) if i not in self.lacks][:limit]
        rows = [
            {
                "instId": "BTC-USDT",
                "tradeId": str(i),
                "px": "5",
                "sz": "1",
                "side": "buy",
                "ts": "1791369376364",
            }
            for i in ids
        ]
        return httpx.Response(200, json={"code": "0", "msg": "", "data": rows})


class Bench:
    def __init__(self, desk, exchange: Exchange) -> None:
        self.stalled: list[str] = []
        self.client = RestClient("http://127.0.0.1:1", desk.stop, httpx.MockTransport(exchange))
        self.filler = Filler(
            venue("okx"),
            self.client,
            {"BTC-USDT": desk.tape},
            desk.ledger,
            desk.stop,
            on_stalled=self.stalled.append,
            on_fatal=pytest.fail,
        )

    def work_until_closed(self, desk, rounds: int = 50) -> None:
        for _ in range(rounds):
            if not desk.ledger.open_gaps():
                return
            self.filler.work()
        pytest.fail("the gap is still open")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(filler_module, "RETRY_BASE_S", 0.0)


def test_a_gap_is_filled_in_order_marked_as_rest_and_closed_after_the_trades(desk):
    desk.live(101, 150)
    Bench(desk, Exchange(newest=160)).work_until_closed(desk)
    assert sorted(desk.ids) == list(range(101, 151))
    filled = [record for record in desk.sink.trades if record.source == "rest"]
    assert [record.trade_id for record in filled] == list(range(102, 150))
    assert [(gap.from_id, gap.to_id, gap.status) for gap in desk.sink.gaps] == [
        (102, 149, "open"),
        (102, 149, "filled"),
    ]
    assert desk.sink.sent[-1][0] != "CryptoCurrency_trades"


def test_a_long_gap_is_paged_and_nothing_comes_twice(desk):
    desk.live(2000)
    exchange = Exchange(newest=2005)
    Bench(desk, exchange).work_until_closed(desk)
    assert len(desk.ids) == len(set(desk.ids))
    assert sorted(desk.ids) == list(range(101, 2001))
    assert len(exchange.requests) < 25


def test_trades_the_exchange_lacks_are_given_up_only_after_several_complete_walks(desk):
    desk.live(120)
    exchange = Exchange(newest=130, lacks={105, 106})
    bench = Bench(desk, exchange)
    for _ in range(COMPLETE_WALKS - 1):
        bench.filler.work()
        assert desk.ledger.open_gaps()
    bench.work_until_closed(desk)
    latest = {gap.from_id: (gap.to_id, gap.status) for gap in desk.sink.gaps}
    assert latest == {101: (104, "filled"), 105: (106, "unrecoverable"), 107: (119, "filled")}


def test_a_trade_that_appears_at_the_second_walk_is_not_given_up(desk):
    desk.live(120)
    exchange = Exchange(newest=130, lacks={105})
    bench = Bench(desk, exchange)
    bench.filler.work()
    exchange.lacks.clear()
    bench.work_until_closed(desk)
    assert sorted(desk.ids) == list(range(101, 121))
    assert desk.sink.gaps[-1].status == "filled"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429, json={"code": "50011", "msg": "Too Many Requests", "data": []}),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, text="not json"),
    ],
    ids=["connect", "timeout", "429", "502", "garbage"],
)
def test_while_the_exchange_cannot_be_asked_the_gap_stays_open(desk, failure):
    desk.live(110)
    exchange = Exchange(newest=120)
    exchange.failures = [failure] * (COMPLETE_WALKS + 2)
    bench = Bench(desk, exchange)
    for _ in range(COMPLETE_WALKS + 2):
        bench.filler.work()
        assert desk.ledger.open_gaps()
    bench.work_until_closed(desk)
    assert sorted(desk.ids) == list(range(101, 111))


def test_a_history_behind_the_live_feed_is_not_proof_of_a_loss(desk):
    desk.live(110)
    exchange = Exchange(newest=105)
    bench = Bench(desk, exchange)
    for _ in range(COMPLETE_WALKS + 2):
        bench.filler.work()
    assert desk.ledger.open_gaps()
    exchange.newest = 120
    bench.work_until_closed(desk)
    assert sorted(desk.ids) == list(range(101, 111))


def test_a_gap_that_late_trades_have_filled_closes_without_asking(desk):
    desk.live(103, 101, 102)
    exchange = Exchange(newest=110)
    Bench(desk, exchange).work_until_closed(desk)
    assert exchange.requests == []
    assert desk.sink.gaps[-1].status == "filled"


def test_a_gap_does_not_close_before_kafka_has_its_trades(desk):
    desk.live(105)
    desk.sink.acknowledge = False
    bench = Bench(desk, Exchange(newest=110))
    worker = threading.Thread(target=bench.filler.work)
    worker.start()
    worker.join(0.3)
    assert worker.is_alive()
    assert [gap.status for gap in desk.sink.gaps] == ["open"]
    desk.sink.acknowledge_all()
    worker.join(5)
    assert [gap.status for gap in desk.sink.gaps] == ["open", "filled"]


@pytest.mark.parametrize(("newest", "stalled"), [(101, []), (102, ["BTC-USDT"])])
def test_a_silent_pair_is_stalled_only_if_it_has_traded(desk, newest, stalled):
    desk.live(101)
    bench = Bench(desk, Exchange(newest=newest))
    bench.filler.check("BTC-USDT")
    bench.filler.work()
    assert bench.stalled == stalled


def test_a_stalled_pair_is_filled_at_once_and_not_reconnected_for_the_same_trades(desk):
    desk.live(101)
    bench = Bench(desk, Exchange(newest=105))
    for _ in range(3):
        bench.filler.check("BTC-USDT")
        bench.filler.work()
    assert bench.stalled == ["BTC-USDT"]
    assert [(gap.from_id, gap.to_id, gap.status) for gap in desk.sink.gaps][-1] == (102, 105, "filled")


def test_the_request_limit_of_the_exchange_is_kept(desk):
    desk.live(110)
    bench = Bench(desk, Exchange(newest=120))
    request = venue("okx").history("BTC-USDT", 1, 2).next_request()
    for _ in range(3):
        assert json.loads(bench.client.get(request).body)["code"] == "0"
    assert bench.client.requests == 3
