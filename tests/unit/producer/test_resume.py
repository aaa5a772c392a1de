"""What a starting producer learns from Kafka, against librdkafka's mock brokers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import kafka, settings, topics
from streaming.errors import ServiceUnavailableError
from streaming.producer import resume
from streaming.producer.resume import FIRST_STEP, steps_backwards
from streaming.producer.sequencer import IdRange
from streaming.records import Gap, Trade, encode, key_of


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_steps_cover_the_partition_once_from_the_end(begin, length):
    end = begin + length
    steps = list(steps_backwards(begin, end))
    assert sum(stop - start for start, stop in steps) == length
    for start, stop in steps:
        assert stop == end
        assert start < stop
        end = start
    assert end == begin


def test_the_first_step_is_small_and_a_long_search_takes_few():
    steps = list(steps_backwards(0, 50_000_000))
    assert steps[0] == (50_000_000 - FIRST_STEP, 50_000_000)
    assert len(steps) < 8


class Kafka:
    """Writes what an earlier producer would have left behind."""

    def __init__(self, brokers: str, exchange: str) -> None:
        self.settings = settings.load(
            {"KAFKA_BOOTSTRAP_SERVERS": brokers, "CRYPTO_PAIRS": "BTC-USDT,ETH-USDT"}
        )
        self.exchange = exchange
        self.producer = kafka.producer(self.settings)
        for topic in (topics.TRADES, topics.GAPS):
            self.producer.list_topics(topic, timeout=10)

    def trades(self, ids, *, pair="BTC-USDT", source="ws", exchange=None) -> None:
        exchange = exchange or self.exchange
        for trade_id in ids:
            record = Trade(
                exchange=exchange,
                pair=pair,
                first_id=trade_id,
                trade_id=trade_id,
                count=1,
                price="1",
                size="1",
                side="buy",
                exchange_time_us=trade_id * 1000,
                receive_time_ns=1,
                producer_id="p",
                producer_epoch=1,
                seq=1,
                source=source,
                simulated=False,
            )
            self._send(topics.TRADES, pair, exchange, record)

    def gap(self, first: int, last: int, status: str = "open") -> None:
        record = Gap(
            exchange=self.exchange,
            pair="BTC-USDT",
            from_id=first,
            to_id=last,
            cause="restart",
            detected_at_us=time.time_ns() // 1000,
            filled_at_us=None,
            status=status,
            simulated=False,
        )
        self._send(topics.GAPS, "BTC-USDT", self.exchange, record)

    def _send(self, topic, pair, exchange, record) -> None:
        partition = self.settings.partitions[pair]
        self.producer.produce(topic, encode(record), key_of(exchange, pair), partition)

    def read(self):
        assert self.producer.flush(10) == 0
        return resume.read(self.settings, self.exchange, self.settings.partitions)


@pytest.fixture
def earlier(mock_kafka, request) -> Kafka:
    """An exchange of the test's own, so that tests do not see each other's records."""
    return Kafka(mock_kafka, request.node.name)


def test_where_nothing_was_written_the_tape_has_no_position(earlier):
    assert {pair: position.last_id for pair, position in earlier.read().items()} == {
        "BTC-USDT": None,
        "ETH-USDT": None,
    }


def test_the_last_trade_is_the_highest_and_not_the_one_written_last(earlier):
    earlier.trades([1, 2, 9])
    earlier.trades(range(3, 9), source="rest")
    earlier.trades([4], pair="ETH-USDT")
    positions = earlier.read()
    assert (positions["BTC-USDT"].last_id, positions["BTC-USDT"].last_time_us) == (9, 9000)
    assert positions["ETH-USDT"].last_id == 4


def test_the_last_trade_is_found_before_thousands_of_back_filled_and_foreign_ones(earlier):
    earlier.trades([5000])
    earlier.trades(range(1000, 1000 + FIRST_STEP), source="rest")
    earlier.trades(range(FIRST_STEP), exchange="ANOTHER")
    assert earlier.read()["BTC-USDT"].last_id == 5000


def test_a_live_trade_that_filled_a_gap_does_not_hide_the_ones_before_a_long_back_fill(earlier):
    """The exchange repeated an old trade while thousands were being fetched: Kafka's end shows only those."""
    earlier.trades([100, 5000])
    earlier.gap(101, 4999)
    earlier.trades(range(101, 101 + FIRST_STEP), source="rest")
    earlier.trades([3000])
    earlier.trades(range(2101, 2111), source="rest")
    earlier.gap(101, 4999, "filled")
    assert earlier.read()["BTC-USDT"].last_id == 5000


def test_an_open_gap_comes_back_without_the_trades_that_were_filled_already(earlier, monkeypatch):
    # The mock brokers do not look up offsets by time; the real ones do, in the integration tests.
    monkeypatch.setattr(resume, "_first_offset_since", lambda *_: 0)
    earlier.trades([100])
    earlier.gap(101, 109)
    earlier.trades([110])
    earlier.trades([108, 109, 104], source="rest")
    position = earlier.read()["BTC-USDT"]
    assert position.last_id == 110
    assert [gap.from_id for gap in position.gaps] == [101]
    assert position.missing.ranges() == (IdRange(101, 103), IdRange(105, 107))


def test_only_the_latest_state_of_a_gap_counts(earlier):
    earlier.trades([100])
    earlier.gap(101, 109)
    earlier.gap(101, 109, "filled")
    earlier.trades([110])
    position = earlier.read()["BTC-USDT"]
    assert position.gaps == []
    assert not position.missing


def test_a_gap_written_without_the_trade_after_it_is_part_of_the_position(earlier):
    """The process ended in between; the next trade must not open the same gap again."""
    earlier.trades([100])
    earlier.gap(101, 109)
    position = earlier.read()["BTC-USDT"]
    assert position.last_id == 109
    assert position.missing.ranges() == (IdRange(101, 109),)


def test_a_kafka_that_does_not_answer_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(resume, "RETRY_S", 0.0)
    monkeypatch.setattr(kafka, "TIMEOUT_S", 0.5)
    config = settings.load({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    with pytest.raises(ServiceUnavailableError, match="Kafka"):
        resume.read(config, "OKX", {"BTC-USDT": 0})
