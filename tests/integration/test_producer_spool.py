"""The producer while all of Kafka is away: nothing lost, nothing twice, and the exchange is not asked again.

The brokers are frozen, which to a client is a network that swallows everything. That trades come from the
spool and not from a back-fill shows in their source: a back-filled one says `rest`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.local.supervision import Supervisor
from streaming.records import Trade
from tests.integration.producer_bench import Bench, await_live, bench

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")
OFFSET = 2600
TRADES_PER_S = 300
OUTAGE_S = 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("spool")
    rate = str(TRADES_PER_S)
    with bench(home, OFFSET, CRYPTO_SIM_TRADES_PER_SECOND=rate, CRYPTO_SIM_TICKERS_PER_SECOND="5") as it:
        yield it


@pytest.fixture(autouse=True)
def open_market(running: Bench) -> None:
    running.platform.control("resume")


@contextmanager
def frozen_brokers(running: Bench) -> Iterator[None]:
    states = Supervisor(running.platform.home).states()
    pids = [state.pid for name, state in states.items() if "kafka-" in name]
    assert len(pids) == 3
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def await_spooling(running: Bench) -> None:
    running.platform.await_that("the producer spools", lambda: bool(running.status().get("spooling")))


def last_ids(running: Bench) -> dict[str, int]:
    truth = running.platform.truth("summary")["pairs"]
    return {pair: truth[pair]["last_id"] for pair in PAIRS}


def settle(running: Bench) -> None:
    """Pause the market and wait until Kafka has everything."""
    running.platform.control("pause")
    ends = last_ids(running)

    def is_settled() -> bool:
        status = running.status()
        pairs = status.get("pairs", {})
        return (
            status["ready"]
            and not status["spooling"]
            and status["queue_depth"] == status["gaps_open"] == 0
            and all(pairs[pair]["last_trade_id"] == ends[pair] for pair in PAIRS)
        )

    running.platform.await_that("Kafka has everything", is_settled)


def assert_the_tape_is_true(running: Bench) -> list[Trade]:
    """Every trade of the exchange since the tape began stands in it once, with its values."""
    everything: list[Trade] = []
    for pair in PAIRS:
        tape = running.trades(pair)
        everything += tape
        ids = [trade.trade_id for trade in tape]
        assert len(set(ids)) == len(ids), f"{pair}: {len(ids) - len(set(ids))} trades stand twice"
        truth = running.truth(pair, min(ids), last_ids(running)[pair])
        found = {t.trade_id: (t.price, t.size, t.side, t.exchange_time_us) for t in tape}
        assert found == {r["id"]: (r["price"], r["size"], r["side"], r["time_ms"] * 1000) for r in truth}
    assert {gap.status for gap in running.gaps().values()} <= {"filled"}
    return everything


def test_an_outage_of_kafka_goes_through_the_disk_in_order_and_needs_no_back_fill(running: Bench) -> None:
    with running.producer():
        await_live(running)
        running.platform.await_that("the start is over", lambda: running.status()["gaps_open"] == 0)
        gaps = running.metric("crypto_producer_gaps_total")
        refetched = running.metric("crypto_producer_trades_total", source="rest")
        with frozen_brokers(running):
            await_spooling(running)
            time.sleep(OUTAGE_S - 5)
            assert running.metric("crypto_producer_spool_bytes") > 0
            assert running.status()["ready"], "reading goes on"
        settle(running)
        spooled = running.metric("crypto_producer_spooled_records_total")
        assert spooled > TRADES_PER_S * 5
        assert running.metric("crypto_producer_drained_records_total") == spooled
        assert running.metric("crypto_producer_spool_bytes") == 0
        assert running.metric("crypto_producer_tickers_conflated_total") > 0
        assert running.metric("crypto_producer_blocked_seconds_total") < 1
        assert running.metric("crypto_producer_gaps_total") == gaps
        assert running.metric("crypto_producer_trades_total", source="rest") == refetched
    tape = assert_the_tape_is_true(running)
    epoch = max(trade.producer_epoch for trade in tape)
    for pair in PAIRS:
        ids = [t.trade_id for t in tape if (t.pair, t.producer_epoch) == (pair, epoch) and t.source != "rest"]
        assert ids == sorted(ids), "Kafka's order is the exchange's"


@pytest.mark.long
def test_a_gap_found_during_an_outage_is_in_kafka_before_the_trade_after_it(running: Bench) -> None:
    with running.producer():
        time.sleep(1)
        with frozen_brokers(running):
            await_spooling(running)
            hidden = running.platform.control("gap", n=5, pair="BTC-USDT")["from_id"]["BTC-USDT"]
            running.platform.await_that("the gap is found", lambda: running.status()["gaps_open"] > 0)
            time.sleep(1)
        settle(running)
    gap = running.gaps()[("BTC-USDT", hidden)]
    assert (gap.to_id, gap.status) == (hidden + 4, "filled")
    assert_the_tape_is_true(running)
    opened_ms = min(
        m.timestamp()[1] for m in running.messages("CryptoCurrency_gaps") if b"%d" % hidden in m.value()
    )
    after = [
        t for t in running.messages("CryptoCurrency_trades") if b'"first_id":%d,' % (hidden + 5) in t.value()
    ]
    assert opened_ms <= min(message.timestamp()[1] for message in after)


def test_a_producer_killed_while_spooling_leaves_its_trades_to_the_next(running: Bench) -> None:
    with running.producer() as process:
        time.sleep(1)
        with frozen_brokers(running):
            await_spooling(running)
            in_memory = running.status()["queue_depth"]
            running.platform.await_that(
                "five seconds of trades are on disk",
                lambda: running.metric("crypto_producer_spooled_records_total") > TRADES_PER_S * 5,
            )
            running.platform.control("pause")
            ends = last_ids(running)
            running.platform.await_that(
                "everything is on disk",
                lambda: all(running.status()["pairs"][p]["last_trade_id"] == ends[p] for p in PAIRS),
            )
            spooled = running.metric("crypto_producer_spooled_records_total")
            process.kill()
            process.wait(10)
            killed_ns = time.time_ns()
    with running.producer():
        settle(running)
    tape = assert_the_tape_is_true(running)
    epoch = max(trade.producer_epoch for trade in tape)
    rescued = [trade for trade in tape if trade.producer_epoch == epoch]
    from_spool = [trade for trade in rescued if trade.source == "ws" and trade.receive_time_ns < killed_ns]
    assert len(from_spool) == spooled
    refetched = [trade for trade in rescued if trade.source == "rest"]
    assert len(refetched) <= in_memory + TRADES_PER_S, "only what was in memory is asked for again"
    assert list((running.platform.home / "spool" / "OKX_SIM").glob("*.segment")) == []


@pytest.mark.long
def test_sigterm_during_an_outage_keeps_the_spool_for_the_next_start(running: Bench) -> None:
    folder = running.platform.home / "spool" / "OKX_SIM"
    with running.producer() as process:
        time.sleep(1)
        with frozen_brokers(running):
            await_spooling(running)
            time.sleep(2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert any(path.stat().st_size for path in folder.glob("*.segment"))
            assert "the spool stays on disk" in running.log("streaming.producer")
    with running.producer():
        settle(running)
    assert_the_tape_is_true(running)
    assert list(folder.glob("*.segment")) == []


def test_two_producers_of_one_exchange_and_home_are_one_clear_line(running: Bench) -> None:
    with running.producer():
        second = running.start("streaming.producer", CRYPTO_METRICS_PORT="0")
        assert second.wait(60) == 2
    lines = [line for line in running.log("streaming.producer").splitlines() if line.startswith("producer:")]
    assert "Another producer has the spool" in lines[-1]
    assert "CRYPTO_HOME" in lines[-1]
