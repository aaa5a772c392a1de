"""The simulated exchange speaks Bybit's protocol as its pages describe it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from streaming.simulator.bybit import channels, rest
from tests.unit.simulator.conftest import Client, Running

PATH = "/bybit/spot"


def ask(client: Client, operation: str, *topics: str) -> Any:
    client.send({"req_id": "t1", "op": operation, "args": list(topics)})
    while "op" not in (message := client.message()):
        pass
    return message


def pushes(client: Client, topic: str, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        message = client.message()
        if message.get("topic") == topic:
            found.append(message)
    return found


def test_trades_come_in_messages_with_ids_that_grow_and_have_holes(shared: Running) -> None:
    client = shared.connect(PATH)
    answer = ask(client, "subscribe", "publicTrade.BTCUSDT")
    assert {
        "success": True,
        "ret_msg": "subscribe",
        "req_id": "t1",
        "op": "subscribe",
    }.items() <= answer.items()

    rows = [row for message in pushes(client, "publicTrade.BTCUSDT", 30) for row in message["data"]]

    ids = [int(row["i"]) for row in rows]
    assert all(1 < b - a < 12 for a, b in pairwise(ids))
    assert {row["s"] for row in rows} == {"BTCUSDT"}
    assert {row["S"] for row in rows} == {"Buy", "Sell"}
    assert all(a["seq"] <= b["seq"] for a, b in pairwise(rows))


def test_rest_has_the_same_trades_newest_first_and_never_more_than_sixty(exchange: Running) -> None:
    client = exchange.connect(PATH)
    ask(client, "subscribe", "publicTrade.BTCUSDT")
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"]["BTC-USDT"]["count"] > 100)
    exchange.control("pause")
    texts = client.drain(0.3)
    live = [row for text in texts for row in json.loads(text).get("data", ())]

    path = "/bybit/v5/market/recent-trade"
    answer = exchange.get(path, category="spot", symbol="BTCUSDT", limit=60)

    rows = answer["result"]["list"]
    assert (answer["retCode"], len(rows)) == (0, 60)
    pushed = {row["i"]: (row["p"], row["v"], row["S"], str(row["T"])) for row in live}
    assert pushed
    shown = {row["execId"]: (row["price"], row["size"], row["side"], row["time"]) for row in rows[::-1]}
    assert list(shown) == sorted(shown)
    assert all(pushed[i] == shown[i] for i in pushed.keys() & shown.keys())
    assert pushed.keys() & shown.keys()
    refused = exchange.get(path, category="spot", symbol="BTCUSDT", limit=61)
    assert (refused["retCode"], refused["result"]) == (10001, {})


def test_a_ticker_has_no_quotes_and_quotes_are_numbered(shared: Running) -> None:
    client = shared.connect(PATH)
    ask(client, "subscribe", "tickers.BTCUSDT", "orderbook.1.BTCUSDT")
    (day,) = pushes(client, "tickers.BTCUSDT", 1)
    books = pushes(client, "orderbook.1.BTCUSDT", 5)
    assert day["type"] == "snapshot"
    assert not [name for name in day["data"] if "bid" in name or "ask" in name]
    numbers = [book["data"]["u"] for book in books]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert all(len(book["data"]["b"]) == len(book["data"]["a"]) == 1 for book in books)


def test_a_quote_without_a_change_is_repeated_with_its_number(
    exchange: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "REPEAT_MS", 500)
    client = exchange.connect(PATH)
    ask(client, "subscribe", "orderbook.1.BTCUSDT")
    pushes(client, "orderbook.1.BTCUSDT", 2)
    exchange.control("pause")
    *_, last = [json.loads(text) for text in client.drain(0.3)] or pushes(client, "orderbook.1.BTCUSDT", 1)
    (again,) = pushes(client, "orderbook.1.BTCUSDT", 1)
    assert again["data"] == last["data"]
    assert again["ts"] - last["ts"] >= 500


@pytest.mark.parametrize(
    "topics",
    [
        ["publicTrade.BTCUSDT", "publicTrade.NOUSDT"],
        ["publicTrade.BTCUSDT"] + [f"tickers.{c}USDT" for c in ("BTC", "ETH", "SOL", "BNB", "XRP")] * 2,
        [],
    ],
)
def test_one_bad_topic_or_too_many_fail_the_whole_request(exchange: Running, topics: list[str]) -> None:
    client = exchange.connect(PATH)
    assert ask(client, "subscribe", *topics)["success"] is False
    assert client.drain(0.3) == []


def test_a_ping_is_answered_as_on_spot(shared: Running) -> None:
    client = shared.connect(PATH)
    client.send({"op": "ping"})
    answer = client.message()
    assert (answer["success"], answer["ret_msg"], answer["op"], answer["req_id"]) == (
        True,
        "pong",
        "ping",
        "",
    )


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"op":"dance"}'])
def test_a_request_that_makes_no_sense_is_refused(shared: Running, text: str) -> None:
    client = shared.connect(PATH)
    client.send(text)
    assert client.message()["success"] is False


def test_unsubscribing_ends_the_pushes(shared: Running) -> None:
    client = shared.connect(PATH)
    ask(client, "subscribe", "publicTrade.BTCUSDT")
    pushes(client, "publicTrade.BTCUSDT", 1)
    assert ask(client, "unsubscribe", "publicTrade.BTCUSDT")["success"] is True
    client.drain(0.1)
    assert client.drain(0.3) == []


def test_rest_lists_markets_and_tells_the_time_to_the_nanosecond(shared: Running) -> None:
    rows = shared.get("/bybit/v5/market/instruments-info", category="spot")["result"]["list"]
    assert {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"}.items() <= (
        next(row for row in rows if row["symbol"] == "BTCUSDT").items()
    )
    assert len(shared.get("/bybit/v5/market/time")["result"]["timeNano"]) == 19
    assert shared.get("/bybit/v5/market/instruments-info", category="spots")["retCode"] == 10001


def test_an_address_that_asks_too_often_is_banned(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "REQUESTS", 3)
    exchange = start(limits=True)
    statuses = [exchange.http.get("/bybit/v5/market/time").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 403]
