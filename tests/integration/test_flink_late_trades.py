"""Trades that reach the bars job long after they were made, on real Kafka and Flink: none may be missing
from its bar without being named as late.

The input has the times of the minutes before now: later than those of the modules before this one, because a
watermark does not go back.
"""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import httpx
import pytest

from streaming import topics
from streaming.flink import rendering
from streaming.flink.jobs import BARS, TICK
from streaming.records import Ticker, Trade
from tests.integration.flink_cluster import FlinkCluster, await_that, trade
from tests.integration.flink_market import Key, Market, assert_equal, ticker, written

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

PAIRS = ("BTC-USDT", "ETH-USDT")
STEP_MS = 2_000
TRADES_A_MINUTE = 30
IDLE_MS = 1_000 * int(rendering.IDLE_TIMEOUT.removesuffix(" s"))


@pytest.fixture(autouse=True)
def _service(cluster: FlinkCluster) -> None:
    cluster.ensure_jobs()


def minutes_ago(minutes: int) -> int:
    """The beginning of a minute, in ms."""
    return (time.time_ns() // 60_000_000_000 - minutes) * 60_000


def trades_of(exchange: str, pair: str, start_ms: int, numbers: range) -> list[Trade]:
    """The pair's trades with these ids, two seconds apart."""
    return [trade(exchange, pair, n, start_ms + n * STEP_MS) for n in numbers]


def quotes_of(exchange: str, pair: str, times_ms: range) -> list[Ticker]:
    """A quote of the pair at each of the times."""
    return [ticker(exchange, pair, t * 1000, t, "99", "101") for t in times_ms]


def of_exchange(cluster: FlinkCluster, topic: str, exchange: str) -> list[dict[str, Any]]:
    return [value for _, value in cluster.read(topic) if value["exchange"] == exchange]


def test_trades_that_fall_behind_the_quotes_are_in_their_bar_or_named_as_late(cluster: FlinkCluster) -> None:
    """As when trades are held up for longer than a partition may be silent, and quotes are not."""
    exchange, minute_ms, first = "BEHIND_SIM", minutes_ago(3), 9

    def bars() -> list[dict[str, Any]]:
        found = of_exchange(cluster, topics.BARS_1M, exchange)
        return [bar for bar in found if bar["window_start_ms"] == minute_ms]

    def late() -> list[tuple[str, int]]:
        return sorted((t["pair"], t["trade_id"]) for t in of_exchange(cluster, topics.LATE_TRADES, exchange))

    def put(numbers: range, times_ms: range) -> None:
        for pair in PAIRS:
            tickers = quotes_of(exchange, pair, times_ms)
            trades = trades_of(exchange, pair, minute_ms, numbers)
            cluster.produce(topics.CLEAN_TICKERS, cluster.tickers(tickers))
            cluster.produce(topics.CLEAN_TRADES, cluster.trades(trades))

    put(range(first), range(minute_ms, minute_ms + 20_000, 1_000))
    times = count(minute_ms + 61_000)

    def quotes_close_the_minute() -> bool:
        at_ms = next(times)
        put(range(0), range(at_ms, at_ms + 1))
        return len(bars()) == len(PAIRS)

    await_that("the minute is closed", quotes_close_the_minute)
    put(range(first, TRADES_A_MINUTE), range(0))
    rest = [(pair, n) for pair in PAIRS for n in range(first, TRADES_A_MINUTE)]
    await_that("the rest is late", lambda: late() == rest)
    assert [bar["trade_count"] for bar in bars()] == [first, first]


def silent_ms(cluster: FlinkCluster) -> float:
    """For how long the bars job has read nothing."""
    with cluster.rest as rest:
        (job,) = rest.running(BARS.name)
        (source,) = [vertex for vertex in rest.job(job.id).vertices if "Source: " in vertex.name]
    path = f"{cluster.settings.flink_url}/jobs/{job.id}/vertices/{source.id}/subtasks/metrics"
    (name,) = [m["id"] for m in httpx.get(path).json() if m["id"].endswith(".sourceIdleTime")]
    return float(httpx.get(path, params={"get": name, "agg": "max"}).json()[0]["max"])


def test_bars_are_whole_after_the_ticks_were_away_for_longer_than_a_partition_may_be_silent(
    cluster: FlinkCluster,
) -> None:
    """And although one pair's trades are through long before those of the other."""
    exchange, minute_ms = "AWAY_SIM", minutes_ago(1)
    end_ms = minute_ms + 60_000
    market = Market(exchange)
    for pair in PAIRS:
        market.trades += trades_of(exchange, pair, minute_ms, range(TRADES_A_MINUTE))
        market.tickers += quotes_of(exchange, pair, range(minute_ms, end_ms, 1_000))
    wanted = market.bars(topics.BARS_1M, end_ms)

    def put(trades: list[Trade], tickers: list[Ticker]) -> None:
        cluster.produce(topics.TICKERS, cluster.tickers(tickers))
        cluster.produce(topics.TRADES, cluster.trades(trades))

    def rest_of(pair: str) -> tuple[list[Trade], list[Ticker]]:
        """Those of the pair that are not there yet, and what closes the minute."""
        trades = [t for t in market.trades[20:] if t.pair == pair]
        tickers = [t for t in market.tickers[40:] if t.pair == pair]
        return (
            [*trades, *trades_of(exchange, pair, minute_ms, range(35, 36))],
            [*tickers, *quotes_of(exchange, pair, range(end_ms + 10_000, end_ms + 10_001))],
        )

    market.trades.sort(key=lambda t: t.exchange_time_us)
    market.tickers.sort(key=lambda t: t.exchange_time_us)
    put(market.trades[:20], market.tickers[:40])

    def forming() -> set[str]:
        return {bar["pair"] for bar in of_exchange(cluster, topics.BARS_FORMING, exchange)}

    await_that("the bars job holds the first trades", lambda: forming() == set(PAIRS))
    cluster.kill("flink-jobs")
    with cluster.rest as rest:
        (ticks,) = rest.running(TICK.name)
        rest.cancel(ticks.id)
    busy, held_up = PAIRS
    put(*rest_of(busy))
    await_that("partitions count as silent", lambda: silent_ms(cluster) > IDLE_MS + 1_000)
    cluster.start_jobs()
    await_that(
        "one pair is through",
        lambda: any(t["trade_id"] == 35 for t in of_exchange(cluster, topics.CLEAN_TRADES, exchange)),
    )
    put(*rest_of(held_up))

    def found() -> dict[Key, dict[str, Any]]:
        return written(cluster, topics.BARS_1M, exchange, end_ms)

    await_that("the minute is closed", lambda: len(found()) == len(wanted))
    assert_equal(found(), wanted)
    assert of_exchange(cluster, topics.LATE_TRADES, exchange) == []
