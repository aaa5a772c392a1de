"""OKX's WebSocket, over loopback with a client library the simulator does not use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

import pytest
import websocket

from streaming.simulator.events import Fill
from streaming.simulator.okx.messages import orders

PAIR = "BTC-USDT"
# A live capture of OKX's `trades`, and the documented example of `tickers`.
OKX_TRADE = {
    "instId": "BTC-USDT", "tradeId": "1067468269", "px": "83753", "sz": "0.000011", "side": "sell",
    "ts": "1791369376364", "count": "1", "source": "0", "seqId": 82083114838,
}  # fmt: skip
OKX_TICKER = {
    "instType": "SPOT", "instId": "BTC-USDT", "last": "9999.99", "lastSz": "0.1", "askPx": "9999.99",
    "askSz": "11", "bidPx": "8888.88", "bidSz": "5", "open24h": "9000", "high24h": "10000",
    "low24h": "8888.88", "volCcy24h": "2222", "vol24h": "2222", "sodUtc0": "2222", "sodUtc8": "2222",
    "ts": "1597026383085",
}  # fmt: skip
OKX_TRADE_ALL = {"instId": "", "tradeId": "", "px": "", "sz": "", "side": "", "source": "", "ts": ""}
DECIMAL = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?")


def same_shape(row: dict[str, Any], example: dict[str, Any]) -> bool:
    return {k: type(v) for k, v in row.items()} == {k: type(v) for k, v in example.items()}


def test_each_argument_is_acknowledged_by_id_in_order(shared: Any) -> None:
    acks = shared.connect("business").subscribe("trades-all", PAIR, "ETH-USDT", id="1512")
    connection_id = acks[0]["connId"]
    assert re.fullmatch(r"[0-9a-f]{8}", connection_id)
    assert acks == [
        {
            "id": "1512",
            "event": "subscribe",
            "arg": {"channel": "trades-all", "instId": pair},
            "connId": connection_id,
        }
        for pair in (PAIR, "ETH-USDT")
    ]


def test_an_acknowledgement_of_a_request_without_id_has_none(shared: Any) -> None:
    client = shared.connect("public")
    client.send({"op": "subscribe", "args": [{"channel": "tickers", "instId": PAIR}]})
    assert "id" not in client.message()


def test_trades_all_pushes_every_fill_once_in_a_frame_of_its_own(shared: Any) -> None:
    client = shared.connect("business")
    client.subscribe("trades-all", PAIR)
    messages = [client.data() for _ in range(200)]
    assert all(m["arg"] == {"channel": "trades-all", "instId": PAIR} for m in messages)
    assert all(len(m["data"]) == 1 for m in messages)
    rows = [m["data"][0] for m in messages]
    assert all(same_shape(row, OKX_TRADE_ALL) for row in rows)
    assert all(DECIMAL.fullmatch(row["px"]) and DECIMAL.fullmatch(row["sz"]) for row in rows)
    numbers = [int(row["tradeId"]) for row in rows]
    assert numbers[1:] == list(range(numbers[1], numbers[1] + 199))
    assert numbers[0] <= numbers[1]
    assert abs(int(rows[-1]["ts"]) - time.time() * 1000) < 2000


def test_what_is_pushed_is_what_rest_and_truth_have(shared: Any) -> None:
    client = shared.connect("business")
    client.subscribe("trades-all", PAIR)
    rows = client.rows(60)[1:]
    first, last = rows[0]["tradeId"], rows[-1]["tradeId"]
    truth = shared.get("/truth/trades", pair=PAIR, from_id=first, to_id=last)["trades"]
    assert [(r["tradeId"], r["px"], r["sz"], r["side"], r["ts"]) for r in rows] == [
        (str(t["id"]), t["price"], t["size"], t["side"], str(t["time_ms"])) for t in truth
    ]
    rest = shared.get("/api/v5/market/history-trades", instId=PAIR, after=int(last) + 1, limit=59)
    assert rest["data"] == rows[::-1]


def test_trades_aggregates_the_fills_of_a_taker_order_at_one_price(shared: Any) -> None:
    client = shared.connect("public")
    client.subscribe("trades", PAIR)
    rows = client.rows(150)[1:]
    assert all(same_shape(row, OKX_TRADE) for row in rows)
    assert {row["count"] for row in rows} > {"1"}
    for previous, row in pairwise(rows):
        assert int(row["tradeId"]) - int(row["count"]) == int(previous["tradeId"])
        assert row["seqId"] > previous["seqId"] > 2**32
    some = next(row for row in rows if int(row["count"]) > 1)
    first = int(some["tradeId"]) - int(some["count"]) + 1
    fills = shared.get("/truth/trades", pair=PAIR, from_id=first, to_id=some["tradeId"])["trades"]
    assert {f["price"] for f in fills} == {some["px"]}
    assert {f["side"] for f in fills} == {some["side"]}
    assert sum(float(f["size"]) for f in fills) == pytest.approx(float(some["sz"]))


@pytest.mark.parametrize(
    ("fills", "counts"),
    [
        ([], []),
        ([(10, False)], [1]),
        ([(10, False), (10, True), (10, True)], [3]),
        ([(10, False), (10, False)], [1, 1]),
        ([(10, False), (11, True), (11, True), (12, True)], [1, 2, 1]),
        ([(10, True), (10, True), (9, False)], [2, 1]),
    ],
)
def test_a_taker_order_is_split_where_its_price_changes(
    fills: list[tuple[int, bool]], counts: list[int]
) -> None:
    made = [Fill(i, 1, price, 1, False, continues) for i, (price, continues) in enumerate(fills)]
    assert [len(order) for order in orders(made)] == counts


def test_the_first_push_is_the_last_trade_and_ticker_however_old(exchange: Any) -> None:
    exchange.until(lambda: exchange.get("/truth/summary")["pairs"][PAIR])
    exchange.control("pause")
    last = exchange.get("/truth/summary")["pairs"][PAIR]["last_id"]
    business, public = exchange.connect("business"), exchange.connect("public")
    business.subscribe("trades-all", PAIR)
    assert business.data()["data"][0]["tradeId"] == str(last)
    public.subscribe("trades", PAIR)
    assert public.data()["data"][0]["tradeId"] == str(last)
    public.subscribe("tickers", PAIR)
    ticker = public.data()["data"][0]
    assert same_shape(ticker, OKX_TICKER)
    assert business.drain(0.2) == []


def test_tickers_come_at_most_as_often_as_allowed(shared: Any) -> None:
    client = shared.connect("public")
    client.subscribe("tickers", PAIR, "XRP-USDT")
    client.drain(0.15)
    rows = [text for text in client.drain(1.5) if PAIR in text]
    assert 10 <= len(rows) <= 16


def test_a_ticker_has_a_sane_spread_and_follows_the_trades(shared: Any) -> None:
    client = shared.connect("public")
    client.subscribe("tickers", PAIR)
    for row in client.rows(5):
        assert 0 < float(row["bidPx"]) < float(row["askPx"]) < float(row["bidPx"]) * 1.001
        assert float(row["low24h"]) <= float(row["last"]) <= float(row["high24h"])
        assert all(DECIMAL.fullmatch(row[key]) for key in OKX_TICKER if key not in ("instType", "instId"))


def test_text_ping_gets_text_pong(shared: Any) -> None:
    client = shared.connect("public")
    client.send("ping")
    assert client.text() == "pong"


def test_an_unsubscribed_channel_is_acknowledged_and_falls_silent(shared: Any) -> None:
    client = shared.connect("business")
    client.subscribe("trades-all", PAIR)
    client.rows(3)
    client.send({"id": "u", "op": "unsubscribe", "args": [{"channel": "trades-all", "instId": PAIR}]})
    while (message := client.message()).get("event") != "unsubscribe":
        assert "data" in message
    assert message["arg"] == {"channel": "trades-all", "instId": PAIR}
    assert client.drain(0.3) == []


ARG = {"channel": "trades-all", "instId": PAIR}


@pytest.mark.parametrize(
    ("path", "sent", "code", "answers_id"),
    [
        ("business", "hello", "60012", False),
        ("business", '{"op":"subscribe"', "60012", False),
        ("business", [1], "60012", False),
        ("business", {"id": "t1", "args": [ARG]}, "60012", True),
        ("business", {"id": "t1", "op": "subscribe", "args": []}, "60012", True),
        ("business", {"id": "not ok!", "op": "subscribe", "args": [ARG]}, "60012", False),
        ("business", {"id": "t1", "op": "buy", "args": [ARG]}, "60019", True),
        ("business", {"id": "t1", "op": "subscribe", "args": ["x"]}, "60013", True),
        ("business", {"id": "t1", "op": "subscribe", "args": [{"channel": "trades-all"}]}, "60013", True),
        ("business", {"id": "t1", "op": "subscribe", "args": [ARG | {"instId": "NOPE-USDT"}]}, "60018", True),
        ("business", {"id": "t1", "op": "subscribe", "args": [ARG | {"channel": "weather"}]}, "60018", True),
        ("public", {"id": "t1", "op": "subscribe", "args": [ARG]}, "64001", True),
        ("public", {"id": "t1", "op": "subscribe", "args": [ARG | {"channel": "candle5m"}]}, "64001", True),
        ("business", {"id": "t1", "op": "subscribe", "args": [ARG | {"channel": "tickers"}]}, "64002", True),
    ],
)
def test_a_wrong_request_gets_its_code_its_id_and_no_arg(
    shared: Any, path: str, sent: object, code: str, answers_id: bool
) -> None:
    client = shared.connect(path)
    client.send(sent)
    error = client.message()
    assert (error["event"], error["code"]) == ("error", code)
    assert set(error) == {"event", "code", "msg", "connId"} | ({"id"} if answers_id else set())


def test_an_unknown_pair_is_named_and_does_not_spoil_the_others(shared: Any) -> None:
    client = shared.connect("business")
    args = [ARG | {"instId": "NOPE-USDT"}, ARG]
    client.send({"id": "ob1", "op": "subscribe", "args": args})
    error, ack = client.message(), client.message()
    assert "channel:trades-all,instId:NOPE-USDT doesn't exist." in error["msg"]
    assert (ack["event"], ack["arg"]) == ("subscribe", ARG)


def test_the_instruments_channel_is_acknowledged_and_silent(shared: Any) -> None:
    client = shared.connect("public")
    client.send({"id": "i", "op": "subscribe", "args": [{"channel": "instruments", "instType": "SPOT"}]})
    assert client.message()["arg"] == {"channel": "instruments", "instType": "SPOT"}
    assert client.drain(0.2) == []


def test_forming_candles_are_pushed_unconfirmed(shared: Any) -> None:
    client = shared.connect("business")
    client.subscribe("candle1m", PAIR)
    row = next(r for m in iter(client.data, None) for r in m["data"] if r[8] == "0")
    assert len(row) == 9
    assert int(row[0]) % 60_000 == 0
    assert float(row[3]) <= float(row[4]) <= float(row[2])


def test_an_unknown_path_is_not_found(shared: Any) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        shared.connect("/ws/v5/nowhere")
    assert caught.value.status_code == 404


def test_a_connection_without_subscription_is_closed_even_if_it_pings(start: Callable[..., Any]) -> None:
    client = start(idle_seconds=1.0).connect("public")
    client.send("ping")
    assert client.close_code() == 4004


def test_a_quiet_connection_is_closed_unless_it_pings(start: Callable[..., Any]) -> None:
    running = start(idle_seconds=1.5, sim_tickers_per_second=0.0)
    running.control("pause")
    pinging, quiet = running.connect("business"), running.connect("business")
    for client in (pinging, quiet):
        client.subscribe("trades-all", PAIR)
    end = time.monotonic() + 3.2
    while time.monotonic() < end:
        pinging.send("ping")
        assert "pong" in pinging.drain(0.3)
    assert quiet.close_code() == 4004


def test_a_message_beyond_64_kilobytes_is_closed_with_1009(shared: Any) -> None:
    client = shared.connect("public")
    client.send("x" * 70_000)
    assert client.close_code() == 1009


def test_a_message_in_fragments_is_put_together(shared: Any) -> None:
    client = shared.connect("public")
    frame = websocket.ABNF.create_frame
    client.socket.send_frame(frame("pi", websocket.ABNF.OPCODE_TEXT, 0))
    client.socket.send_frame(frame("ng", websocket.ABNF.OPCODE_CONT, 1))
    assert client.text() == "pong"


def test_truth_sums_and_candles_are_those_of_its_trades(exchange: Any) -> None:
    exchange.until(lambda: (exchange.get("/truth/summary")["pairs"][PAIR] or {"count": 0})["count"] > 50)
    exchange.control("pause")
    summary = exchange.get("/truth/summary")["pairs"][PAIR]
    trades: list[dict[str, Any]] = []
    following: int | None = summary["first_id"]
    while following is not None:
        page = exchange.get("/truth/trades", pair=PAIR, from_id=following, limit=7)
        trades += page["trades"]
        following = page["next_from_id"]
    from decimal import Decimal

    assert [t["id"] for t in trades] == list(range(summary["first_id"], summary["last_id"] + 1))
    assert summary["count"] == len(trades)
    assert Decimal(summary["sum_size"]) == sum(Decimal(t["size"]) for t in trades)
    assert Decimal(summary["sum_quote"]) == sum(Decimal(t["size"]) * Decimal(t["price"]) for t in trades)
    assert summary["min_time_ms"] == min(t["time_ms"] for t in trades)
    assert summary["max_time_ms"] == max(t["time_ms"] for t in trades)
    candles = exchange.get("/truth/candles", pair=PAIR, bar="1m")["candles"]
    by_minute = groupby(trades, key=lambda t: t["time_ms"] // 60_000 * 60_000)
    for candle, (minute, group) in zip(candles, by_minute, strict=True):
        inside = list(group)
        assert candle["start_ms"] == minute
        assert candle["count"] == len(inside)
        assert (candle["open"], candle["close"]) == (inside[0]["price"], inside[-1]["price"])
        assert (candle["first_id"], candle["last_id"]) == (inside[0]["id"], inside[-1]["id"])
        assert Decimal(candle["volume"]) == sum(Decimal(t["size"]) for t in inside)


@pytest.mark.parametrize(
    "query", [{}, {"pair": "NOPE-USDT"}, {"pair": PAIR, "from_id": "x"}, {"pair": PAIR, "limit": "-1"}]
)
def test_a_wrong_question_about_the_truth_is_refused(shared: Any, query: dict[str, str]) -> None:
    response = shared.http.get("/truth/trades", params=query)
    assert response.status_code == 400
    assert "must be" in response.json()["error"]


def test_it_is_ready(shared: Any) -> None:
    assert shared.http.get("/ready").status_code == 200
