"""The registry of partitions on librdkafka's mock brokers: written once, first come first served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from streaming import kafka, pair_registry, settings, topics
from streaming.errors import ServiceUnavailableError, SettingsError
from streaming.settings import Settings


@pytest.fixture
def brokers() -> Iterator[str]:
    cluster = Producer({"test.mock.num.brokers": 3, "log_level": 0})
    found = cluster.list_topics(topics.PAIRS, timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in found)
    del cluster


def load(brokers: str, pairs: str) -> Settings:
    return settings.load({"KAFKA_BOOTSTRAP_SERVERS": brokers, "CRYPTO_PAIRS": pairs})


def test_new_pairs_are_placed_once_and_found_again(brokers: str) -> None:
    pairs = ["BTC-USDT", "DOGE-USDT", "ADA-USDT"]
    placed = pair_registry.placements(load(brokers, "BTC-USDT,DOGE-USDT,ADA-USDT"), pairs)
    assert placed == {"BTC-USDT": 0, "DOGE-USDT": 5, "ADA-USDT": 5}
    again = pair_registry.placements(load(brokers, "all-usdt"), ["LTC-USDT", "ADA-USDT"])
    assert again == {"LTC-USDT": 5, "ADA-USDT": 5}
    assert pair_registry.read(load(brokers, "all-usdt")) == {"DOGE-USDT": 5, "ADA-USDT": 5, "LTC-USDT": 5}


def test_the_first_five_need_no_registry() -> None:
    nowhere = load("127.0.0.1:1", "BTC-USDT,XRP-USDT")
    assert pair_registry.placements(nowhere, ["XRP-USDT", "BTC-USDT"]) == {"XRP-USDT": 4, "BTC-USDT": 0}


def test_of_two_who_place_a_pair_at_once_the_first_holds(brokers: str) -> None:
    config = load(brokers, "DOGE-USDT")
    producer = kafka.producer(config)
    for partition in (7, 5):
        line = pair_registry.Placement(pair="DOGE-USDT", partition=partition, placed_at_us=1)
        producer.produce(topics.PAIRS, pair_registry.msgspec.json.encode(line), b"DOGE-USDT", 0)
    assert producer.flush(10) == 0
    assert pair_registry.placements(config, ["DOGE-USDT"]) == {"DOGE-USDT": 7}


def test_a_configuration_that_contradicts_the_registry_is_refused(brokers: str) -> None:
    pair_registry.placements(load(brokers, "DOGE-USDT:9"), ["DOGE-USDT"])
    with pytest.raises(SettingsError, match="DOGE-USDT on partition 8, but it is on 9 for good"):
        pair_registry.placements(load(brokers, "DOGE-USDT:8"), ["DOGE-USDT"])


def test_a_kafka_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(pair_registry, "RETRY_S", 0.5)
    with pytest.raises(ServiceUnavailableError, match=r"Kafka at 127\.0\.0\.1:1"):
        pair_registry.placements(load("127.0.0.1:1", "DOGE-USDT"), ["DOGE-USDT"])
