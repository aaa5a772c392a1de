"""The two jobs on real Kafka and Flink: what they write, and that a dead TaskManager changes none of it.

The bars are compared with `tests.reference_bars`, which shares nothing with the SQL.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from streaming import records, topics
from streaming.records import Bar, DeadLetter, Ticker, Trade
from tests.integration.flink_cluster import FlinkCluster, await_that, trade
from tests.reference_bars import MINUTE_MS, ReferenceTrade, bars

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

DECIMALS = ("open", "high", "low", "close", "volume", "quote_volume", "vwap")
NUMBERS = ("trade_count", "first_trade_id", "last_trade_id")
Key = tuple[str, int]


@pytest.fixture(scope="module", autouse=True)
def _messages_then_jobs(cluster: FlinkCluster) -> Iterator[None]:
    """Messages that wait in Kafka when the jobs start, then the jobs."""
    cluster.produce(topics.TRADES, cluster.trades(WAITING) + BROKEN)
    cluster.produce(topics.TICKERS, [(1, b"", records.encode(TICKER))] * 2)
    cluster.start_jobs()
    yield
    assert cluster.terminate("flink-jobs") == 0


def market(exchange: str, pair: str, count: int, start_ms: int, step_ms: int, seed: int) -> list[Trade]:
    """Trades with awkward decimals, each up to 0.8 s out of order, and a third of them twice."""
    chance = random.Random(seed)
    found = [
        trade(
            exchange,
            pair,
            1000 + n,
            start_ms + n * step_ms,
            f"{chance.randint(1, 99_999_999)}.{chance.randint(1, 9_999_999_999):010d}",
            f"{chance.randint(0, 999)}.{chance.randint(1, 99_999_999):08d}",
        )
        for n in range(count)
    ]
    copies = [t for t in found if chance.random() < 0.33]
    return sorted([*found, *copies], key=lambda t: t.exchange_time_us + chance.randint(0, 800_000))


BASE_MS = (time.time_ns() // 1_000_000 // MINUTE_MS - 20) * MINUTE_MS
BUSY = market("X_SIM", "BTC-USDT", 500, BASE_MS + 7, 411, 1) + market(
    "X_SIM", "ETH-USDT", 300, BASE_MS, 700, 2
)
QUIET = [trade("X_SIM", "SOL-USDT", 5, BASE_MS + 500)]
SAME_TIME = [trade("X_SIM", "BNB-USDT", n, BASE_MS + 9_000, str(n)) for n in (12, 11, 13)]
MANY_FILLS = [msgspec.structs.replace(trade("X_SIM", "XRP-USDT", 107, BASE_MS + 1), first_id=101, count=7)]
CLOSING = [trade("X_SIM", pair, 9999, BASE_MS + 10 * MINUTE_MS) for pair in ("BTC-USDT", "ETH-USDT")]
WAITING = BUSY + QUIET + SAME_TIME + MANY_FILLS + CLOSING

GOOD = trade("X_SIM", "BTC-USDT", 77_777, BASE_MS)
BROKEN = [
    (3, b"X_SIM|BNB-USDT", value)
    for value in (
        b"not json at all",
        b'["a list"]',
        records.encode(msgspec.structs.replace(GOOD, price="1e5")),
        records.encode(msgspec.structs.replace(GOOD, price="0.12345678901")),
        records.encode(msgspec.structs.replace(GOOD, size="0.0")),
        records.encode(msgspec.structs.replace(GOOD, exchange_time_us=GOOD.exchange_time_us * 1000)),
        records.encode(GOOD).replace(b'"trade_id":77777', b'"trade_id":"seven"'),
        records.encode(GOOD).replace(b'"side":"buy"', b'"side":null'),
    )
]
TICKER = Ticker(
    exchange="X_SIM",
    pair="ETH-USDT",
    bid_price="99.5",
    bid_size="1",
    ask_price="100.5",
    ask_size="2",
    last_price="100.10",
    last_size=None,
    open_24h=None,
    high_24h=None,
    low_24h=None,
    base_volume_24h="123456789012.5",
    quote_volume_24h=None,
    exchange_time_us=BASE_MS * 1000,
    receive_time_ns=time.time_ns(),
    producer_id="test",
    producer_epoch=1,
    seq=1,
    source="ws",
    simulated=True,
)


def written_bars(cluster: FlinkCluster, exchange: str) -> dict[Key, dict[str, Any]]:
    """The bars of an exchange, each of which must stand in the topic once and on its pair's partition."""
    found: dict[Key, dict[str, Any]] = {}
    for partition, value in cluster.read(topics.BARS_1M):
        bar = msgspec.convert(value, Bar)
        if bar.exchange != exchange:
            continue
        key = (bar.pair, bar.window_start_ms)
        assert key not in found, f"{key} was written twice"
        assert partition == cluster.settings.partitions[bar.pair]
        assert bar.window_end_ms - bar.window_start_ms == MINUTE_MS
        assert bar.simulated
        found[key] = {n: Decimal(getattr(bar, n)) for n in DECIMALS} | {n: getattr(bar, n) for n in NUMBERS}
    return found


