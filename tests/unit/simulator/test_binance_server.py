"""The simulated exchange speaks Binance's protocol as its pages describe it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from streaming.simulator.binance import rest, streams
from streaming.simulator.budget import Budget
from tests.unit.simulator.conftest import Client, Running

PATH = "/binance/stream"


def subscribe(client: Client, *names: str, id: int = 1) -> Any:
    client.send({"method": "SUBSCRIBE", "params": list(names), "id": id})
    while "result" not in (message := client.message()):
        pass
    return message


def pushes(client: Client, name: str, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        message = client.message()
        if message.get("stream") == name:
            found.append(message["data"])
    return found


def test_trades_come_one_by_one_with_consecutive_ids(shared: Running) -> None:
    client = shared.connect(PATH)

    assert subscribe(client, "btcusdt@trade") == {"result": None, "id": 1}

    rows = pushes(client, "btcusdt@trade", 20)
    ids = [row["t"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + 20))
    assert {row["e"] for row in rows} == {"trade"}
    assert {row["s"] for row in rows} == {"BTCUSDT"}
    for row in rows:
        assert len(row["p"].partition(".")[2]) == len(row["q"].partition(".")[2]) == 8
        assert row["E"] >= row["T"] > 10**12


def test_a_maker_who_bought_means_a_taker_who_sold(shared: Running) -> None:
    client = shared.connect(PATH)
    subscribe(client, "btcusdt@trade")
    rows = pushes(client, "btcusdt@trade", 40)

    first, last = rows[0]["t"], rows[-1]["t"]
    truth = shared.get("/truth/trades", pair="BTC-USDT", from_id=first, to_id=last)["trades"]

    assert [("sell" if row["m"] else "buy") for row in rows] == [fill["side"] for fill in truth]
    assert {row["m"] for row in rows} == {True, False}


def test_tickers_come_by_the_second_with_their_own_time_and_the_newest_id(shared: Running) -> None:
    client = shared.connect(PATH)
    subscribe(client, "btcusdt@ticker")

    first, second = pushes(client, "btcusdt@ticker", 2)

    assert first["e"] == "24hrTicker"
    assert 800 <= second["E"] - first["E"] <= 2500
    assert second["L"] > first["L"]
    assert second["n"] == second["L"] - second["F"] + 1
    assert float(first["b"]) < float(first["a"])


def test_an_unknown_symbol_is_accepted_and_stays_silent(shared: Running) -> None:
    client = shared.connect(PATH)

    assert subscribe(client, "nonsense@trade", id=9) == {"result": None, "id": 9}

    assert client.drain(0.3) == []
    client.send({"method": "LIST_SUBSCRIPTIONS", "id": 3})
    assert client.message() == {"result": ["nonsense@trade"], "id": 3}


def test_unsubscribed_streams_fall_silent(shared: Running) -> None:
    client = shared.connect(PATH)
    subscribe(client, "btcusdt@trade")

    client.send({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
    while client.message() != {"result": None, "id": 2}:
        pass

    assert client.drain(0.3) == []


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ("nonsense", 3),
        ("[]", 3),
        ('{"method":"SHOUT","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(shared: Running, request_text: str, code: int) -> None:
    client = shared.connect(PATH)

    client.send(request_text)

    assert client.message()["error"]["code"] == code


def test_too_many_messages_end_the_connection(start: Callable[..., Running]) -> None:
    client = start(limits=True).connect(PATH)
    for number in range(6):
        client.send({"method": "LIST_SUBSCRIPTIONS", "id": number})

    assert client.close_code() == 1008


def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_let_go(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PING_SECONDS", 0.0)
    monkeypatch.setattr(streams, "PONG_SECONDS", 1.5)
    running = start()
    silent, answering = running.connect(PATH), running.connect(PATH)

    for _ in range(3):
        ping = answering.socket.recv_frame()
        assert ping.opcode == websocket.ABNF.OPCODE_PING
        assert ping.data
        answering.socket.pong(ping.data)

    while (frame := silent.socket.recv_frame()).opcode == websocket.ABNF.OPCODE_PING:
        pass
    assert frame.opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(frame.data[:2], "big") == streams.PONG_MISSING


def test_the_end_is_announced(start: Callable[..., Running]) -> None:
    running = start()
    client = running.connect(PATH)

    running.control("notice", path="/binance/stream", seconds=60)

    message = client.message()
    assert message["stream"] == "!serverShutdown"
    assert message["data"]["e"] == "serverShutdown"


def test_every_kind_of_malformed_message_can_be_sent(exchange: Running) -> None:
    client = exchange.connect(PATH)
    exchange.until(lambda: exchange.get("/control/state")["pairs"]["BTC-USDT"]["trades"])

    exchange.control("bad_frame", path="/binance/stream")

    texts = client.drain(0.3)
    assert len(texts) == 13
    assert "this is not JSON" in texts


def test_the_newest_trades_come_oldest_first(shared: Running) -> None:
    shared.until(lambda: len(shared.get("/binance/api/v3/trades", symbol="BTCUSDT", limit=50)) == 50)

    rows = shared.get("/binance/api/v3/trades", symbol="BTCUSDT", limit=50)

    ids = [row["id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + 50))
    assert set(rows[0]) == {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"}


def test_old_trades_are_asked_for_by_id(shared: Running) -> None:
    shared.until(lambda: len(shared.get("/binance/api/v3/trades", symbol="BTCUSDT", limit=30)) == 30)
    first = shared.get("/binance/api/v3/trades", symbol="BTCUSDT", limit=30)[0]["id"]

    rows = shared.get("/binance/api/v3/historicalTrades", symbol="BTCUSDT", fromId=first, limit=10)

    assert [row["id"] for row in rows] == list(range(first, first + 10))
    assert shared.get("/binance/api/v3/historicalTrades", symbol="BTCUSDT", fromId=10**12) == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("trades", {}, -1102),
        ("trades", {"symbol": "NOPE"}, -1121),
        ("trades", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("trades", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "-1"}, -1100),
    ],
)
def test_a_wrong_parameter_is_named_by_its_code(shared: Running, path: str, query: Any, code: int) -> None:
    response = shared.http.get(f"/binance/api/v3/{path}", params=query)

    assert response.status_code == 400
    assert response.json()["code"] == code


def test_markets_and_the_clock_can_be_asked_for(shared: Running) -> None:
    symbols = shared.get("/binance/api/v3/exchangeInfo")["symbols"]
    assert {"BTCUSDT", "ETHUSDT"} <= {row["symbol"] for row in symbols}
    assert {row["status"] for row in symbols} == {"TRADING"}
    assert abs(shared.get("/binance/api/v3/time")["serverTime"] - time.time() * 1000) < 5000


def test_too_much_weight_is_refused_with_the_time_to_wait(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "WEIGHT_PER_MINUTE", 100)
    running = start(limits=True)
    query = {"symbol": "BTCUSDT", "limit": 1}
    for _ in range(4):
        assert running.http.get("/binance/api/v3/trades", params=query).status_code == 200

    response = running.http.get("/binance/api/v3/trades", params=query)

    assert response.status_code == 429
    assert response.json()["code"] == -1003
    assert 1 <= int(response.headers["retry-after"]) <= 60


def test_a_budget_comes_back_as_its_window_moves_on() -> None:
    budget = Budget(10, 1000)

    assert budget.wait_us(6, 0) == 0
    assert budget.wait_us(4, 400) == 0
    assert budget.wait_us(5, 500) == 500
    assert budget.wait_us(7, 500) == 900
    assert budget.wait_us(6, 1000) == 0
    assert budget.wait_us(11, 5000) == 1000
