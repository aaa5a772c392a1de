"""Daily rollups and views against the same figures computed by pandas from the trades and quotes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from snowflake.connector import SnowflakeConnection

from snowflake_sql import catalog
from streaming import topics, warehouse
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import WarehouseSink
from streaming.records import CleanTrade, QuoteBar, encode
from tests.integration import emulator_process

pytestmark = pytest.mark.stack

DAYS = 2
MARKETS = (
    ("OKX_SIM", "BTC-USDT", 61_000.0),
    ("OKX_SIM", "ETH-USDT", 2_500.0),
    ("KRAKEN_SIM", "BTC-USDT", 61_010.0),
    ("BYBIT_SIM", "BTC-USDT", 60_990.0),
    ("OKX", "BTC-USDT", 61_005.0),
)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
FIRST = TODAY - timedelta(days=1)
"""Yesterday and today, so that the views of the last day have something to show."""
SPAN = {
    "from_time": FIRST.replace(tzinfo=None),
    "to_time": (FIRST + timedelta(days=DAYS)).replace(tzinfo=None),
}
DAILY = [rollup for rollup in catalog.ROLLUPS if rollup.partition == catalog.DAY]


@dataclass(frozen=True)
class Market:
    """A warehouse with two days in it, and what was put there, as frames."""

    connection: SnowflakeConnection
    trades: pd.DataFrame
    quotes: pd.DataFrame

    def run(self, name: str, **params: Any) -> None:
        with warehouse.transaction(self.connection):
            for statement in catalog.statements(name):
                self.connection.cursor().execute(statement, SPAN | params)

    def frame(self, statement: str) -> pd.DataFrame:
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def make() -> tuple[list[CleanTrade], list[QuoteBar]]:
    """Some trades a market and day, with holes between the ids of one, and quotes of some seconds."""
    chance = random.Random(11)
    trades: list[CleanTrade] = []
    quotes: list[QuoteBar] = []
    for exchange, pair, level in MARKETS:
        next_id, price = 1_000, level
        seconds = sorted(chance.sample(range(0, DAYS * 86_400, 20), 1_500))
        for second in seconds:
            price *= math.exp(chance.gauss(0, 0.0004))
            count = chance.choice((1, 1, 2))
            time_us = int(FIRST.timestamp() + second) * 1_000_000 + chance.randrange(1_000_000)
            trades.append(
                CleanTrade(
                    exchange=exchange,
                    pair=pair,
                    first_id=next_id,
                    trade_id=next_id + count - 1,
                    count=count,
                    price=f"{price:.2f}",
                    size=f"{chance.uniform(0.001, 2):.6f}",
                    side=chance.choice(("buy", "sell")),
                    rules="price_spike" if chance.random() < 0.03 else "",
                    exchange_time_us=time_us,
                    receive_time_ns=time_us * 1000 + chance.randrange(5_000_000, 90_000_000),
                    producer_id="p",
                    producer_epoch=1,
                    seq=len(trades) + 1,
                    source="ws" if chance.random() < 0.95 else "rest",
                    simulated=exchange.endswith("_SIM"),
                )
            )
            next_id += count + (3 if exchange == "KRAKEN_SIM" and chance.random() < 0.01 else 0)
        for second in chance.sample(range(DAYS * 86_400), 400):
            start_ms = int(FIRST.timestamp() + second) * 1000
            spread = round(chance.uniform(0.1, 3), 4)
            quotes.append(
                QuoteBar(
                    exchange=exchange,
                    pair=pair,
                    window_start_ms=start_ms,
                    window_end_ms=start_ms + 1000,
                    **{f"{side}_{at}": f"{level}" for side in ("bid", "ask") for at in ("open", "high")},
                    **{f"{side}_{at}": f"{level}" for side in ("bid", "ask") for at in ("low", "close")},
                    spread=f"{spread}",
                    spread_bp=f"{spread / level * 10_000:.10f}",
                    quoted_ms=chance.choice((1000, 700, 12)),
                    quote_count=3,
                    simulated=exchange.endswith("_SIM"),
                )
            )
    return trades, quotes


def frame_of(records: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([{name: getattr(r, name) for name in r.__struct_fields__} for r in records])


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    trades, quotes = make()
    messages = [Message(topics.CLEAN_TRADES, 0, i, encode(trade)) for i, trade in enumerate(trades)]
    messages += [Message(topics.QUOTE_BARS_1S, 0, i, encode(quote)) for i, quote in enumerate(quotes)]
    start = {(topics.CLEAN_TRADES, 0): 0, (topics.QUOTE_BARS_1S, 0): 0}
    with emulator_process.running(tmp_path_factory.mktemp("daily")) as emulator:
        sink = WarehouseSink(emulator.settings)
        sink.open()
        sink.register(start)
        sink.open()
        sink.write(gather(messages, start, start))
        sink.close()
        frame = frame_of(trades)
        frame["price"] = frame["price"].map(Decimal)
        frame["size"] = frame["size"].map(Decimal)
        frame["at"] = pd.to_datetime(frame["exchange_time_us"], unit="us")
        asked = frame_of(quotes)
        asked["at"] = pd.to_datetime(asked["window_start_ms"], unit="ms")
        with warehouse.connect(emulator.settings) as connection:
            filled = Market(connection, frame, asked)
            filled.run("rollups/bars_1m_recompute")
            for rollup in (*DAILY, *(r for r in catalog.ROLLUPS if r.name == "rollups/latencies")):
                filled.run(rollup.name)
            yield filled


def usable(market: Market) -> pd.DataFrame:
    return market.trades[market.trades["rules"] == ""].sort_values(["exchange", "pair", "at", "trade_id"])


def minute_closes(market: Market) -> pd.DataFrame:
    """Open, high, low and close of each traded minute, from the trades."""
    trades = usable(market).copy()
    trades["minute"] = trades["at"].dt.floor("min")
    trades["value"] = trades["price"].astype(float)
    bars = trades.groupby(["exchange", "pair", "minute"])["value"].agg(["first", "max", "min", "last"])
    return bars.reset_index()


def close(found: Any, wanted: Any) -> bool:
    return math.isclose(float(found), float(wanted), rel_tol=1e-9, abs_tol=1e-12)


def test_daily_statistics_equal_pandas(market: Market) -> None:
    found = market.frame("SELECT * FROM MARKET.DAILY_STATISTICS").set_index(
        ["EXCHANGE", "PAIR", "WINDOW_START"]
    )
    bars = minute_closes(market)
    bars["day"] = bars["minute"].dt.floor("D")
    assert len(found) == len(MARKETS) * DAYS
    for (exchange, pair, day), minutes in bars.groupby(["exchange", "pair", "day"]):
        row = found.loc[exchange, pair, day]
        path = np.array([minutes["first"].iloc[0], *minutes["last"]])
        realized = math.sqrt(float(np.sum(np.diff(np.log(path)) ** 2)))
        parkinson = math.sqrt(float((np.log(minutes["max"] / minutes["min"]) ** 2).sum() / (4 * math.log(2))))
        assert close(row["REALIZED_VOLATILITY"], realized)
        assert close(row["ANNUAL_VOLATILITY"], realized * math.sqrt(365))
        assert close(row["PARKINSON_VOLATILITY"], parkinson)
        assert (row["MINUTES_TRADED"], close(row["COMPLETENESS"], len(minutes) / 1440)) == (
            len(minutes),
            True,
        )

        here = (market.trades["exchange"] == exchange) & (market.trades["pair"] == pair)
        everyone = market.trades[here & (market.trades["at"].dt.floor("D") == day)]
        kept = everyone[everyone["rules"] == ""]
        assert row["VOLUME"] == sum(kept["size"])
        assert row["QUOTE_VOLUME"] == sum(kept["price"] * kept["size"])
        assert row["BUY_VOLUME"] == sum(kept["size"][kept["side"] == "buy"])
        assert row["TRADE_COUNT"] == kept["count"].sum()
        assert row["IDS_STORED"] == everyone["count"].sum()
        spanned = everyone["trade_id"].max() - everyone["first_id"].min() + 1
        missing = None if exchange == "BYBIT_SIM" else spanned - everyone["count"].sum()
        assert (None if pd.isna(row["IDS_MISSING"]) else row["IDS_MISSING"]) == missing

        asked = market.quotes[
            (market.quotes["exchange"] == exchange)
            & (market.quotes["pair"] == pair)
            & (market.quotes["at"].dt.floor("D") == day)
        ]
        spreads, held = asked["spread_bp"].astype(float), asked["quoted_ms"]
        assert close(row["SPREAD_BP_MEAN"], (spreads * held).sum() / held.sum())
        for name, share in (("P05", 0.05), ("P50", 0.5), ("P95", 0.95), ("P99", 0.99)):
            assert close(row[f"SPREAD_BP_{name}"], np.percentile(spreads, 100 * share))
        assert row["QUOTED_MS"] == held.sum()
        assert bool(row["IS_SIMULATED"]) == exchange.endswith("_SIM")
    assert (found.loc["KRAKEN_SIM"]["IDS_MISSING"] > 0).any()


def test_volume_profiles_hold_every_trade_in_its_bucket(market: Market) -> None:
    found = market.frame("SELECT * FROM MARKET.VOLUME_PROFILES ORDER BY EXCHANGE, PAIR, WINDOW_START, BUCKET")
    trades = usable(market)
    assert len(found) == len(MARKETS) * DAYS * 20
    for (exchange, pair, day), rows in found.groupby(["EXCHANGE", "PAIR", "WINDOW_START"]):
        mine = trades[
            (trades["exchange"] == exchange) & (trades["pair"] == pair) & (trades["at"].dt.floor("D") == day)
        ]
        low, high = min(mine["price"]), max(mine["price"])
        bucket = pd.Series([min(int(20 * (p - low) // (high - low)), 19) for p in mine["price"]], mine.index)
        # The highest price is at the end of the last bucket, which includes it.
        bucket = bucket.where(mine["price"] < high, 19)
        for _, row in rows.iterrows():
            inside = mine[bucket == row["BUCKET"]]
            assert row["VOLUME"] == sum(inside["size"], Decimal(0))
            assert row["BUY_VOLUME"] == sum(inside["size"][inside["side"] == "buy"], Decimal(0))
            assert row["TRADE_COUNT"] == inside["count"].sum()
            assert row["PRICE_FROM"] == low + (high - low) * int(row["BUCKET"]) / 20
        assert sum(rows["VOLUME"]) == sum(mine["size"])


def returns(market: Market) -> pd.DataFrame:
    """Log returns of minutes that follow each other within a day."""
    bars = minute_closes(market).sort_values(["exchange", "pair", "minute"])
    before = bars.groupby(["exchange", "pair"])[["minute", "last"]].shift()
    bars["return"] = np.log(bars["last"] / before["last"])
    follows = (bars["minute"] - before["minute"]) == pd.Timedelta(minutes=1)
    same_day = bars["minute"].dt.floor("D") == before["minute"].dt.floor("D")
    return bars[follows & same_day]


def test_correlations_equal_pandas(market: Market) -> None:
    found = market.frame("SELECT * FROM MARKET.CORRELATIONS")
    assert set(zip(found["EXCHANGE"], found["PAIR_A"], found["PAIR_B"], strict=True)) == {
        ("OKX_SIM", "BTC-USDT", "ETH-USDT")
    }
    wide = (
        returns(market).query("exchange == 'OKX_SIM'").pivot(index="minute", columns="pair", values="return")
    )
    wide = wide.dropna()
    for _, row in found.iterrows():
        day = wide[wide.index.floor("D") == row["WINDOW_START"]]
        assert row["OBSERVATIONS"] == len(day) > 20
        assert close(row["CORRELATION"], day["BTC-USDT"].corr(day["ETH-USDT"]))


def test_exchange_spreads_equal_pandas_and_never_mix_simulated_and_real(market: Market) -> None:
    found = market.frame("SELECT * FROM MARKET.EXCHANGE_SPREADS")
    assert len(found) == 3 * DAYS
    assert "OKX" not in set(found["EXCHANGE_A"]) | set(found["EXCHANGE_B"])
    wide = (
        minute_closes(market)
        .query("pair == 'BTC-USDT'")
        .pivot(index="minute", columns="exchange", values="last")
    )
    for _, row in found.iterrows():
        both = wide[[row["EXCHANGE_A"], row["EXCHANGE_B"]]].dropna()
        both = both[both.index.floor("D") == row["WINDOW_START"]]
        a, b = both[row["EXCHANGE_A"]], both[row["EXCHANGE_B"]]
        distance = 10_000 * (a - b) / ((a + b) / 2)
        assert row["MINUTES"] == len(both)
        assert close(row["MEAN_BP"], distance.mean())
        assert close(row["MEAN_ABS_BP"], distance.abs().mean())
        assert close(row["MOST_ABS_BP"], distance.abs().max())


def test_latencies_equal_pandas(market: Market) -> None:
    found = market.frame("SELECT * FROM OPS.LATENCIES WHERE STAGE = 'exchange_to_producer'")
    live = market.trades[market.trades["source"] == "ws"].copy()
    live["ms"] = (live["receive_time_ns"] // 1000 - live["exchange_time_us"]) / 1000
    live["hour"] = live["at"].dt.floor("h")
    groups = live.groupby(["exchange", "pair", "hour"])["ms"]
    assert len(found) == len(groups)
    for _, row in found.iterrows():
        times = groups.get_group((row["EXCHANGE"], row["PAIR"], row["WINDOW_START"]))
        assert row["TRADE_ROWS"] == len(times)
        for name, wanted in (("P50", 50), ("P95", 95), ("P99", 99), ("MOST", 100)):
            assert close(row[f"{name}_MS"], np.percentile(times, wanted))
    stages = market.frame("SELECT STAGE, COUNT(*) AS N FROM OPS.LATENCIES GROUP BY STAGE")
    assert set(stages["N"]) == {len(groups)}


def test_daily_bars_add_up_to_the_minutes(market: Market) -> None:
    exact = "CAST(SUM(CAST({0} AS NUMBER(38, 18))) AS NUMBER(38, 18))"
    sums = f"{exact.format('VOLUME')}, {exact.format('QUOTE_VOLUME')}, SUM(TRADE_COUNT), MAX(HIGH), MIN(LOW)"
    by_day, by_minute = (
        warehouse.rows(
            market.connection,
            f"SELECT EXCHANGE, PAIR, {sums} FROM MARKET.BARS_{n} GROUP BY 1, 2 ORDER BY 1, 2",
        )
        for n in ("1D", "1M")
    )
    assert by_day == by_minute
    assert len(market.frame("SELECT * FROM MARKET.BARS WHERE INTERVAL_NAME = '1d'")) == len(MARKETS) * DAYS


@pytest.mark.parametrize("rollup", catalog.ROLLUPS, ids=lambda rollup: rollup.table)
def test_running_a_rollup_again_changes_nothing(market: Market, rollup: catalog.Rollup) -> None:
    market.run(rollup.name)
    everything = f"SELECT * FROM {rollup.table} ORDER BY 1, 2, 3, 4, 5"
    before = warehouse.rows(market.connection, everything)
    assert before
    market.run(rollup.name)
    assert warehouse.rows(market.connection, everything) == before


def test_a_rollup_of_one_day_corrects_that_day_and_counts_the_revision(market: Market) -> None:
    cursor = market.connection.cursor()
    cursor.execute("UPDATE MARKET.DAILY_STATISTICS SET REALIZED_VOLATILITY = 9, VOLUME = 1")
    market.run("rollups/daily_statistics", to_time=TODAY.replace(tzinfo=None))
    corrected = f"WINDOW_START < '{TODAY:%Y-%m-%d}'"
    found = warehouse.rows(
        market.connection,
        f"SELECT {corrected}, REVISION, COUNT(*), MAX(REALIZED_VOLATILITY) < 9 FROM MARKET.DAILY_STATISTICS "
        "GROUP BY 1, 2 ORDER BY 1",
    )
    assert found == [(False, 0, len(MARKETS), False), (True, 1, len(MARKETS), True)]
    market.run("rollups/daily_statistics")


def test_pruned_trades_leave_the_completeness_that_was_counted(market: Market) -> None:
    counted = (
        "SELECT EXCHANGE, PAIR, WINDOW_START, IDS_STORED, IDS_MISSING FROM MARKET.DAILY_STATISTICS "
        "ORDER BY 1, 2, 3"
    )
    before = warehouse.rows(market.connection, counted)
    cursor = market.connection.cursor()
    cursor.execute("BEGIN")
    try:
        cursor.execute(
            "DELETE FROM RAW.TRADES WHERE EXCHANGE_TIME < %(today)s", {"today": TODAY.replace(tzinfo=None)}
        )
        cursor.execute(catalog.statement("rollups/daily_statistics"), SPAN)
        assert warehouse.rows(market.connection, counted) == before
    finally:
        cursor.execute("ROLLBACK")


class TestViews:
    """What analysts and the dashboard query; of the last day."""

    def last_day(self, market: Market) -> pd.DataFrame:
        bars = minute_closes(market)
        since = pd.Timestamp(datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1))
        return bars[bars["minute"] >= since]

    def test_top_movers_are_ranked_by_how_far_they_went(self, market: Market) -> None:
        found = market.frame("SELECT * FROM MARKET.TOP_MOVERS")
        assert len(found) == len(MARKETS)
        bars = self.last_day(market)
        for _, row in found.iterrows():
            mine = bars[(bars["exchange"] == row["EXCHANGE"]) & (bars["pair"] == row["PAIR"])]
            change = 100 * (mine["last"].iloc[-1] / mine["first"].iloc[0] - 1)
            assert math.isclose(row["CHANGE_PERCENT"], change, rel_tol=1e-9, abs_tol=1e-9)
        ranked = found[found["EXCHANGE"] == "OKX_SIM"].sort_values("PLACE")
        assert list(ranked["PLACE"]) == [1, 2]
        assert ranked["CHANGE_PERCENT"].abs().is_monotonic_decreasing

    def test_volatility_sums_the_variances_of_up_to_sixty_minutes(self, market: Market) -> None:
        bars = market.frame(
            "SELECT * FROM MARKET.BARS_1M WHERE EXCHANGE = 'OKX_SIM' AND PAIR = 'BTC-USDT' "
            "AND TRADE_COUNT > 0 ORDER BY WINDOW_START"
        )
        found = market.frame(
            "SELECT * FROM MARKET.VOLATILITY WHERE EXCHANGE = 'OKX_SIM' AND PAIR = 'BTC-USDT' "
            "ORDER BY WINDOW_START"
        )
        assert len(found) == len(bars) > 100
        summed = bars["REALIZED_VARIANCE"].rolling(60, min_periods=1).sum()
        assert np.allclose(found["REALIZED_VOLATILITY"], np.sqrt(summed.clip(lower=0)), rtol=1e-6, atol=1e-9)
        assert list(found["MINUTES"][:3]) == [1, 2, 3]
        annual = found["REALIZED_VOLATILITY"] ** 2 * 525_600 / found["MINUTES"]
        assert np.allclose(found["ANNUAL_VOLATILITY"] ** 2, annual)

    def test_spreads_are_of_minutes_with_a_quote(self, market: Market) -> None:
        market.connection.cursor().execute(
            "UPDATE MARKET.BARS_1M SET SPREAD = 0.5, SPREAD_BP = 2, QUOTED_MS = 60000 "
            "WHERE EXCHANGE = 'OKX' AND WINDOW_START = (SELECT MIN(WINDOW_START) FROM MARKET.BARS_1M "
            "WHERE EXCHANGE = 'OKX')"
        )
        found = market.frame("SELECT * FROM MARKET.SPREADS")
        assert list(found["SPREAD_BP"]) == [2]

    def test_the_correlation_of_the_last_day_is_of_minutes_that_follow_each_other(
        self, market: Market
    ) -> None:
        (row,) = market.frame("SELECT * FROM MARKET.CORRELATION_24H").to_dict("records")
        assert (row["EXCHANGE"], row["PAIR_A"], row["PAIR_B"]) == ("OKX_SIM", "BTC-USDT", "ETH-USDT")
        assert row["OBSERVATIONS"] > 20
        assert -1 <= row["CORRELATION"] <= 1

    @pytest.mark.parametrize("seconds", [420, 14_400])
    def test_bars_of_any_interval_add_up_from_minutes(self, market: Market, seconds: int) -> None:
        cursor = market.connection.cursor()
        cursor.execute(catalog.statement("queries/bars_of_any_interval"), SPAN | {"window_seconds": seconds})
        found = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
        trades = usable(market).copy()
        trades["slice"] = pd.to_datetime(
            trades["exchange_time_us"] // 1_000_000 // seconds * seconds, unit="s"
        )
        groups = trades.groupby(["exchange", "pair", "slice"])
        assert len(found) == len(groups)
        for _, row in found.iterrows():
            mine = groups.get_group((row["EXCHANGE"], row["PAIR"], row["WINDOW_START"]))
            assert (row["OPEN"], row["CLOSE"]) == (mine["price"].iloc[0], mine["price"].iloc[-1])
            assert (row["HIGH"], row["LOW"]) == (max(mine["price"]), min(mine["price"]))
            assert row["VOLUME"] == sum(mine["size"])
            vwap = sum(mine["price"] * mine["size"]) / sum(mine["size"])
            assert abs(row["VWAP"] - vwap) < Decimal("0.00001")
