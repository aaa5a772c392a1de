"""OKX's REST side: paging through history, errors, instruments, the plan of connections."""

import json

import pytest

from streaming.errors import SettingsError
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.rest import OkxTradeHistory
from streaming.exchanges.okx.session import subscribe_request
from streaming.exchanges.okx.venue import OKX
from streaming.exchanges.registry import venue
from streaming.exchanges.venue import Instrument, RestError, RestReply


def row(trade_id: int) -> dict:
    return {
        "instId": "BTC-USDT",
        "side": "buy",
        "sz": "0.00192834",
        "px": "51000",
        "tradeId": str(trade_id),
        "ts": "1597026383085",
    }


def reply(rows, code="0", status=200, headers=None) -> RestReply:
    body = json.dumps({"code": code, "msg": "why" if code != "0" else "", "data": rows})
    return RestReply(status, body.encode(), 7, headers or {})


def ids(first: int, last: int) -> list[dict]:
    """Rows newest first, as OKX sends them."""
    return [row(i) for i in range(last, first - 1, -1)]


def test_a_small_gap_needs_one_request():
    walk = OkxTradeHistory("BTC-USDT", 600, 610)
    request = walk.next_request()
    assert request.path == "/api/v5/market/trades"
    assert request.params == {"instId": "BTC-USDT", "limit": "500"}
    trades = walk.receive(reply(ids(501, 1000)))
    assert [trade.trade_id for trade in trades] == list(range(600, 611))
    assert all(not trade.is_snapshot and trade.receive_time_ns == 7 for trade in trades)
    assert walk.next_request() is None
    assert walk.covered


def test_a_long_gap_is_paged_backwards_with_overlap():
    walk = OkxTradeHistory("BTC-USDT", 290, 700)
    walk.next_request()
    found = [trade.trade_id for trade in walk.receive(reply(ids(501, 1000)))]
    expected_pages = [("502", 402), ("403", 303), ("304", 204)]
    for after, oldest in expected_pages:
        request = walk.next_request()
        assert request.path == "/api/v5/market/history-trades"
        assert request.params == {"instId": "BTC-USDT", "type": "1", "after": after, "limit": "100"}
        found += [trade.trade_id for trade in walk.receive(reply(ids(oldest, int(after) - 1)))]
    assert walk.next_request() is None
    assert walk.covered
    assert sorted(set(found)) == list(range(290, 701))


def test_an_old_gap_starts_paging_at_its_own_end():
    walk = OkxTradeHistory("BTC-USDT", 10, 20)
    walk.next_request()
    assert walk.receive(reply(ids(501, 1000))) == []
    assert walk.next_request().params["after"] == "21"


def test_history_that_ends_inside_the_gap_is_covered_but_not_complete():
    walk = OkxTradeHistory("BTC-USDT", 10, 20)
    walk.next_request()
    walk.receive(reply(ids(501, 1000)))
    walk.next_request()
    assert [t.trade_id for t in walk.receive(reply(ids(15, 20)))] == [15, 16, 17, 18, 19, 20]
    walk.next_request()
    walk.receive(reply(ids(15, 15)))
    assert walk.next_request() is None
    assert walk.covered


def test_a_server_that_is_behind_the_live_feed_proves_nothing():
    walk = OkxTradeHistory("BTC-USDT", 1001, 1010)
    walk.next_request()
    with pytest.raises(RestError, match="behind") as caught:
        walk.receive(reply(ids(501, 1000)))
    assert caught.value.retryable
    assert not walk.covered


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (reply([], code="50011", status=429, headers={"retry-after": "3"}), True),
        (reply([], code="50001", status=503), True),
        (reply([], code="51001", status=200), False),
        (reply([], code="50004", status=400), True),
        (reply([], code="51000", status=400), False),
        (reply([{**row(5), "instId": "ETH-USDT"}]), True),
        (RestReply(502, b"<html>", 1), True),
        (RestReply(403, b"<html>", 1), False),
        (RestReply(200, b'{"code":"0","data":[{"tradeId":5}]}', 1), True),
        (reply([{**row(5), "px": "abc"}]), True),
    ],
)
def test_errors_say_whether_to_try_again(answer, retryable):
    with pytest.raises(RestError) as caught:
        OkxTradeHistory("BTC-USDT", 1, 2).receive(answer)
    assert caught.value.retryable is retryable


def test_retry_after_is_respected():
    with pytest.raises(RestError) as caught:
        OKX.newest_id(reply([], code="50011", status=429, headers={"retry-after": "3"}))
    assert caught.value.retry_after_s == 3.0


def test_only_live_instruments_trade():
    rows = [{"instId": "BTC-USDT", "state": "live"}, {"instId": "X-USDT", "state": "preopen", "tickSz": ""}]
    assert OKX.instruments(reply(rows)) == [
        Instrument("BTC-USDT", True, "live"),
        Instrument("X-USDT", False, "preopen"),
    ]


def test_the_exchanges_clock_is_read_in_microseconds():
    assert OKX.time_us(reply([{"ts": "1597026383085"}])) == 1597026383085000


@pytest.mark.parametrize(
    "rows", [[], [{"ts": "yesterday"}], [{"ts": "1597026383"}], [{"ts": "1"}, {"ts": "2"}]]
)
def test_a_clock_that_is_no_time_is_an_error(rows):
    with pytest.raises(RestError) as caught:
        OKX.time_us(reply(rows))
    assert caught.value.retryable


def test_the_newest_id_of_an_empty_market_is_none():
    assert OKX.newest_id(reply([])) is None
    assert OKX.newest_id(reply(ids(5, 9))) == 9


def test_trades_and_tickers_have_a_connection_each_on_their_own_path():
    plans = venue("okx").connections(["BTC-USDT", "ETH-USDT"])
    assert [(p.name, p.path, p.channels, p.carries_trades) for p in plans] == [
        ("trades", "/business", ("trades-all",), True),
        ("tickers", "/public", ("tickers",), False),
    ]


def test_a_request_never_outgrows_the_exchanges_limit():
    pairs = [f"{number:04}{'LONG' * 10}-USDT" for number in range(1500)]
    plans = [plan for plan in venue("okx").connections(pairs) if plan.carries_trades]
    assert len(plans) > 1
    assert [pair for plan in plans for pair in plan.pairs] == pairs
    for plan in plans:
        text = subscribe_request("subscribe1", [("trades-all", pair) for pair in plan.pairs])
        assert len(text) < spec.SUBSCRIBE_BYTES_MAX


def test_an_unknown_exchange_is_named():
    with pytest.raises(SettingsError, match="'nope'"):
        venue("nope")
