"""The producer's sink while Kafka is away: librdkafka's mock brokers in a process that can be frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import TopicPartition

from streaming import kafka, settings, topics
from streaming.producer import sink as module
from streaming.producer import spool as spool_module
from streaming.producer.detour import Detour
from streaming.producer.sink import KafkaSink, StoppingError
from streaming.producer.spool import Spool, SpooledRecord

MIB = 1 << 20
BROKERS = """
import sys
from confluent_kafka import Producer
cluster = Producer({"test.mock.num.brokers": 3, "log_level": 0})
print(",".join(f"{b.host}:{b.port}" for b in cluster.list_topics(timeout=10).brokers.values()), flush=True)
sys.stdin.read()
"""


class Brokers:
    """Three mock brokers that can fall silent without closing a connection."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", BROKERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.settings = settings.load({"KAFKA_BOOTSTRAP_SERVERS": self._process.stdout.readline().strip()})

    def leave(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # returns when every thread stands still

    def come_back(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def values(self, topic: str, partition: int) -> list[int]:
        """What the partition holds, in its order."""
        consumer = kafka.consumer(self.settings, "test")
        try:
            low, high = kafka.watermarks(consumer, topic, [partition])[partition]
            consumer.assign([TopicPartition(topic, partition, low)])
            found: list[int] = []
            while len(found) < high - low:
                batch = consumer.consume(high - low - len(found), timeout=5)
                assert batch
                found += [int(message.value()) for message in batch]
            return found
        finally:
            consumer.close()


@pytest.fixture
def brokers() -> Iterator[Brokers]:
    brokers = Brokers()
    yield brokers
    brokers.come_back()
    brokers.end()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_S", 0.5)


def await_that(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Acks:
    """Counts delivery callbacks."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def __call__(self, error, message) -> None:
        assert error is None
        self.values.append(int(message.value()))


def connect(sink: KafkaSink, topic: str = "t") -> None:
    """Write 0 to partition 0; a first contact that takes long may already have begun to spool."""
    sink.send_and_wait(topic, 0, b"k", b"0")
    await_that(lambda: not sink.spooling)


def spool_until_away(sink: KafkaSink, topic: str, acks: Acks, first: int = 0) -> int:
    """Send numbers until they go to the spool; return the next number."""
    number = first
    while not sink.spooling:
        sink.send(topic, 0, b"k", b"%d" % number, acks)
        number += 1
        time.sleep(0.01)
    return number


def test_while_kafka_is_away_records_wait_on_disk_and_are_drained_in_order(brokers, stop, tmp_path):
    spool = Spool(tmp_path, MIB)
    sink = KafkaSink(brokers.settings, stop, spool)
    acks = Acks()
    connect(sink)
    brokers.leave()
    end = spool_until_away(sink, "t", acks, 1)
    spooled_before = sink.detour.appended
    for number in range(end, end + 500):
        sink.send("t", 0, b"k", b"%d" % number, acks)
    assert sink.detour.unread >= 500
    assert spool.bytes > 0
    assert not sink.try_send(topics.TICKERS, 0, b"k", b"0", acks), "tickers are conflated meanwhile"
    brokers.come_back()
    await_that(lambda: not sink.spooling)
    for number in range(end + 500, end + 600):
        sink.send("t", 0, b"k", b"%d" % number, acks)
    await_that(lambda: len(acks.values) == end + 599)
    assert acks.values == list(range(1, end + 600))
    assert brokers.values("t", 0) == list(range(end + 600))
    assert sink.detour.appended == sink.detour.drained == spooled_before + 500
    assert spool.bytes == 0
    assert sink.detour.seconds > 0
    assert sink.close(5) == 0
    assert list(tmp_path.glob("*.segment")) == []


def test_no_partition_s_order_is_broken_by_a_kafka_that_comes_and_goes_under_load(brokers, stop, tmp_path):
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, 64 * MIB))
    writing = threading.Event()
    writing.set()
    acks = [Acks() for _ in range(4)]
    sent = [0] * 4

    def write(partition: int) -> None:
        while writing.is_set():
            sink.send("t", partition, b"k", b"%d" % sent[partition], acks[partition])
            sent[partition] += 1
            if sent[partition] % 20 == 0:
                sink.serve()
                time.sleep(0.01)

    threads = [threading.Thread(target=write, args=(partition,)) for partition in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        brokers.leave()
        await_that(lambda: sink.spooling)
        brokers.come_back()
        await_that(lambda: not sink.spooling)
    writing.clear()
    for thread in threads:
        thread.join(20)
    await_that(lambda: [len(ack.values) for ack in acks] == sent)
    for partition in range(4):
        assert brokers.values("t", partition) == list(range(sent[partition]))
        # Several threads run callbacks, so those need not come in order.
        assert sorted(acks[partition].values) == list(range(sent[partition]))
    assert sink.detour.appended == sink.detour.drained > 0
    assert sink.close(5) == 0


def test_a_kafka_that_is_only_slow_pauses_reading(brokers, stop, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MESSAGES", 50)
    monkeypatch.setattr(module, "AWAY_S", 2.0)
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, MIB))
    acks = Acks()
    connect(sink)
    for _ in range(5):
        brokers.leave()
        timer = threading.Timer(0.4, brokers.come_back)
        timer.start()
        for number in range(60):
            sink.send("t", 0, b"k", b"%d" % number, acks)
        timer.join()
    assert sink.blocked_seconds > 1
    assert sink.detour.appended == 0
    assert sink.close(10) == 0
    assert len(acks.values) == 300


def test_a_full_spool_pauses_reading_and_loses_nothing(brokers, stop, tmp_path):
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, 100_000))
    acks = Acks()
    connect(sink)
    brokers.leave()
    begin = spool_until_away(sink, "t", acks, 1)
    written: list[int] = []

    def write() -> None:
        for number in range(begin, begin + 5000):
            sink.send("t", 0, b"k", b"%d" % number, acks)
            written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    await_that(lambda: sink.blocked_seconds > 0.3)
    assert len(written) < 5000
    brokers.come_back()
    thread.join(20)
    await_that(lambda: len(acks.values) == begin + 4999)
    assert brokers.values("t", 0) == list(range(begin + 5000))
    assert sink.close(5) == 0


def test_a_gap_in_flight_does_not_hold_the_reader_for_the_whole_outage(brokers, stop, tmp_path):
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, MIB))
    connect(sink, "gaps")
    brokers.leave()
    began_s = time.monotonic()
    sink.send_ahead("gaps", 0, b"k", b"1")
    assert sink.spooling
    sink.send_ahead("gaps", 0, b"k", b"2")
    assert time.monotonic() - began_s < 5
    brokers.come_back()
    await_that(lambda: not sink.spooling)
    assert brokers.values("gaps", 0) == [0, 1, 2]
    assert sink.close(5) == 0


def test_waiting_for_an_acknowledgement_goes_through_the_spool(brokers, stop, tmp_path):
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, MIB))
    connect(sink)
    brokers.leave()
    end = spool_until_away(sink, "t", Acks(), 1)
    threading.Timer(0.3, brokers.come_back).start()
    sink.send_and_wait("t", 0, b"k", b"%d" % end)
    assert brokers.values("t", 0) == list(range(end + 1))
    assert sink.close(5) == 0


def test_what_is_spooled_when_the_process_ends_is_left_on_disk_for_the_next(brokers, stop, tmp_path):
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, MIB))
    connect(sink)
    brokers.leave()
    assert sink.try_send(topics.TICKERS, 0, b"k", b"0", sink.check)
    acks = Acks()
    begin = spool_until_away(sink, "t", acks, 1) - sink.detour.appended
    for number in range(begin + sink.detour.appended, begin + 10):
        sink.send("t", 0, b"k", b"%d" % number, sink.check)
    in_flight = begin - 1 - len(acks.values)
    assert sink.close(0.2) == in_flight + 1, "the ticker, and what was sent before Kafka counted as away"
    assert sink.failure is None
    spool = Spool(tmp_path, MIB)
    assert [int(record.value) for record in spool.leftovers()] == list(range(begin, begin + 10))
    spool.close()


def test_a_process_that_ends_while_draining_leaves_what_kafka_lacks(brokers, stop, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DRAIN_MESSAGES", 50)
    monkeypatch.setattr(spool_module, "READ_BYTES", 1000)
    sink = KafkaSink(brokers.settings, stop, Spool(tmp_path, 8 * MIB))
    connect(sink)
    brokers.leave()
    acks = Acks()
    begin = spool_until_away(sink, "t", acks, 1)
    end = begin + 20_000
    for number in range(begin, end):
        sink.send("t", 0, b"k", b"%d" % number, acks)
    brokers.come_back()
    await_that(lambda: sink.detour.drained > 0)
    brokers.leave()
    assert sink.close(0.1) > 0
    spool = Spool(tmp_path, 8 * MIB)
    left = {int(record.value) for record in spool.leftovers()}
    assert 0 < len(left) <= 20_000
    assert left | set(acks.values) == set(range(1, end))
    spool.close()


def test_without_a_spool_a_kafka_that_is_away_pauses_reading(brokers, stop, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MESSAGES", 50)
    sink = KafkaSink(brokers.settings, stop)
    brokers.leave()
    threading.Timer(1.5, stop.set).start()
    for _ in range(50):
        sink.send("t", 0, b"k", b"0", sink.check)
    with pytest.raises(StoppingError):
        sink.send("t", 0, b"k", b"0", sink.check)
    assert not sink.spooling
    assert sink.close(0.1) == 50


class Sent:
    """What a detour hands out, acknowledged by hand."""

    def __init__(self, detour: Detour) -> None:
        self.detour = detour
        self.waiting: list = []

    def drain(self) -> list[int]:
        batch = self.detour.next()
        self.waiting += [delivered for _, delivered in batch]
        return [int(record.value) for record, _ in batch]

    def acknowledge(self) -> None:
        while self.waiting:
            self.waiting.pop(0)(None, None)


def record(number: int, *, barrier: bool = False) -> SpooledRecord:
    return SpooledRecord("t", 0, b"k", b"%d" % number, barrier)


def ignore(error, message) -> None:
    assert error is None


def refuse(record, delivered) -> bool:
    raise AssertionError("nothing is sent directly while the detour is open")


def test_nothing_after_a_spooled_gap_is_sent_before_kafka_has_the_gap(tmp_path):
    detour = Detour(Spool(tmp_path, MIB))
    sent = Sent(detour)
    detour.begin()
    assert detour.take(record(1), ignore)
    assert detour.take_barrier(record(2, barrier=True), ignore, refuse)
    assert detour.take(record(3), ignore)
    assert sent.drain() == [1, 2]
    assert sent.drain() == []
    assert not detour.end_if_empty()
    sent.acknowledge()
    assert sent.drain() == [3]
    assert detour.end_if_empty()
    assert not detour.take(record(4), ignore)


def test_nothing_after_a_gap_in_flight_is_drained_before_kafka_has_the_gap(tmp_path):
    detour = Detour(Spool(tmp_path, MIB))
    sent = Sent(detour)

    def produce(barrier, delivered) -> bool:
        sent.waiting.append(delivered)
        return True

    assert detour.take_barrier(record(1, barrier=True), ignore, produce)
    detour.begin()
    assert detour.take(record(2), ignore)
    assert sent.drain() == []
    sent.acknowledge()
    assert sent.drain() == [2]


def test_the_detour_does_not_end_while_a_gap_at_its_end_is_on_its_way(tmp_path):
    detour = Detour(Spool(tmp_path, MIB))
    sent = Sent(detour)
    detour.begin()
    assert detour.take_barrier(record(1, barrier=True), ignore, refuse)
    assert sent.drain() == [1]
    assert not detour.end_if_empty()
    sent.acknowledge()
    assert detour.end_if_empty()
