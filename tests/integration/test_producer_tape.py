"""The producer on real Kafka against the simulated exchange: none lost, none twice, whatever happens.

Every test ends with the same proof: the tape in Kafka is compared with what the exchange really traded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import NewTopic

from streaming import kafka, topics
from streaming.producer.sink import KafkaSink
from streaming.records import DeadLetter, Ticker
from tests.integration.platform_process import REPOSITORY
from tests.integration.producer_bench import Bench, bench

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")
OFFSET = 2300


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("producer")
    with bench(home, OFFSET, CRYPTO_SIM_TRADES_PER_SECOND="200", CRYPTO_SIM_TICKERS_PER_SECOND="5") as it:
        yield it


@pytest.fixture(autouse=True)
def normal_market(running: Bench) -> None:
    running.platform.control("resume")
    running.platform.control("rate", trades_per_second=200)


def has_everything(running: Bench) -> bool:
    """Whether the paused exchange's last trade of each pair has been seen and no gap is open."""
    status = running.status()
    truth = running.platform.truth("summary")["pairs"]
    return status.get("gaps_open") == 0 and all(
        status["pairs"][pair]["last_trade_id"] == truth[pair]["last_id"] for pair in PAIRS
    )


def settle(running: Bench) -> None:
    """Pause the market and wait until the producer has caught up."""
    running.platform.await_that("the producer is connected", lambda: running.status()["ready"])
    time.sleep(0.5)
    running.platform.control("pause")
    # The last trades may have been lost with a connection; only a further trade can reveal that.
    for pair in PAIRS:
        running.platform.control("trade", pair=pair, price=price_of(running, pair), size="0.1", side="buy")
    running.platform.await_that("every gap is closed", lambda: has_everything(running), 90)


def price_of(running: Bench, pair: str) -> str:
    last = running.platform.truth("summary")["pairs"][pair]["last_id"]
    return str(running.truth(pair, last, last)[0]["price"])


def assert_the_tape_is_true(running: Bench) -> None:
    """Each pair's trades in Kafka, from its first to its last: every one, once, with the right values."""
    for pair in PAIRS:
        tape = running.trades(pair)
        by_id = {trade.trade_id: trade for trade in tape}
        assert len(by_id) == len(tape), f"{pair}: {len(tape) - len(by_id)} trades stand twice"
        truth = running.truth(pair, min(by_id), max(by_id))
        lost = {row["id"] for row in truth} - by_id.keys()
        assert not lost, f"{pair}: {len(lost)} trades are lost, from {min(lost)}"
        for row in truth:
            trade = by_id[row["id"]]
            assert (trade.price, trade.size, trade.side, trade.exchange_time_us, trade.exchange) == (
                row["price"],
                row["size"],
                row["side"],
                row["time_ms"] * 1000,
                "OKX_SIM",
            )
    assert {gap.status for gap in running.gaps().values()} <= {"filled"}


def test_the_tape_is_true_and_ordered_in_a_quiet_time(running: Bench) -> None:
    with running.producer():
        time.sleep(2)
        settle(running)
    assert_the_tape_is_true(running)
    for message in running.messages(topics.TRADES):
        pair = message.key().decode().split("|")[1]
        assert message.partition() == PAIRS.index(pair)
    assert running.records(topics.TICKERS, Ticker)


def test_numbers_of_one_life_have_no_gap(running: Bench) -> None:
    with running.producer():
        time.sleep(1)
        settle(running)
    for pair in PAIRS:
        last_epoch = max(trade.producer_epoch for trade in running.trades(pair))
        numbers = [trade.seq for trade in running.trades(pair) if trade.producer_epoch == last_epoch]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("code", [None, 4004, 4005, 1009])
def test_a_lost_connection_loses_no_trade(running: Bench, code: int | None) -> None:
    with running.producer():
        for _ in range(3):
            time.sleep(0.7)
            running.platform.control("drop", code=code)
        settle(running)
        assert running.metric("crypto_producer_reconnects_total") >= 3
    assert_the_tape_is_true(running)


def test_hidden_repeated_and_shuffled_trades_end_up_once_each(running: Bench) -> None:
    with running.producer():
        for _ in range(3):
            running.platform.control("gap", n=7)
            running.platform.control("duplicate", n=20)
            running.platform.control("reorder", seconds=0.5)
            time.sleep(0.7)
        settle(running)
        assert running.metric("crypto_producer_duplicates_dropped_total") >= 20
        assert running.metric("crypto_producer_gaps_total", status="filled") >= len(PAIRS)
    assert_the_tape_is_true(running)
    assert any(trade.source == "rest" for trade in running.trades("BTC-USDT"))


