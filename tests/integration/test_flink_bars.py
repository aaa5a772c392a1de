"""Bars of every length, quote bars and late trades on real Kafka and Flink, against `tests.reference_bars`.

The input is written into the clean topics with the times of an afternoon long ago, so nothing waits for a
real hour. Every partition's times only grow, as they do in life: what a test adds must be later than all
before it.
"""

from __future__ import annotations

import itertools
import time

import httpx
import msgspec
import pytest

from streaming import topics
from streaming.records import FormingBar, LateTrade, Ticker, Trade
from streaming.simulator.instruments import instrument_of
from tests import reference_bars
from tests.integration import flink_market
from tests.integration.flink_cluster import FlinkCluster, await_that, trade
from tests.integration.flink_market import WINDOWS, Market, assert_equal, flagged, ticker, written
from tests.integration.platform_process import RECORDING

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("jobs_and_their_input"),
]

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
NOON_MS = (time.time_ns() // 1_000_000 // HOUR_MS - 6) * HOUR_MS
END_MS = NOON_MS + 2 * HOUR_MS
"""The input ends here; a last trade and quote on every partition close the hours before it."""
PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")


def afternoon() -> Market:
    """A busy pair, a quiet one, one that sleeps for ten minutes, one with odd quotes and flagged trades."""
    found = Market("M_SIM")
    for pair, seed, blocks, start_ms, gap_ms in (
        ("BTC-USDT", 5, 6, NOON_MS + 1_234, 1_300),
        ("ETH-USDT", 6, 1, NOON_MS + 5_000, 700),
        ("SOL-USDT", 7, 1, NOON_MS + MINUTE_MS, 400),
        ("SOL-USDT", 8, 1, NOON_MS + 16 * MINUTE_MS, 400),
    ):
        part = flink_market.generated("M_SIM", instrument_of(pair), seed, blocks, start_ms, gap_ms)
        shift = 10_000 * seed
        found.trades += [
            msgspec.structs.replace(t, first_id=t.first_id + shift, trade_id=t.trade_id + shift)
            for t in part.trades
        ]
        found.tickers += part.tickers
    for number, minute in enumerate((31, 47, 48)):  # quiet, and across the end of a quarter of an hour
        found.trades.append(
            trade("M_SIM", "ETH-USDT", 900_000_000 + number, NOON_MS + minute * MINUTE_MS, "1999.5")
        )
    found.trades[::50] = [flagged(t, "price_spike,wide_spread") for t in found.trades[::50]]
    found.trades += odd_trades()
    found.tickers += odd_quotes()
    return found


def odd_trades() -> list[Trade]:
    """Of BNB-USDT: ids against time, fills that count seven, a minute with flagged trades only, then rest."""
    same_time = [trade("M_SIM", "BNB-USDT", n, NOON_MS + 9_000, str(n), "0.1") for n in (12, 11, 13)]
    many = msgspec.structs.replace(
        trade("M_SIM", "BNB-USDT", 107, NOON_MS + 10_000, "99"), first_id=101, count=7
    )
    spikes = [
        flagged(trade("M_SIM", "BNB-USDT", 200 + n, NOON_MS + MINUTE_MS + n * 1000, "5000"), "hampel")
        for n in (1, 2)
    ]
    early = flagged(trade("M_SIM", "XRP-USDT", 1, NOON_MS + 1000, "7"), "hampel")
    return [
        *same_time,
        many,
        *spikes,
        early,
        trade("M_SIM", "XRP-USDT", 2, NOON_MS + 11 * MINUTE_MS + 1, "0.5"),
    ]


def odd_quotes() -> list[Ticker]:
    """Of BNB-USDT: crossed, locked, one-sided, empty, several in a millisecond, and one that holds for
    minutes."""
    start_us = (NOON_MS + 8_000) * 1000
    prices: list[tuple[int, str | None, str | None]] = [
        (0, "99.5", "100.5"),
        (250_000, "101", "100"),
        (900_400, "100", "100"),
        (900_300, "98", "100"),
        (1_100_000, None, "100.25"),
        (1_300_000, "100.1", "100.3"),
        (2_999_999, "0", "100.3"),
        (3_000_000, "100.1234567891", "100.1234567893"),
        (61_500_000, None, None),
        (62_000_000, "33.3333333333", "66.6666666667"),
        (400_000_000, "100.1", "100.2"),
    ]
    return [
        ticker("M_SIM", "BNB-USDT", start_us + offset, seq, bid, ask)
        for seq, (offset, bid, ask) in enumerate(prices, start=1)
    ]


MARKET = afternoon()
RECORDED = flink_market.recorded("REC_SIM") if (RECORDING / "btcusdt-trades.parquet").exists() else None


def put_input(cluster: FlinkCluster) -> None:
    """Write the input, for jobs that start after it."""
    for market in (RECORDED, MARKET):
        if market is not None:
            trades, tickers = market.shuffled(seed=3)
            cluster.produce(topics.CLEAN_TRADES, cluster.trades(trades))
            cluster.produce(topics.CLEAN_TICKERS, cluster.tickers(tickers))
    close(cluster, END_MS)


def close(cluster: FlinkCluster, at_ms: int) -> None:
    """Move the watermark of every partition to `at_ms`."""
    last = [trade("END_SIM", pair, at_ms, at_ms + 1500) for pair in PAIRS]
    cluster.produce(topics.CLEAN_TRADES, cluster.trades(last))
    quotes = [ticker("END_SIM", pair, (at_ms + 1500) * 1000, at_ms, "1", "2") for pair in PAIRS]
    cluster.produce(topics.CLEAN_TICKERS, cluster.tickers(quotes))


@pytest.mark.parametrize("topic", WINDOWS)
def test_every_field_of_every_bar_equals_an_independent_computation(
    cluster: FlinkCluster, topic: str
) -> None:
    wanted = MARKET.bars(topic, END_MS)
    await_that("every bar is there", lambda: len(written(cluster, topic, "M_SIM", END_MS)) >= len(wanted))
    assert_equal(written(cluster, topic, "M_SIM", END_MS), wanted)


@pytest.mark.skipif(RECORDED is None, reason=f"no recorded trades in {RECORDING}; set RECORDED_TRADES")
@pytest.mark.parametrize("topic", WINDOWS)
def test_bars_of_the_recorded_trades_equal_an_independent_computation(
    cluster: FlinkCluster, topic: str
) -> None:
    assert RECORDED is not None
    wanted = RECORDED.bars(topic, END_MS)
    assert len(wanted) == 1
    await_that("the bar is there", lambda: bool(written(cluster, topic, "REC_SIM", END_MS)))
    assert_equal(written(cluster, topic, "REC_SIM", END_MS), wanted)


def test_the_afternoon_has_what_it_is_meant_to_have() -> None:
    """Otherwise the comparison above would prove less than it says."""
    minutes = MARKET.bars(topics.BARS_1M, END_MS)
    sol = sorted(start for pair, start in minutes if pair == "SOL-USDT")
    assert max(b - a for a, b in itertools.pairwise(sol)) > 10 * MINUTE_MS
    flagged_only = minutes["BNB-USDT", NOON_MS + MINUTE_MS]
    assert (flagged_only["trade_count"], flagged_only["flagged_count"]) == (0, 2)
    assert flagged_only["open"] == minutes["BNB-USDT", NOON_MS]["close"]
    quiet = minutes["BNB-USDT", NOON_MS + 6 * MINUTE_MS]
    assert (quiet["trade_count"], quiet["vwap"], quiet["spread"] is None) == (0, None, False)
    assert ("XRP-USDT", NOON_MS) not in minutes
    assert any(bar["spread"] is None and bar["trade_count"] for bar in minutes.values())


def test_quote_bars_equal_an_independent_computation(cluster: FlinkCluster) -> None:
    wanted = reference_bars.quote_bars(MARKET.reference_quotes())
    topic = topics.QUOTE_BARS_1S
    await_that("every bar is there", lambda: len(written(cluster, topic, "M_SIM", END_MS)) >= len(wanted))
    assert_equal(written(cluster, topic, "M_SIM", END_MS), wanted)


def test_the_last_forming_bar_of_a_minute_is_the_minute_so_far(cluster: FlinkCluster) -> None:
    found = [msgspec.convert(value, FormingBar) for _, value in cluster.read(topics.BARS_FORMING)]
    once = Market("M_SIM")
    once.trades = MARKET.trades
    minutes = once.bars(topics.BARS_1M, END_MS)
    last = {
        (bar.pair, bar.window_start_ms): bar
        for bar in sorted(found, key=lambda b: b.as_of_ms)
        if bar.exchange == "M_SIM"
    }
    traded = {key for key, bar in minutes.items() if bar["trade_count"]}
    assert set(last) == traded
    for key, bar in last.items():
        assert bar.as_of_ms <= bar.window_end_ms == bar.window_start_ms + MINUTE_MS
        for name in ("open", "high", "low", "close"):
            assert reference_bars.Decimal(getattr(bar, name)) == minutes[key][name]
    steps = [bar.as_of_ms for bar in found if (bar.pair, bar.window_start_ms) == ("BTC-USDT", NOON_MS)]
    usable = [t for t in MARKET.trades if t.pair == "BTC-USDT" and not getattr(t, "rules", "")]
    first_ms = min(t.exchange_time_us for t in usable) // 1000
    assert steps == list(range(first_ms // 1000 * 1000 + 1000, NOON_MS + MINUTE_MS + 1, 1000))


def test_a_trade_that_fills_a_gap_late_is_routed_and_its_closed_bars_stay(cluster: FlinkCluster) -> None:
    late = trade("M_SIM", "BTC-USDT", 42, NOON_MS + 7 * MINUTE_MS + 30_000, "123")
    before = written(cluster, topics.BARS_1M, "M_SIM", END_MS)
    cluster.produce(topics.CLEAN_TRADES, cluster.trades([late]))

    def routed() -> list[tuple[int, LateTrade]]:
        found = [(p, msgspec.convert(value, LateTrade)) for p, value in cluster.read(topics.LATE_TRADES)]
        return [(p, one) for p, one in found if one.exchange == "M_SIM"]

    await_that("the late trade is routed", lambda: bool(routed()))
    assert routed() == [(0, msgspec.convert(msgspec.structs.asdict(late), LateTrade))]
    assert written(cluster, topics.BARS_1M, "M_SIM", END_MS) == before


def test_the_reduction_from_tickers_to_quote_bars_is_published(cluster: FlinkCluster) -> None:
    port = cluster.environment["CRYPTO_METRICS_PORT"]

    def published() -> dict[str, float]:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines)
            if name.startswith("crypto_flink_quote_")
        }

    names = {
        (kind, way): f'crypto_flink_quote_{kind}{{direction="{way}"}}'
        for kind in ("records", "bytes")
        for way in ("in", "out")
    }
    await_that("Flink has counted", lambda: names["bytes", "in"] in published())
    before = published()

    def since(kind: str, way: str) -> float:
        return published().get(names[kind, way], 0) - before.get(names[kind, way], 0)

    quotes = [ticker("R_SIM", "BTC-USDT", END_MS * 1000 + n, n, "1", "2") for n in range(500)]
    messages = cluster.tickers(quotes)
    cluster.produce(topics.TICKERS, messages)
    await_that("every ticker is counted", lambda: since("records", "in") >= len(quotes))
    assert since("records", "in") == len(quotes)
    await_that("their bytes are counted", lambda: since("bytes", "in") >= sum(len(m[2]) for m in messages))
    await_that("quote bars are counted", lambda: published().get(names["records", "out"], 0) > 0)
    assert published()[names["records", "out"]] <= len(cluster.read(topics.QUOTE_BARS_1S))
    # What is sent is compressed: 80 bytes a bar have been seen.
    assert published()[names["bytes", "out"]] > 10 * published()[names["records", "out"]]
