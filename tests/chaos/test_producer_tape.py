"""The producer on real Kafka against the simulated exchange: none lost, none twice, whatever happens.

Every test ends with the same proof: the tape in Kafka is compared with what the exchange really traded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from confluent_kafka.admin import NewTopic

from streaming import kafka, topics
from streaming.producer.sink import KafkaSink
from streaming.records import DeadLetter, Ticker
from tests.chaos.comparison import compare
from tests.integration.platform_process import REPOSITORY
from tests.integration.producer_bench import Bench, await_live, settle

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")


@pytest.fixture(autouse=True)
def normal_market(running: Bench) -> None:
    running.platform.control("resume")
    running.platform.control("rate", trades_per_second=200)


def assert_the_tape_is_true(running: Bench) -> None:
    """Each pair's trades in Kafka, from its first to its last: every one, once, right, numbered in order."""
    for pair in PAIRS:
        verdict = compare(running, pair)
        assert verdict.clean, verdict
    assert {trade.exchange for trade in running.trades(PAIRS[-1])} == {"OKX_SIM"}
    assert {gap.status for gap in running.gaps().values()} <= {"filled"}


def await_trades(running: Bench, count: int) -> None:
    """Wait until this life of the producer has sent so many trades."""
    running.platform.await_that(
        f"{count} trades were sent", lambda: running.metric("crypto_producer_trades_total") >= count
    )


def await_reconnects(running: Bench, count: int) -> None:
    """Wait until this life of the producer has overcome so many losses."""
    running.platform.await_that(
        f"{count} losses are noticed and overcome",
        lambda: running.metric("crypto_producer_reconnects_total") >= count and running.status()["ready"],
    )


def miss(running: Bench, pair: str, count: int) -> None:
    """Wait until that many trades of a pair have happened, without a producer."""
    before = running.exchange_state()["pairs"][pair]["next_id"]
    running.platform.await_that(
        f"{count} trades of {pair} are missed",
        lambda: running.exchange_state()["pairs"][pair]["next_id"] - before >= count,
    )


def test_the_tape_is_true_and_ordered_in_a_quiet_time(running: Bench) -> None:
    with running.producer():
        await_trades(running, 300)
        settle(running)
    assert_the_tape_is_true(running)
    for message in running.messages(topics.TRADES):
        pair = message.key().decode().split("|")[1]
        assert message.partition() == PAIRS.index(pair)
    assert running.records(topics.TICKERS, Ticker)


def test_a_lost_connection_loses_no_trade_whatever_its_code(running: Bench) -> None:
    with running.producer():
        for count, code in enumerate([None, 4004, 4005, 1009], start=1):
            running.platform.control("drop", code=code, path="business")
            await_reconnects(running, count)
        settle(running)
    assert_the_tape_is_true(running)


def test_hidden_repeated_and_shuffled_trades_end_up_once_each(running: Bench) -> None:
    with running.producer():
        running.platform.control("gap", n=7)
        running.platform.control("duplicate", n=20)
        running.platform.control("reorder", seconds=1.0)
        running.platform.await_that(
            "no trade is hidden or held back any more",
            lambda: not (running.exchange_state()["gaps"] or running.exchange_state()["reordering"]),
        )
        settle(running)
        assert running.metric("crypto_producer_duplicates_dropped_total") >= 20
        assert running.metric("crypto_producer_gaps_total", status="filled") >= len(PAIRS)
    assert_the_tape_is_true(running)
    assert any(trade.source == "rest" for trade in running.trades("BTC-USDT"))


def test_malformed_frames_go_to_the_dead_letters_and_stop_nothing(running: Bench) -> None:
    before = len(running.records(topics.DEAD_LETTERS, DeadLetter))
    with running.producer():
        running.platform.control("bad_frame", path="business")
        running.platform.await_that(
            "they are refused", lambda: running.metric("crypto_producer_parse_errors_total") >= 10
        )
        settle(running)
    letters = running.records(topics.DEAD_LETTERS, DeadLetter)
    assert len(letters) > before
    assert all(letter.raw and letter.reason for letter in letters[before:] if letter.raw != "")
    assert_the_tape_is_true(running)


def test_an_announced_end_is_bridged_by_a_second_connection_without_any_gap(running: Bench) -> None:
    with running.producer():
        await_live(running)
        before = running.metric("crypto_producer_gaps_total", status="open")
        old = {c["connection_id"] for c in running.exchange_state()["connections"]}
        replaced = running.log("streaming.producer").count("replaced")
        running.platform.control("notice", seconds=3)
        running.platform.await_that(
            "both connections were replaced",
            lambda: running.log("streaming.producer").count("replaced") >= replaced + 2,
        )
        running.platform.await_that(
            "the old ones are gone",
            lambda: old.isdisjoint(c["connection_id"] for c in running.exchange_state()["connections"]),
        )
        settle(running)
        assert running.metric("crypto_producer_gaps_total", status="open") == before
        assert running.metric("crypto_producer_reconnects_total") == 0
    assert_the_tape_is_true(running)


def test_a_killed_producer_s_absence_is_a_gap_that_the_next_one_fills(running: Bench) -> None:
    with running.producer() as process:
        await_trades(running, 100)
        process.kill()
        process.wait(10)
    miss(running, PAIRS[-1], 5)
    with running.producer():
        settle(running)
    assert "restart" in {gap.cause for gap in running.gaps().values()}
    assert_the_tape_is_true(running)


def test_a_producer_killed_during_its_back_fill_goes_on_where_it_stopped(running: Bench) -> None:
    with running.producer():
        settle(running)
    running.platform.control("resume")
    running.platform.control("rate", trades_per_second=3000)
    # Several requests' worth: one brings 500, each further one 100.
    miss(running, "BTC-USDT", 2000)
    running.platform.control("rate", trades_per_second=200)
    with running.producer() as process:
        running.platform.await_that(
            "the back-fill is under way",
            lambda: running.metric("crypto_producer_trades_total", source="rest") > 0,
        )
        process.kill()
        process.wait(10)
    assert any(gap.status == "open" for gap in running.gaps().values())
    with running.producer():
        settle(running)
    assert_the_tape_is_true(running)


def test_sigterm_drains_and_exits_with_zero(running: Bench) -> None:
    with running.producer() as process:
        await_trades(running, 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with running.producer():
        settle(running)
    assert_the_tape_is_true(running)


def test_an_exchange_that_goes_away_and_comes_back_loses_no_trade(running: Bench) -> None:
    with running.producer():
        await_trades(running, 100)
        running.stop_simulator()
        running.platform.await_that("the producer notices", lambda: not running.status()["ready"])
        running.start("streaming.simulator")
        running.platform.await_that("the producer is back", lambda: running.status()["ready"])
        settle(running)
    assert_the_tape_is_true(running)


def test_a_producer_starts_while_one_broker_of_three_is_away(running: Bench) -> None:
    running.stack.supervisor.stop("kafka-3")
    try:
        with running.producer():
            await_trades(running, 100)
            settle(running)
        assert_the_tape_is_true(running)
    finally:
        running.start_broker("kafka-3")


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