def expected_bars(trades: list[Trade], until_ms: int) -> dict[Key, dict[str, Any]]:
    once = {(t.pair, t.trade_id): t for t in trades}
    reference = bars(
        ReferenceTrade(t.pair, t.trade_id, t.exchange_time_us // 1000, Decimal(t.price), Decimal(t.size))
        for t in once.values()
    )
    return {key: dict(bar) for key, bar in reference.items() if key[1] < until_ms}


def test_bars_equal_an_independent_computation(cluster: FlinkCluster) -> None:
    expected = expected_bars(BUSY + QUIET + SAME_TIME, BASE_MS + 10 * MINUTE_MS)
    await_that("every bar is there", lambda: len(written_bars(cluster, "X_SIM")) >= len(expected) + 1)
    written = written_bars(cluster, "X_SIM")
    fills = written.pop(("XRP-USDT", BASE_MS))
    assert written == expected
    assert (fills["trade_count"], fills["first_trade_id"], fills["last_trade_id"]) == (7, 101, 107)


def test_clean_trades_keep_text_and_partition_and_stand_there_once(cluster: FlinkCluster) -> None:
    def clean() -> list[tuple[int, Trade]]:
        found = [(p, msgspec.convert(value, Trade)) for p, value in cluster.read(topics.CLEAN_TRADES)]
        return [(p, t) for p, t in found if t.exchange == "X_SIM"]

    expected = {(t.pair, t.trade_id): t for t in WAITING}
    await_that("every trade is there", lambda: len(clean()) >= len(expected))
    found = clean()
    assert len(found) == len(expected)
    for partition, t in found:
        assert partition == cluster.settings.partitions[t.pair]
        assert t == expected[t.pair, t.trade_id]


def test_a_pairs_clean_trades_keep_the_order_of_arrival(cluster: FlinkCluster) -> None:
    found = [
        value["trade_id"] for p, value in cluster.read(topics.CLEAN_TRADES) if value["pair"] == "BTC-USDT"
    ]
    arrived = list(dict.fromkeys(t.trade_id for t in WAITING if t.pair == "BTC-USDT"))
    assert found[: len(arrived)] == arrived


def test_a_ticker_with_missing_values_passes_once(cluster: FlinkCluster) -> None:
    await_that("the ticker is there", lambda: len(cluster.read(topics.CLEAN_TICKERS)) > 0)
    assert [(p, msgspec.convert(v, Ticker)) for p, v in cluster.read(topics.CLEAN_TICKERS)] == [(1, TICKER)]


def test_what_is_unusable_goes_to_the_dead_letters_with_a_reason(cluster: FlinkCluster) -> None:
    await_that("every letter is there", lambda: len(cluster.read(topics.DEAD_LETTERS)) >= len(BROKEN))
    found = cluster.read(topics.DEAD_LETTERS)
    letters = [msgspec.convert(value, DeadLetter) for _, value in found]
    assert {partition for partition, _ in found} == {3}
    assert {letter.stage for letter in letters} == {"validate"}
    assert {letter.exchange for letter in letters} == {"X_SIM"}
    reasons = sorted(letter.reason.partition(f" ({topics.TRADES} 3:")[0] for letter in letters)
    price = "price is not a decimal with at most 8 digits before and 10 after the point"
    assert reasons == sorted(
        [
            "the message is not a JSON object",
            "the message is not a JSON object",
            price,
            price,
            "size is zero",
            "exchange_time_us is in the future",
            "an id, count, time or sequence is not a whole number",
            "side is neither buy nor sell",
        ]
    )
    raw = {letter.raw for letter in letters}
    assert {"not json at all", '["a list"]'} <= raw
    assert any('"price":"0.12345678901"' in text for text in raw)


def test_bars_are_exact_when_a_taskmanager_dies_in_the_middle_of_a_minute(cluster: FlinkCluster) -> None:
    """Two and a half minutes of exchange time in half a minute; the TaskManager with the bars is killed."""
    start_ms = BASE_MS + 11 * MINUTE_MS
    tape = [
        market("Y_SIM", pair, 1500, start_ms, 100, seed) for seed, pair in enumerate(("BTC-USDT", "ETH-USDT"))
    ]
    for tick in range(300):
        if tick == 120:
            cluster.kill("taskmanager-0")
        if tick == 160:
            cluster.start_taskmanager(0)
        if tick == 200:
            cluster.kill("taskmanager-1")
        if tick == 220:
            cluster.start_taskmanager(1)
        slices = [t[len(t) * tick // 300 : len(t) * (tick + 1) // 300] for t in tape]
        cluster.produce(topics.TRADES, cluster.trades([t for part in slices for t in part]))
        time.sleep(0.1)
    end_ms = start_ms + 4 * MINUTE_MS
    cluster.produce(
        topics.TRADES,
        cluster.trades([trade("Y_SIM", pair, 9999, end_ms) for pair in ("BTC-USDT", "ETH-USDT")]),
    )
    expected = expected_bars([t for part in tape for t in part], end_ms)
    await_that("every bar is there", lambda: len(written_bars(cluster, "Y_SIM")) >= len(expected), 90)
    assert written_bars(cluster, "Y_SIM") == expected
    cluster.await_ready()