def test_malformed_frames_go_to_the_dead_letters_and_stop_nothing(running: Bench) -> None:
    before = len(running.records(topics.DEAD_LETTERS, DeadLetter))
    with running.producer():
        running.platform.control("bad_frame", path="business")
        time.sleep(1)
        settle(running)
    letters = running.records(topics.DEAD_LETTERS, DeadLetter)
    assert len(letters) > before
    assert all(letter.raw and letter.reason for letter in letters[before:] if letter.raw != "")
    assert_the_tape_is_true(running)


def test_an_announced_end_is_bridged_by_a_second_connection_without_any_gap(running: Bench) -> None:
    with running.producer():
        time.sleep(1)
        before = running.metric("crypto_producer_gaps_total")
        running.platform.control("notice", seconds=4)
        running.platform.await_that(
            "both connections were replaced", lambda: running.log("streaming.producer").count("replaced") >= 2
        )
        time.sleep(4)
        settle(running)
        assert running.metric("crypto_producer_gaps_total") == before
        assert running.metric("crypto_producer_reconnects_total") == 0
    assert_the_tape_is_true(running)


def test_a_killed_producer_s_absence_is_a_gap_that_the_next_one_fills(running: Bench) -> None:
    with running.producer() as process:
        time.sleep(1)
        process.kill()
        process.wait(10)
    time.sleep(2)
    with running.producer():
        settle(running)
    assert "restart" in {gap.cause for gap in running.gaps().values()}
    assert_the_tape_is_true(running)


def test_a_producer_killed_during_its_back_fill_goes_on_where_it_stopped(running: Bench) -> None:
    with running.producer():
        settle(running)
    running.platform.control("resume")
    running.platform.control("rate", trades_per_second=5000)
    time.sleep(3)
    running.platform.control("rate", trades_per_second=200)
    with running.producer() as process:
        running.platform.await_that(
            "the back-fill is under way",
            lambda: running.metric("crypto_producer_trades_total", source="rest") > 500,
        )
        process.kill()
        process.wait(10)
    assert any(gap.status == "open" for gap in running.gaps().values())
    with running.producer():
        settle(running)
    assert_the_tape_is_true(running)


def test_sigterm_drains_and_exits_with_zero(running: Bench) -> None:
    with running.producer() as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with running.producer():
        settle(running)
    assert_the_tape_is_true(running)


def test_an_exchange_that_goes_away_and_comes_back_loses_no_trade(running: Bench) -> None:
    with running.producer():
        time.sleep(1)
        simulator = next(p for p in running.processes if p.poll() is None)
        os.kill(simulator.pid, signal.SIGTERM)
        simulator.wait(20)
        running.platform.await_that("the producer notices", lambda: not running.status()["ready"])
        running.start("streaming.simulator")
        running.platform.await_that("the producer is back", lambda: running.status()["ready"])
        settle(running)
    assert_the_tape_is_true(running)


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"CRYPTO_PAIRS": "NOPE-USDT:9"}, 2, ("CRYPTO_PAIRS", "NOPE-USDT")),
        (
            {"CRYPTO_SOURCE": "okx", "CRYPTO_OKX_REST_URL": "http://127.0.0.1:1"},
            1,
            ("CRYPTO_OKX_REST_URL", "http://127.0.0.1:1"),
        ),
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, 1, ("KAFKA_BOOTSTRAP_SERVERS",)),
    ],
)
def test_what_cannot_work_ends_with_one_clear_line(
    running: Bench, environment: dict[str, str], code: int, words: tuple[str, ...]
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "streaming.producer"],
        env=running.platform.process_environment() | environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == code
    [line] = [line for line in result.stderr.splitlines() if line.startswith("producer:")]
    assert all(word in line for word in words)
    assert "Traceback" not in result.stderr


def test_a_refused_trade_that_asked_for_no_acknowledgement_ends_the_process_like_any_other(
    running: Bench,
) -> None:
    settings = running.platform.settings
    narrow = NewTopic("narrow", 1, 3, config={"max.message.bytes": "1000"})
    admin = kafka.admin(settings)
    admin.create_topics([narrow], operation_timeout=15)["narrow"].result(15)
    stop = threading.Event()
    sink = KafkaSink(settings, stop)
    sink.send_and_wait("narrow", 0, b"k", b"before")
    sink.send("narrow", 0, b"k", os.urandom(5_000), None)
    sink.send("narrow", 0, b"k", b"after", sink.check)
    assert stop.wait(30)
    assert sink.failure is not None
    sink.close(5)
    assert [message.value() for message in running.messages("narrow")] == [b"before"]
