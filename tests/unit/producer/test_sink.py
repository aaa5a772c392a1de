"""The rules of the one Kafka producer, against librdkafka's mock brokers."""

import threading

import pytest

from streaming import kafka, settings
from streaming.producer import sink as module
from streaming.producer.sink import DeliveryError, KafkaSink, StoppingError

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def stop():
    return threading.Event()


def load(brokers: str) -> settings.Settings:
    return settings.load({"KAFKA_BOOTSTRAP_SERVERS": brokers})


def test_sending_and_waiting_returns_when_kafka_has_it(mock_kafka, stop):
    sink = KafkaSink(load(mock_kafka), stop)
    sink.send_and_wait("sink-waits", 0, b"k", b"v")
    consumer = kafka.consumer(load(mock_kafka), "test")
    assert kafka.watermarks(consumer, "sink-waits", [0]) == {0: (0, 1)}
    consumer.close()
    assert sink.close(5) == 0
    assert sink.depth == 0


def test_every_message_is_acknowledged_in_the_order_of_sending(mock_kafka, stop):
    sink = KafkaSink(load(mock_kafka), stop)
    offsets = []
    for _ in range(2000):
        sink.send("sink-order", 1, b"k", b"v", lambda error, message: offsets.append(message.offset()))
        sink.serve()
    assert sink.close(10) == 0
    assert offsets == list(range(2000))


def test_a_full_queue_blocks_trades_until_the_process_stops_and_is_counted(stop, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MESSAGES", 10)
    sink = KafkaSink(load(NOWHERE), stop)
    for _ in range(10):
        sink.send("t", 0, b"k", b"v", sink.check)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(StoppingError):
        sink.send("t", 0, b"k", b"v", sink.check)
    assert sink.blocked_seconds > 0.1
    assert sink.close(0.1) == 10


def test_tickers_leave_half_of_the_queue_to_trades(stop, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MESSAGES", 10)
    sink = KafkaSink(load(NOWHERE), stop)
    accepted = sum(sink.try_send("t", 0, b"k", b"v", sink.check) for _ in range(10))
    assert 1 <= accepted <= 6
    sink.send("t", 0, b"k", b"v", sink.check)
    stop.set()
    sink.close(0.1)


def test_waiting_for_an_acknowledgement_ends_with_the_process(stop):
    sink = KafkaSink(load(NOWHERE), stop)
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(StoppingError):
        sink.send_and_wait("t", 0, b"k", b"v")
    sink.close(0.1)


def test_a_message_that_is_refused_ends_the_process_and_nothing_is_taken_after_it(mock_kafka, stop):
    sink = KafkaSink(load(mock_kafka), stop)
    with pytest.raises(DeliveryError, match="t \\[0\\]"):
        sink.send("t", 0, b"k", b"v" * 3_000_000, sink.check)
    assert stop.is_set()
    with pytest.raises(DeliveryError):
        sink.send("t", 0, b"k", b"v", sink.check)
    with pytest.raises(DeliveryError):
        sink.try_send("t", 0, b"k", b"v", sink.check)
    sink.close(1)
