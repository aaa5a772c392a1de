"""The two jobs on real Kafka and Flink: what they write, and that a dead TaskManager changes none of it.

The bars are compared with `tests.reference_bars`, which shares nothing with the SQL.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
import pytest
import structlog

from streaming import records, topics
from streaming.flink.jobs import BARS, TICK, Job
from streaming.flink.rest import FlinkRest
from streaming.records import DeadLetter, Ticker, Trade
from tests.integration.flink_cluster import FlinkCluster, await_that, trade
from tests.integration.flink_market import Key, Market, assert_equal, written
from tests.reference_bars import MINUTE_MS

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("jobs_and_their_input"),
]


def put_input(cluster: FlinkCluster) -> None:
    """Write the input, for jobs that start after it."""
    cluster.produce(topics.TRADES, cluster.trades(WAITING) + BROKEN)
    cluster.produce(topics.TICKERS, [(1, b"", records.encode(TICKER))] * 2)


def shuffled(exchange: str, pair: str, count: int, start_ms: int, step_ms: int, seed: int) -> list[Trade]:
    """Trades with awkward decimals, each up to 0.8 s out of order, and a third of them twice.

    They are said to be filled in by REST, which the anomaly rules do not judge: such prices are no market.
    """
    chance = random.Random(seed)
    ordered = [
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
    found = [msgspec.structs.replace(one, source="rest") for one in ordered]
    copies = [t for t in found if chance.random() < 0.33]
    return sorted([*found, *copies], key=lambda t: t.exchange_time_us + chance.randint(0, 800_000))


BASE_MS = (time.time_ns() // 1_000_000 // MINUTE_MS - 20) * MINUTE_MS
BUSY = shuffled("X_SIM", "BTC-USDT", 500, BASE_MS + 7, 411, 1) + shuffled(
    "X_SIM", "ETH-USDT", 300, BASE_MS, 700, 2
)
QUIET = [trade("X_SIM", "SOL-USDT", 5, BASE_MS + 500)]
SAME_TIME = [trade("X_SIM", "BNB-USDT", n, BASE_MS + 9_000, str(n)) for n in (12, 11, 13)]
MANY_FILLS = [msgspec.structs.replace(trade("X_SIM", "XRP-USDT", 107, BASE_MS + 1), first_id=101, count=7)]
ACTIVE = ("BTC-USDT", "ETH-USDT")
CLOSING = [trade("X_SIM", pair, 9999, BASE_MS + 10 * MINUTE_MS) for pair in ACTIVE]
LATER_ID = 10_000
WAITING = BUSY + QUIET + SAME_TIME + MANY_FILLS + CLOSING
X_MARKET = Market("X_SIM")
X_MARKET.trades = list({(t.pair, t.trade_id): t for t in WAITING}.values())

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
    exchange_time_us=(BASE_MS + 10 * MINUTE_MS) * 1000,
    receive_time_ns=time.time_ns(),
    producer_id="test",
    producer_epoch=1,
    seq=1,
    source="ws",
    simulated=True,
)
X_MARKET.tickers = [TICKER]


def clean_trades(cluster: FlinkCluster) -> list[tuple[int, Trade]]:
    """What the tick job has made of this module's input, with the partition."""
    found = [(p, msgspec.convert(value, Trade)) for p, value in cluster.read(topics.CLEAN_TRADES)]
    return [(p, t) for p, t in found if t.exchange == "X_SIM" and t.trade_id < LATER_ID]


def test_bars_equal_an_independent_computation(cluster: FlinkCluster) -> None:
    end_ms = BASE_MS + 10 * MINUTE_MS
    ids = count(LATER_ID)

    def later_trades_close_every_minute() -> bool:
        """A watermark passes idle partitions only while another one ticks."""
        n = next(ids)
        at_ms = end_ms + n - LATER_ID
        cluster.produce(topics.TRADES, cluster.trades([trade("X_SIM", p, n, at_ms) for p in ACTIVE]))
        return len(found()) >= len(wanted)

    wanted = X_MARKET.bars(topics.BARS_1M, end_ms)

    def found() -> dict[Key, dict[str, Any]]:
        return written(cluster, topics.BARS_1M, "X_SIM", end_ms)

    await_that("every bar is there", later_trades_close_every_minute)
    assert_equal(found(), wanted)
    fills = found()["XRP-USDT", BASE_MS]
    assert (fills["trade_count"], fills["first_trade_id"], fills["last_trade_id"]) == (7, 101, 107)


def test_clean_trades_keep_text_and_partition_and_stand_there_once(cluster: FlinkCluster) -> None:
    expected = {(t.pair, t.trade_id): t for t in WAITING}
    await_that("every trade is there", lambda: len(clean_trades(cluster)) >= len(expected))
    found = clean_trades(cluster)
    assert len(found) == len(expected)
    for partition, t in found:
        assert partition == cluster.settings.partitions[t.pair]
        assert t == expected[t.pair, t.trade_id]


def test_a_pairs_clean_trades_keep_the_order_of_arrival(cluster: FlinkCluster) -> None:
    found = [
        value["trade_id"]
        for _, value in cluster.read(topics.CLEAN_TRADES)
        if (value["exchange"], value["pair"]) == ("X_SIM", "BTC-USDT")
    ]
    arrived = list(dict.fromkeys(t.trade_id for t in WAITING if t.pair == "BTC-USDT"))
    assert found[: len(arrived)] == arrived


