"""The simulated exchange speaks Coinbase Exchange's protocol as its pages describe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming.simulator.coinbase import feed, messages
from tests.unit.simulator.conftest import Client, Running

PATH = "/coinbase"
OPPOSITE = {"buy": "sell", "sell": "buy"}


def subscribe(client: Client, *channels: object, products: tuple[str, ...] = ("BTC-USDT",)) -> Any:
    client.send({"type": "subscribe", "product_ids": list(products), "channels": list(channels)})
    return client.message()


def pushes(client: Client, kind: str, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        message = client.message()
        if message["type"] == kind:
            found.append(message)
    return found


def test_one_answer_lists_everything_that_is_subscribed(shared: Running) -> None:
    client = shared.connect(PATH)

    answer = subscribe(client, "heartbeat", {"name": "ticker", "product_ids": ["ETH-USDT"]})

    assert answer["type"] == "subscriptions"
    assert [(c["name"], c["product_ids"]) for c in answer["channels"]] == [
        ("heartbeat", ["BTC-USDT"]),
        ("ticker", ["ETH-USDT"]),
    ]
    client.send({"type": "unsubscribe", "product_ids": ["ETH-USDT"], "channels": ["ticker"]})
    (answer,) = pushes(client, "subscriptions", 1)
    assert [c["name"] for c in answer["channels"]] == ["heartbeat"]


def test_matches_begin_with_the_last_one_and_have_consecutive_ids(shared: Running) -> None:
    shared.until(lambda: shared.get("/coinbase/products/BTC-USDT/trades"))
    client = shared.connect(PATH)
    subscribe(client, "matches")

    first = client.message()
    rows = pushes(client, "match", 20)

    assert first["type"] == "last_match"
    ids = [first["trade_id"], *(row["trade_id"] for row in rows)]
    assert ids == list(range(ids[0], ids[0] + 21))
    assert len(rows[0]["time"]) == len("2021-04-17T16:43:37.089723Z")


def test_the_side_is_the_makers(shared: Running) -> None:
    client = shared.connect(PATH)
    subscribe(client, "matches")
    rows = pushes(client, "match", 40)

    first, last = rows[0]["trade_id"], rows[-1]["trade_id"]
    truth = shared.get("/truth/trades", pair="BTC-USDT", from_id=first, to_id=last)["trades"]

    assert [OPPOSITE[row["side"]] for row in rows] == [fill["side"] for fill in truth]
    assert {row["side"] for row in rows} == {"buy", "sell"}


def test_a_ticker_follows_matches(shared: Running) -> None:
    client = shared.connect(PATH)
    subscribe(client, "matches", "ticker")
    pushes(client, "match", 1)

    (ticker,) = pushes(client, "ticker", 1)

    assert float(ticker["best_bid"]) < float(ticker["best_ask"])
    assert ticker["product_id"] == "BTC-USDT"
    assert ticker["trade_id"] > 0


def test_heartbeats_come_by_the_second_and_name_the_newest_trade(exchange: Running) -> None:
    client = exchange.connect(PATH)
    subscribe(client, "heartbeat")

    first, second = pushes(client, "heartbeat", 2)

    assert second["last_trade_id"] > first["last_trade_id"] > 0
    exchange.control("pause")
    newest = exchange.get("/coinbase/products/BTC-USDT/trades", limit=1)[0]["trade_id"]
    assert pushes(client, "heartbeat", 2)[1]["last_trade_id"] == newest


@pytest.mark.parametrize(
    ("request_text", "message", "reason"),
    [
        ("nonsense", "Malformed JSON", ""),
        ('{"type":"shout"}', "Malformed message", "type must be subscribe or unsubscribe"),
        ('{"type":"subscribe"}', "Failed to subscribe", "channels are required"),
        ('{"type":"subscribe","channels":["matches"]}', "Failed to subscribe", "product_ids are required"),
        (
            '{"type":"subscribe","channels":["weather"],"product_ids":["BTC-USDT"]}',
            "Failed to subscribe",
            "weather is not a valid channel",
        ),
        (
            '{"type":"subscribe","channels":["matches"],"product_ids":["NO-USD"]}',
            "Failed to subscribe",
            "NO-USD is not a valid product",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    shared: Running, request_text: str, message: str, reason: str
) -> None:
    client = shared.connect(PATH)

    client.send(request_text)

    assert client.message() == {"type": "error", "message": message, "reason": reason}


def test_who_does_not_subscribe_in_time_is_disconnected(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SUBSCRIBE_SECONDS", 0.5)
    running = start()
    late, early = running.connect(PATH), running.connect(PATH)
    subscribe(early, "heartbeat")

    assert late.message()["type"] == "error"
    assert late.close_code() == 1008
    assert pushes(early, "heartbeat", 2)


def test_it_closes_without_announcing_it(start: Callable[..., Running]) -> None:
    running = start()
    running.connect(PATH)

    assert "without announcing" in running.refused("notice", path="/coinbase")


def test_every_kind_of_malformed_message_can_be_sent(exchange: Running) -> None:
    client = exchange.connect(PATH)
    exchange.until(lambda: exchange.get("/control/state")["pairs"]["BTC-USDT"]["trades"])

    exchange.control("bad_frame", path="/coinbase")

    assert len(client.drain(0.3)) == 14


def test_pages_go_back_by_the_cursor(shared: Running) -> None:
    path = "/coinbase/products/BTC-USDT/trades"
    shared.until(lambda: len(shared.get(path, limit=30)) == 30)

    first = shared.http.get(path, params={"limit": 10})
    second = shared.http.get(path, params={"limit": 10, "after": first.headers["cb-after"]})

    ids = [row["trade_id"] for row in [*first.json(), *second.json()]]
    assert ids == list(range(ids[0], ids[0] - 20, -1))
    assert first.headers["cb-before"] == str(ids[0])
    assert shared.get(path, after=1) == []
    newer = shared.get(path, before=ids[9], limit=1000)
    assert min(row["trade_id"] for row in newer) == ids[9] + 1


def test_an_unknown_product_is_not_found(shared: Running) -> None:
    response = shared.http.get("/coinbase/products/NO-USD/trades")

    assert (response.status_code, response.json()) == (404, {"message": "NotFound"})


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"after": "-1"}])
def test_a_wrong_parameter_is_refused(shared: Running, query: dict[str, str]) -> None:
    assert shared.http.get("/coinbase/products/BTC-USDT/trades", params=query).status_code == 400


def test_the_eleventh_request_of_a_second_is_refused(start: Callable[..., Running]) -> None:
    running = start(limits=True)

    statuses = [running.http.get("/coinbase/time").status_code for _ in range(15)]

    assert statuses[0] == 200
    assert 429 in statuses


def test_times_are_exact() -> None:
    assert messages.rfc3339(1_618_677_817_089_723) == "2021-04-17T16:43:37.089723Z"
    assert messages.rfc3339(1_618_677_817_000_009, 3) == "2021-04-17T16:43:37.000Z"
