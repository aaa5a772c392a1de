"""Several exchanges at once and hundreds of pairs, on real Kafka against the simulated exchange.

Every exchange's tape is compared with what was really traded; partitions are where they were promised.
"""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from streaming import topics
from streaming.exchanges.registry import ids_are_contiguous
from streaming.records import Gap, Trade
from streaming.settings import EXCHANGES
from tests.integration.producer_bench import Bench, bench

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

OFFSET = 2500
PAIRS = 120
LISTED_LATER = 130


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(
        tmp_path_factory.mktemp("many"),
        OFFSET,
        CRYPTO_SIM_TRADES_PER_SECOND="200",
        CRYPTO_SIM_TICKERS_PER_SECOND="1",
        CRYPTO_SIM_EXCHANGES=",".join(EXCHANGES),
        CRYPTO_SIM_PAIRS=str(PAIRS),
        CRYPTO_PAIRS="all-usdt",
        CRYPTO_INSTRUMENTS_REFRESH_S="1",
    ) as it:
        yield it


def tapes(running: Bench) -> dict[tuple[str, str], list[Trade]]:
    found: dict[tuple[str, str], list[Trade]] = defaultdict(list)
    for trade in running.records(topics.TRADES, Trade):
        found[(trade.exchange, trade.pair)].append(trade)
    return found


def has_every_pair(running: Bench, port: int) -> bool:
    status = running.status(port)
    ids = [details["last_trade_id"] for details in status.get("pairs", {}).values()]
    return status["ready"] and len(ids) == PAIRS and None not in ids


def test_five_exchanges_and_a_hundred_pairs_are_read_at_once(running: Bench) -> None:
    ports = dict(zip(EXCHANGES, running.platform.settings.ports.metrics_producers, strict=True))
    producers = {
        name: running.start("streaming.producer", "--exchange", name, CRYPTO_METRICS_PORT=str(ports[name]))
        for name in EXCHANGES
    }
    try:
        for name in EXCHANGES:
            running.platform.await_that(
                f"{name} has a trade of every pair",
                lambda name=name: has_every_pair(running, ports[name]) or producers[name].poll() is not None,
                90,
            )
            assert producers[name].poll() is None, running.log("streaming.producer")
        running.platform.control("pause")
        truth = running.platform.truth("summary")["pairs"]
        for name in EXCHANGES:
            if ids_are_contiguous(name):
                running.platform.await_that(
                    f"{name} has caught up",
                    lambda name=name: (
                        all(
                            details["last_trade_id"] == truth[pair]["last_id"]
                            for pair, details in running.status(ports[name])["pairs"].items()
                        )
                        and running.status(ports[name])["gaps_open"] == 0
                    ),
                )
    finally:
        for process in producers.values():
            process.send_signal(signal.SIGTERM)
        for process in producers.values():
            assert process.wait(30) == 0
    found = tapes(running)
    assert {exchange for exchange, _ in found} == {f"{name.upper()}_SIM" for name in EXCHANGES}
    for (exchange, pair), trades in found.items():
        ids = sorted(trade.trade_id for trade in trades)
        assert len(set(ids)) == len(ids), f"{exchange} {pair} has a trade twice"
        if ids_are_contiguous(exchange):
            assert ids == list(range(ids[0], truth[pair]["last_id"] + 1)), f"{exchange} {pair}"
    assert all(gap.status == "filled" for gap in running.gaps().values())


def test_a_pair_has_one_partition_on_every_exchange_and_the_first_five_have_their_own(running: Bench) -> None:
    places: dict[str, set[int]] = defaultdict(set)
    for message in running.messages(topics.TRADES):
        places[message.key().decode().split("|")[1]].add(message.partition())
    assert len(places) == PAIRS
    assert all(len(partitions) == 1 for partitions in places.values())
    for pair, partition in topics.SEED_PARTITIONS.items():
        assert places[pair] == {partition}
    load = Counter(partition for partitions in places.values() for partition in partitions)
    assert all(load[partition] == 1 for partition in topics.SEED_PARTITIONS.values())
    assert max(load) == 5 + (PAIRS - 5 - 1) // 16


def test_pairs_that_are_listed_and_delisted_meanwhile_begin_and_end_without_a_restart(running: Bench) -> None:
    running.platform.control("resume")
    with running.producer("--exchange", "okx"):
        before = {trade.pair for trade in running.records(topics.TRADES, Trade)}
        running.stop_simulator()
        running.start("streaming.simulator", CRYPTO_SIM_PAIRS=str(LISTED_LATER))
        running.platform.await_that(
            "the new pairs are read",
            lambda: running.status()["ready"] and len(running.status()["pairs"]) == LISTED_LATER,
            90,
        )
        running.stop_simulator()
        running.start("streaming.simulator")
        running.platform.await_that(
            "the delisted pairs rest",
            lambda: (
                running.status()["ready"] and len(running.status()["pairs_resting"]) == LISTED_LATER - PAIRS
            ),
            90,
        )
    after = {trade.pair for trade in running.records(topics.TRADES, Trade)}
    assert len(after - before) == LISTED_LATER - PAIRS
    assert not [gap for gap in running.records(topics.GAPS, Gap) if gap.status == "unrecoverable"]
