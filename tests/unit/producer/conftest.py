"""A Kafka in memory for the producer's parts: same interface, acknowledges when told to."""

import threading
import time
from dataclasses import dataclass, field

import msgspec
import pytest
from confluent_kafka import Producer

from streaming import topics
from streaming.exchanges.events import TradeEvent
from streaming.producer.detour import Detour
from streaming.producer.ledger import GapLedger
from streaming.producer.sequencer import TradeSequencer
from streaming.producer.sink import StoppingError
from streaming.producer.tape import Tape, Writer
from streaming.records import Gap, Ticker, Trade

PAIR = "BTC-USDT"


@dataclass
class MemorySink:
    """Keeps what was sent, in order. `room` False: the queue is full. `refuse` True: it is stopping."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    acknowledge: bool = True
    room: bool = True
    refuse: bool = False
    failure: Exception | None = None
    depth: int = 0
    blocked_seconds: float = 0.0
    detour: Detour | None = None
    refuse_waiting: bool = False
    waiting: list = field(default_factory=list)

    def send(self, topic, partition, key, value, delivered):
        if self.refuse:
            raise StoppingError
        assert key == b"OKX_SIM|BTC-USDT"
        assert partition == 0
        self.sent.append((topic, value))
        self.waiting.append(delivered)
        if self.acknowledge:
            self.acknowledge_all()

    def acknowledge_all(self):
        while self.waiting:
            delivered = self.waiting.pop(0)
            if delivered is not None:
                delivered(None, None)

    def try_send(self, topic, partition, key, value, delivered):
        if not self.room:
            return False
        self.send(topic, partition, key, value, delivered)
        return True

    def send_and_wait(self, topic, partition, key, value):
        self.send(topic, partition, key, value, self.check)

    send_ahead = send_and_wait

    def check(self, error, message):
        assert error is None

    def raise_if_ending(self):
        if self.refuse or self.refuse_waiting:
            raise StoppingError

    def of(self, topic, kind):
        return [msgspec.json.decode(value, type=kind) for name, value in self.sent if name == topic]

    @property
    def trades(self) -> list[Trade]:
        return self.of(topics.TRADES, Trade)

    @property
    def tickers(self) -> list[Ticker]:
        return self.of(topics.TICKERS, Ticker)

    @property
    def gaps(self) -> list[Gap]:
        return self.of(topics.GAPS, Gap)


def trade(trade_id: int, *, is_snapshot: bool = False, time_us: int = 1_791_369_376_364_000) -> TradeEvent:
    return TradeEvent(
        PAIR, trade_id, trade_id, 1, "83753", "0.1", "buy", time_us, time.time_ns(), is_snapshot
    )


class Desk:
    """A tape with its sink and ledger."""

    def __init__(
        self, last_id: int | None = 100, last_time_us: int | None = None, *, contiguous: bool = True
    ) -> None:
        self.sink = MemorySink()
        self.stop = threading.Event()
        self.ledger = GapLedger(self.sink, "OKX_SIM", True, {PAIR: 0})
        self.tape = Tape(
            Writer("OKX_SIM", True, "producer-1", 1),
            PAIR,
            0,
            TradeSequencer(last_id, contiguous=contiguous),
            self.sink,
            self.ledger,
            last_time_us,
        )

    trade = staticmethod(trade)

    def live(self, *trade_ids: int) -> None:
        for trade_id in trade_ids:
            self.tape.trade(trade(trade_id), "ws")

    @property
    def ids(self) -> list[int]:
        return [record.trade_id for record in self.sink.trades]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="session")
def new_desk() -> type[Desk]:
    return Desk


@pytest.fixture(scope="session")
def mock_kafka():
    """librdkafka's own mock cluster: three brokers inside this process, four partitions a topic."""
    cluster = Producer({"test.mock.num.brokers": 3, "log_level": 0})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    del cluster
