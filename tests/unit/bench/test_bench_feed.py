"""The benchmark's exchange on a real socket, read by the producer's own transport and protocol machine."""

import socket
import threading
import time

import httpx
import pytest

from streaming.bench.feed import Feed, serve
from streaming.exchanges.events import Send, TickerEvent, TradeEvent
from streaming.exchanges.registry import venue
from streaming.exchanges.session import State
from streaming.exchanges.venue import RestReply
from streaming.producer.transport import Transport

PAIRS = ["BTC-USDT", "ETH-USDT"]


class Exchange:
    def __init__(self, rate: float | None) -> None:
        self.feed = Feed(PAIRS, rate, seconds=20)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=serve, args=(self.listener, self.feed), daemon=True).start()

    def get(self, path: str) -> RestReply:
        answer = httpx.get(f"http://{self.address}{path}", timeout=5)
        return RestReply(answer.status_code, answer.content, time.time_ns(), dict(answer.headers))

    def connect(self, plan_index: int):
        okx = venue("okx")
        plan = okx.connections(PAIRS)[plan_index]
        session = okx.session(plan)
        transport = Transport(f"ws://{self.address}{plan.path}", 5, 0.1)
        for output in session.connected(0):
            assert isinstance(output, Send)
            transport.send(output.text)
        return session, transport


@pytest.fixture
def exchange(request):
    it = Exchange(getattr(request, "param", None))
    yield it
    it.feed.stopped.set()
    it.listener.close()


def read(session, transport, until) -> list:
    outputs = []
    deadline = time.monotonic() + 10
    while not until(outputs) and time.monotonic() < deadline:
        messages, now_ns = transport.receive()
        for message in messages:
            outputs += session.frame(message, now_ns)
    assert until(outputs)
    return outputs


def test_the_reader_gets_exactly_what_the_feed_says_it_has_sent(exchange):
    session, transport = exchange.connect(0)
    outputs = read(session, transport, lambda o: len(o) > 50_000)
    report = {}

    def stop():
        report.update(httpx.post(f"http://{exchange.address}/feed/stop", timeout=10).json())

    stopping = threading.Thread(target=stop)
    stopping.start()
    outputs += read(session, transport, lambda o: report and len(o) + len(outputs) >= report["frames"])
    stopping.join()
    while messages := transport.receive()[0]:
        outputs += [o for message in messages for o in session.frame(message, 1)]
    trades = [output for output in outputs if isinstance(output, TradeEvent)]
    assert len(trades) == report["frames"]
    for pair, (first, following) in report["ids"].items():
        assert [t.trade_id for t in trades if t.pair == pair] == list(range(first, following))
    assert session.state is State.READY
    assert "one trade per" in report["frame_shape"]
    transport.close()


@pytest.mark.parametrize("exchange", [2000.0], indirect=True)
def test_a_rate_is_kept_and_spread_over_time(exchange):
    session, transport = exchange.connect(0)
    began = time.monotonic()
    read(session, transport, lambda o: len(o) >= 2000)
    assert 0.8 < time.monotonic() - began < 3
    transport.close()


def test_tickers_come_on_the_public_address_and_a_ping_is_answered(exchange):
    session, transport = exchange.connect(1)
    outputs = read(session, transport, lambda o: sum(isinstance(x, TickerEvent) for x in o) >= 2)
    assert {o.pair for o in outputs if isinstance(o, TickerEvent)} == set(PAIRS)
    transport.send("ping")
    found = []
    while b"pong" not in found:
        found += transport.receive()[0]
    transport.close()


def test_only_one_connection_carries_the_tape(exchange):
    session, transport = exchange.connect(0)
    read(session, transport, lambda o: any(isinstance(x, TradeEvent) for x in o))
    _, other = exchange.connect(0)
    messages, deadline = [], time.monotonic() + 0.5
    while time.monotonic() < deadline:
        messages += other.receive()[0]
    assert not [m for m in messages if b'"data"' in m]
    other.close()
    transport.close()


def test_the_rest_answers_that_a_start_asks_for_are_understood(exchange):
    okx = venue("okx")
    assert abs(okx.time_us(exchange.get("/api/v5/public/time")) / 1e6 - time.time()) < 5
    listed = okx.instruments(exchange.get("/api/v5/public/instruments"))
    assert [(item.pair, item.live) for item in listed] == [(pair, True) for pair in PAIRS]
    assert exchange.get("/api/v5/market/trades").status == 404
