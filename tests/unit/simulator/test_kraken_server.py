"""The simulated exchange speaks Kraken's protocol as its pages describe it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simulator.conftest import Client, Running

PATH = "/kraken/v2"
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")


def opened(exchange: Running) -> Client:
    client = exchange.connect(PATH)
    status = client.message()
    assert (status["channel"], status["data"][0]["system"]) == ("status", "online")
    return client


def subscribe(client: Client, channel: str, *symbols: str, **params: object) -> list[Any]:
    request = {"channel": channel, "symbol": list(symbols), **params}
    client.send({"method": "subscribe", "params": request, "req_id": 1})
    answers: list[Any] = []
    while len(answers) < len(symbols):
        message = client.message()
        if "method" in message:
            answers.append(message)
    return answers


def exact(client: Client, channel: str) -> Any:
    """The next push of a channel, numbers as they were written."""
    while True:
        message = json.loads(client.text(), parse_float=Decimal, parse_int=Decimal)
        if message.get("channel") == channel:
            return message


def test_each_symbol_is_answered_on_its_own(shared: Running) -> None:
    good, bad = subscribe(opened(shared), "trade", "BTC/USDT", "NO/USDT", snapshot=False)

    assert good["result"] == {"channel": "trade", "snapshot": False, "symbol": "BTC/USDT"}
    assert (good["success"], good["req_id"]) == (True, 1)
    assert MOMENT.fullmatch(good["time_in"])
    assert (bad["success"], bad["symbol"]) == (False, "NO/USDT")
    assert bad["error"] == "Currency pair not supported NO/USDT"


def test_a_snapshot_holds_the_last_fifty_trades_and_updates_go_on_from_there(exchange: Running) -> None:
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"]["BTC-USDT"]["count"] > 60)
    client = opened(exchange)
    subscribe(client, "trade", "BTC/USDT", snapshot=True)

    first, *later = [exact(client, "trade") for _ in range(5)]

    assert (first["type"], len(first["data"])) == ("snapshot", 50)
    assert {message["type"] for message in later} == {"update"}
    ids = [row["trade_id"] for message in [first, *later] for row in message["data"]]
    assert ids == list(range(int(ids[0]), int(ids[0]) + len(ids)))


def test_numbers_are_json_numbers_and_equal_the_truth(shared: Running) -> None:
    client = opened(shared)
    subscribe(client, "trade", "BTC/USDT", snapshot=True)
    rows = exact(client, "trade")["data"]

    first, last = int(rows[0]["trade_id"]), int(rows[-1]["trade_id"])
    truth = shared.get("/truth/trades", pair="BTC-USDT", from_id=first, to_id=last)["trades"]

    assert all(isinstance(row["price"], Decimal) for row in rows)
    assert [(r["price"], r["qty"], r["side"]) for r in rows] == [
        (Decimal(t["price"]), Decimal(t["size"]), t["side"]) for t in truth
    ]
    assert all(MOMENT.fullmatch(row["timestamp"]) for row in rows)


def test_tickers_come_with_quotes_for_bbo_and_only_with_trades_by_default(
    start: Callable[..., Running],
) -> None:
    exchange = start(sim_trades_per_second=5.0, sim_tickers_per_second=20.0)
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"].get("BNB-USDT"))
    counts = []
    for trigger in ({"event_trigger": "bbo"}, {}):
        client = opened(exchange)
        subscribe(client, "ticker", "BNB/USDT", snapshot=True, **trigger)
        row = exact(client, "ticker")["data"][0]
        assert row["bid"] < row["ask"]
        assert row["low"] <= row["last"] <= row["high"]
        counts.append(sum('"ticker"' in text for text in client.drain(1.0)))
    assert counts[0] > 3 * counts[1]


def test_a_quiet_connection_has_a_heartbeat_and_a_ping_an_answer(exchange: Running) -> None:
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"])
    client = opened(exchange)
    subscribe(client, "trade", "BTC/USDT", snapshot=False)
    exchange.control("pause")
    client.drain(0.2)
    client.send({"method": "ping", "req_id": 42})
    assert {"method": "pong", "req_id": 42}.items() <= client.message().items()
    assert client.message() == {"channel": "heartbeat"}


def test_a_stalled_feed_still_has_its_heartbeat(exchange: Running) -> None:
    client = opened(exchange)
    subscribe(client, "trade", "BTC/USDT", snapshot=False)
    exchange.control("stall", seconds=5, path="kraken/v2")
    client.drain(0.2)
    assert set(client.drain(2.5)) == {'{"channel":"heartbeat"}'}


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[]", "{}", '{"method":"dance"}', '{"method":"subscribe","params":{"channel":"trade"}}'],
)
def test_a_request_that_makes_no_sense_is_refused(shared: Running, text: str) -> None:
    client = opened(shared)
    client.send(text)
    assert client.message()["success"] is False


def test_trades_can_be_asked_for_after_a_time_exclusively(exchange: Running) -> None:
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"]["BTC-USDT"]["count"] > 30)
    exchange.control("pause")
    path = "/kraken/0/public/Trades"

    def asked(**query: object) -> tuple[list[Any], int]:
        text = exchange.http.get(path, params={"pair": "XBTUSDT", **query}).text
        answer = json.loads(text, parse_float=Decimal)
        assert answer["error"] == []
        return answer["result"]["XBTUSDT"], int(answer["result"]["last"])

    newest, last = asked()
    assert last == newest[-1][2] * 10**9
    middle = newest[len(newest) // 2][2]
    later, _ = asked(since=int(middle * 10**9))
    assert later == [row for row in newest if row[2] > middle]
    page, cursor = asked(since=int(middle * 10**9), count=3)
    assert page == later[:3]
    assert cursor == page[-1][2] * 10**9
    assert asked(since=last) == ([], last)


def test_rest_refuses_in_its_own_words(shared: Running) -> None:
    path = "/kraken/0/public/Trades"
    assert shared.get(path, pair="NOPE") == {"error": ["EQuery:Unknown asset pair"]}
    assert shared.get(path, pair="XBTUSDT", since="-1") == {"error": ["EGeneral:Invalid arguments"]}


def test_rest_lists_markets_by_their_old_names_and_tells_whole_seconds(shared: Running) -> None:
    pairs = shared.get("/kraken/0/public/AssetPairs")["result"]
    assert pairs["XBTUSDT"]["wsname"] == "XBT/USDT"
    assert {row["status"] for row in pairs.values()} == {"online"}
    assert isinstance(shared.get("/kraken/0/public/Time")["result"]["unixtime"], int)


def test_more_than_a_request_a_second_is_refused_in_the_end(start: Callable[..., Running]) -> None:
    exchange = start(limits=True)
    answers = [exchange.get("/kraken/0/public/Time")["error"] for _ in range(16)]
    assert answers == [[]] * 15 + [["EGeneral:Too many requests"]]