def test_a_ticker_with_missing_values_passes_once(cluster: FlinkCluster) -> None:
    def clean() -> list[tuple[int, Ticker]]:
        found = [(p, msgspec.convert(value, Ticker)) for p, value in cluster.read(topics.CLEAN_TICKERS)]
        return [(p, one) for p, one in found if one.exchange == "X_SIM"]

    await_that("the ticker is there", lambda: bool(clean()))
    assert clean() == [(1, TICKER)]


def test_dropped_copies_are_counted(cluster: FlinkCluster) -> None:
    """In a block of ids and over its end, at once and later."""
    trades = [trade("COPIES_SIM", "ETH-USDT", n, BASE_MS) for n in (14, 15, 16, 15, 14, 16, 16)]
    quotes = [msgspec.structs.replace(TICKER, exchange="COPIES_SIM")] * 3
    with FlinkRest(cluster.settings.flink_url) as flink:
        (job,) = flink.running(TICK.name)
        before = flink.duplicates(job.id)
        cluster.produce(topics.TRADES, cluster.trades(trades))
        cluster.produce(topics.TICKERS, cluster.tickers(quotes))
        await_that("copies are counted", lambda: flink.duplicates(job.id) - before >= 4 + 2)
        assert flink.duplicates(job.id) - before == 4 + 2
    passed = [t["trade_id"] for _, t in cluster.read(topics.CLEAN_TRADES) if t["exchange"] == "COPIES_SIM"]
    assert passed == [14, 15, 16]


def test_operators_share_tasks_but_not_that_of_a_source_that_passes_over_errors(
    cluster: FlinkCluster,
) -> None:
    def tasks(job: Job) -> list[str]:
        with cluster.rest as rest:
            (running,) = rest.running(job.name)
            return [vertex.name for vertex in rest.job(running.id).vertices]

    (trades,) = [name for name in tasks(BARS) if "Source: clean_messages" in name]
    assert "WindowAggregate" in trades
    assert not any(name.startswith("WindowAggregate") for job in (TICK, BARS) for name in tasks(job))
    sources = [name for name in tasks(TICK) if "Source: " in name]
    assert len(sources) == 3
    assert not any("Aggregate" in name for name in sources)


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


@dataclass
class Recovery:
    """Watches one job from a kill until every task of it runs again."""

    cluster: FlinkCluster
    job: Job
    killed_s: float = 0.0
    down: bool = False
    recovered_s: float | None = None

    def begin(self) -> None:
        self.killed_s, self.down, self.recovered_s = time.monotonic(), False, None

    def look(self) -> None:
        with self.cluster.rest as rest:
            running = rest.running(self.job.name)
        all_run = bool(running) and running[0].all_tasks_run
        self.down = self.down or not all_run
        if self.down and all_run and self.recovered_s is None:
            self.recovered_s = time.monotonic() - self.killed_s


def test_bars_are_exact_when_taskmanager_jobmanager_and_both_are_killed_within_a_minute(
    cluster: FlinkCluster,
) -> None:
    """Five minutes of exchange time in one; each process is back two seconds after its kill, as the
    supervisor has it.

    The TaskManager that is killed first runs the bars, and the job is back within twenty seconds. The jobs
    die with their JobManager, and the service brings them back from their checkpoints.
    """
    start_ms = BASE_MS + 11 * MINUTE_MS
    market = Market("Y_SIM")
    tape = [
        shuffled("Y_SIM", pair, 3000, start_ms, 100, seed)
        for seed, pair in enumerate(("BTC-USDT", "ETH-USDT"))
    ]
    market.trades = list({(t.pair, t.trade_id): t for part in tape for t in part}.values())
    recovery = Recovery(cluster, BARS)
    taskmanager = cluster.taskmanager_of(BARS)
    other = 1 - taskmanager
    actions = {
        100: lambda: (cluster.kill(f"taskmanager-{taskmanager}"), recovery.begin()),
        120: lambda: cluster.start_taskmanager(taskmanager),
        300: lambda: cluster.kill("jobmanager"),
        320: lambda: cluster.start_jobmanager(),
        480: lambda: (cluster.kill("jobmanager"), cluster.kill(f"taskmanager-{other}")),
        500: lambda: (cluster.start_jobmanager(), cluster.start_taskmanager(other)),
    }
    loss_seen = False
    for tick in range(600):
        if tick in actions:
            actions[tick]()
        if 100 < tick < 300 and tick % 5 == 0:
            recovery.look()
        if tick > 300 and tick % 5 == 0 and not loss_seen:
            loss_seen = cluster.readiness().get("ready") is False
        slices = [t[len(t) * tick // 600 : len(t) * (tick + 1) // 600] for t in tape]
        cluster.produce(topics.TRADES, cluster.trades([t for part in slices for t in part]))
        time.sleep(0.1)
    assert recovery.recovered_s is not None
    structlog.get_logger().info("bars job ran again after its TaskManager", seconds=recovery.recovered_s)
    assert recovery.recovered_s < 20
    assert loss_seen
    cluster.await_ready()
    with cluster.rest as rest:
        (running,) = rest.running(BARS.name)
        restored = rest.checkpoints(running.id).latest.restored
    assert restored is not None
    assert "/chk-" in str(restored.path)
    end_ms = start_ms + 6 * MINUTE_MS
    cluster.produce(
        topics.TRADES,
        cluster.trades([trade("Y_SIM", pair, 9999, end_ms) for pair in ("BTC-USDT", "ETH-USDT")]),
    )
    wanted = market.bars(topics.BARS_1M, end_ms)

    def found() -> dict[Key, dict[str, Any]]:
        return written(cluster, topics.BARS_1M, "Y_SIM", end_ms)

    await_that("every bar is there", lambda: len(found()) >= len(wanted))
    assert_equal(found(), wanted)
