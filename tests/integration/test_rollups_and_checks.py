"""The warehouse's SQL against the same figures computed with Python's Decimal."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from snowflake_sql import catalog
from streaming import topics, warehouse
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import WarehouseSink
from streaming.records import CleanTrade, encode
from streaming.settings import Settings
from tests import reference_bars
from tests.integration import emulator_process

pytestmark = pytest.mark.stack

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
END = START + timedelta(hours=2)
SPAN = {"from_time": START.replace(tzinfo=None), "to_time": END.replace(tzinfo=None)}
BAR_COLUMNS = (
    "EXCHANGE, PAIR, WINDOW_START, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, VWAP, TRADE_COUNT, "
    "FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, FLAGGED_COUNT, IS_SIMULATED"
)
VARIANCES = "REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL"
ROLLUPS = {
    "MARKET.BARS_1M": ("rollups/bars_1m_recompute", 60),
    "MARKET.BARS_5M": ("rollups/bars_5m_recompute", 300),
    "MARKET.BARS_15M": ("rollups/bars_15m_recompute", 900),
    "MARKET.BARS_1H": ("rollups/bars_1h", 3600),
}
MARKETS = (("OKX_SIM", "BTC-USDT"), ("OKX_SIM", "PEPE-USDT"), ("OKX", "BTC-USDT"))


def make_trades(seed: int) -> list[CleanTrade]:
    """Trades at the edges of the contract: ties in time, tiny and huge figures, several fills a row,
    flags."""
    chance = random.Random(seed)
    trades: list[CleanTrade] = []
    for exchange, pair in MARKETS:
        next_id = chance.randint(1, 10**12)
        times = sorted(chance.randrange(0, 7_200_000) // 500 * 500 for _ in range(400))
        for milliseconds in times:
            count = chance.choice((1, 1, 1, 3))
            price = chance.choice(
                (
                    Decimal(chance.randint(1, 10**18 - 1)).scaleb(-10),
                    Decimal(chance.randint(1, 999)).scaleb(-10),
                    Decimal(chance.randint(60_000_0, 61_000_0)).scaleb(-1),
                )
            )
            size = chance.choice(
                (
                    Decimal(chance.randint(1, 10**12)).scaleb(-8),
                    Decimal(1).scaleb(-8),
                    Decimal(chance.randint(1, 10**19 - 1)).scaleb(-8) if price < 1 else Decimal("0.5"),
                )
            )
            trades.append(
                CleanTrade(
                    exchange=exchange,
                    pair=pair,
                    first_id=next_id,
                    trade_id=next_id + count - 1,
                    count=count,
                    price=format(price, "f"),
                    size=format(size, "f"),
                    side="buy" if chance.random() < 0.6 else "sell",
                    rules="hampel,burst" if chance.random() < 0.08 else "",
                    exchange_time_us=int(START.timestamp() * 1_000_000) + milliseconds * 1000,
                    receive_time_ns=int(START.timestamp()) * 10**9 + milliseconds * 1_000_000,
                    producer_id="p",
                    producer_epoch=1,
                    seq=len(trades) + 1,
                    source="ws",
                    simulated=exchange.endswith("_SIM"),
                )
            )
            next_id += count
    return trades


def expected_bars(trades: Sequence[CleanTrade], seconds: int) -> list[tuple[Any, ...]]:
    """The bars by definition, with exact decimals."""
    groups: dict[tuple[str, str, datetime], list[CleanTrade]] = {}
    for trade in trades:
        start_s = trade.exchange_time_us // 1_000_000 // seconds * seconds
        start = datetime.fromtimestamp(start_s, UTC).replace(tzinfo=None)
        groups.setdefault((trade.exchange, trade.pair, start), []).append(trade)
    bars: list[tuple[Any, ...]] = []
    with localcontext() as context:
        context.prec = 80
        for key, everyone in sorted(groups.items()):
            members = [trade for trade in everyone if not trade.rules]
            if not members:
                continue
            members.sort(key=lambda trade: (trade.exchange_time_us, trade.trade_id))
            prices = [Decimal(trade.price) for trade in members]
            volume = sum((Decimal(trade.size) for trade in members), Decimal(0))
            quote = sum((Decimal(trade.price) * Decimal(trade.size) for trade in members), Decimal(0))
            bars.append(
                (
                    *key,
                    prices[0],
                    max(prices),
                    min(prices),
                    prices[-1],
                    volume,
                    quote,
                    (quote / volume).quantize(Decimal("1e-10"), ROUND_HALF_UP),
                    sum(trade.count for trade in members),
                    min(trade.first_id for trade in everyone),
                    max(trade.trade_id for trade in everyone),
                    sum((Decimal(trade.size) for trade in members if trade.side == "buy"), Decimal(0)),
                    sum((Decimal(trade.size) for trade in members if trade.side == "sell"), Decimal(0)),
                    sum(trade.count for trade in everyone if trade.rules),
                    members[0].simulated,
                )
            )
    return bars


@dataclass(frozen=True)
class Filled:
    """A warehouse with trades in it, and the trades."""

    connection: SnowflakeConnection
    settings: Settings
    trades: list[CleanTrade]

    def run(self, name: str, **params: Any) -> None:
        with warehouse.transaction(self.connection):
            for statement in catalog.statements(name):
                self.connection.cursor().execute(statement, SPAN | params)

    def rows(self, statement: str) -> list[warehouse.Row]:
        return warehouse.rows(self.connection, statement)

    def check(self, name: str) -> list[warehouse.Row]:
        return warehouse.rows(self.connection, catalog.statement(name), SPAN)

    def bars(self, table: str) -> list[warehouse.Row]:
        return self.rows(f"SELECT {BAR_COLUMNS} FROM {table} ORDER BY EXCHANGE, PAIR, WINDOW_START")


def load(settings: Settings, trades: Sequence[CleanTrade], first_offset: int = 0) -> None:
    """Put trades into RAW.TRADES the way the loader does."""
    place = (topics.CLEAN_TRADES, 0)
    sink = WarehouseSink(settings)
    stored = sink.open()
    if place not in stored:
        sink.register({place: 0})
        stored = sink.open()
    messages = [Message(*place, stored[place] + i, encode(trade)) for i, trade in enumerate(trades)]
    sink.write(gather(messages, stored, stored))
    sink.close()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator_process.Emulator]:
    with emulator_process.running(tmp_path_factory.mktemp("rollups")) as started:
        yield started


@pytest.fixture
def filled(emulator: emulator_process.Emulator) -> Iterator[Filled]:
    trades = make_trades(seed=11)
    with warehouse.connect(emulator.settings) as connection:
        for table in ("RAW.TRADES", *ROLLUPS, "OPS.LATE_TRADES", "OPS.LOAD_OFFSETS"):
            connection.cursor().execute(f"DELETE FROM {table}")
        shuffled = list(trades)
        random.Random(3).shuffle(shuffled)
        load(emulator.settings, shuffled)
        yield Filled(connection, emulator.settings, trades)


@pytest.mark.parametrize("table", ROLLUPS)
def test_a_rollup_equals_exact_decimals(filled: Filled, table: str) -> None:
    name, seconds = ROLLUPS[table]
    filled.run(name)
    assert filled.bars(table) == expected_bars(filled.trades, seconds)


@pytest.mark.parametrize("table", ROLLUPS)
def test_the_variances_of_a_rollup_equal_an_independent_computation(filled: Filled, table: str) -> None:
    name, seconds = ROLLUPS[table]
    filled.run(name)
    for exchange in ("OKX", "OKX_SIM"):
        reference = reference_bars.bars(
            (
                reference_bars.ReferenceTrade(
                    t.pair,
                    t.trade_id,
                    t.exchange_time_us // 1000,
                    Decimal(t.price),
                    Decimal(t.size),
                    flagged=bool(t.rules),
                )
                for t in filled.trades
                if t.exchange == exchange
            ),
            seconds * 1000,
        )
        found = filled.rows(
            f"SELECT PAIR, DATE_PART('EPOCH_SECOND', WINDOW_START), {VARIANCES} FROM {table} "
            f"WHERE EXCHANGE = '{exchange}'"
        )
        assert len(found) > 1
        for pair, start_s, *values in found:
            wanted = {n: reference[pair, int(start_s) * 1000][n] for n in reference_bars.VARIANCES}
            row = dict(zip(reference_bars.VARIANCES, values, strict=True))
            assert not reference_bars.differences(row, wanted)


@pytest.mark.parametrize("table", ROLLUPS)
def test_running_a_rollup_again_changes_nothing(filled: Filled, table: str) -> None:
    name, _ = ROLLUPS[table]
    filled.run(name)
    before = filled.rows(f"SELECT * FROM {table} ORDER BY EXCHANGE, PAIR, WINDOW_START")
    filled.run(name)
    assert filled.rows(f"SELECT * FROM {table} ORDER BY EXCHANGE, PAIR, WINDOW_START") == before


def touched(filled: Filled, name: str) -> list[warehouse.Row]:
    """The windows to recompute, of trades loaded at any time."""
    everything = {"from_time": "2000-01-01", "to_time": "2100-01-01", "settling_seconds": 30}
    return warehouse.rows(filled.connection, catalog.statement(name), everything)


@pytest.mark.parametrize("table", ROLLUPS)
def test_a_bar_that_lacks_a_trade_is_touched_even_if_the_trade_was_loaded_before_it(
    filled: Filled, table: str
) -> None:
    rollup, seconds = ROLLUPS[table]
    query = f"queries/touched_bars_{table.rpartition('_')[2].lower()}"
    filled.run(rollup)
    assert touched(filled, query) == []
    exchange, pair, start, *_ = expected_bars(filled.trades, seconds)[0]
    filled.connection.cursor().execute(
        f"UPDATE {table} SET TRADE_COUNT = TRADE_COUNT - 1, LOADED_AT = '2100-01-01' "
        "WHERE EXCHANGE = %(exchange)s AND PAIR = %(pair)s AND WINDOW_START = %(start)s",
        {"exchange": exchange, "pair": pair, "start": start},
    )
    assert touched(filled, query) == [(exchange, pair, start)]
    filled.run(rollup)
    assert touched(filled, query) == []
    assert filled.bars(table) == expected_bars(filled.trades, seconds)


def test_a_minute_of_flagged_trades_keeps_the_prices_that_the_stream_carried_into_it(filled: Filled) -> None:
    first = filled.trades[0]
    start = datetime.fromtimestamp(first.exchange_time_us // 60_000_000 * 60, UTC).replace(tzinfo=None)
    filled.connection.cursor().execute("UPDATE RAW.TRADES SET RULES = 'hampel'")
    filled.connection.cursor().execute(
        "INSERT INTO MARKET.BARS_1M (EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, "
        "VOLUME, "
        "QUOTE_VOLUME, TRADE_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY, LOADED_AT, FLAGGED_COUNT) SELECT "
        "%(exchange)s, %(pair)s, %(start)s, %(start)s, 7, 7, 7, 7, 0, 0, 0, TRUE, 0, 'flink', %(start)s, 0",
        {"exchange": first.exchange, "pair": first.pair, "start": start},
    )
    filled.run("rollups/bars_1m_recompute")
    flagged = sum(
        t.count
        for t in filled.trades
        if (t.exchange, t.pair) == (first.exchange, first.pair)
        and t.exchange_time_us // 60_000_000 == first.exchange_time_us // 60_000_000
    )
    assert filled.rows("SELECT WINDOW_START, CLOSE, FLAGGED_COUNT, COMPUTED_BY FROM MARKET.BARS_1M") == [
        (start, 7, flagged, "rollup")
    ]
    assert filled.check("checks/bars_equal_raw_trades") == []


def test_empty_minutes_show_the_price_before_them(filled: Filled) -> None:
    """Of a pair that sleeps for ten minutes: two of them have a bar of zero trades, the others none."""
    filled.run("rollups/bars_1m_recompute")
    asleep = [START.replace(tzinfo=None) + timedelta(minutes=20 + n) for n in range(10)]
    filled.connection.cursor().execute(
        "DELETE FROM MARKET.BARS_1M WHERE EXCHANGE <> 'OKX' OR WINDOW_START BETWEEN %(first)s AND %(last)s",
        {"first": asleep[0], "last": asleep[-1]},
    )
    for minute in asleep[3:5]:
        filled.connection.cursor().execute(
            "INSERT INTO MARKET.BARS_1M (EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, "
            "CLOSE, VOLUME, "
            "QUOTE_VOLUME, TRADE_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY, LOADED_AT, FLAGGED_COUNT, "
            "SPREAD) "
            "SELECT 'OKX', 'BTC-USDT', %(start)s, %(start)s, 9, 9, 9, 9, 0, 0, 0, FALSE, 0, 'flink', "
            "%(start)s, 2, 0.5",
            {"start": minute},
        )
    minutes = filled.rows(
        "SELECT WINDOW_START, OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADE_COUNT, FLAGGED_COUNT, "
        "SPREAD, IS_EMPTY "
        "FROM MARKET.MINUTES ORDER BY WINDOW_START"
    )
    starts = [row[0] for row in minutes]
    assert starts == [starts[0] + timedelta(minutes=n) for n in range(len(starts))]
    assert starts[-1] == filled.rows("SELECT MAX(WINDOW_START) FROM MARKET.BARS_1M")[0][0]
    before = [row for row in minutes if row[0] < asleep[0] and not row[10]][-1][4]
    assert [row[1:8] for row in minutes if row[0] in asleep] == [(*[before] * 4, 0, None, 0)] * 10
    assert [row[8:] for row in minutes if row[0] in asleep[2:5]] == [
        (0, None, True),
        (2, Decimal("0.5"), True),
        (2, Decimal("0.5"), True),
    ]
    assert (
        sum(not row[10] for row in minutes)
        == filled.rows("SELECT COUNT(*) FROM MARKET.BARS_1M WHERE TRADE_COUNT > 0")[0][0]
    )


def test_a_late_trade_corrects_its_bar_alone_and_raises_its_revision(filled: Filled) -> None:
    filled.run("rollups/bars_1m_recompute")
    last = max((t for t in filled.trades if t.exchange == "OKX"), key=lambda trade: trade.trade_id)
    late = CleanTrade(
        **{
            **{name: getattr(last, name) for name in last.__struct_fields__},
            "first_id": last.trade_id + 1,
            "trade_id": last.trade_id + 1,
            "count": 1,
            "size": "7.5",
            "rules": "",
        }
    )
    load(filled.settings, [late])
    (different,) = filled.check("checks/bars_equal_raw_trades")
    assert different[3] == "different"
    filled.run("rollups/bars_1m_recompute")
    assert filled.check("checks/bars_equal_raw_trades") == []
    assert filled.bars("MARKET.BARS_1M") == expected_bars([*filled.trades, late], 60)
    revised = filled.rows("SELECT WINDOW_START, REVISION, COMPUTED_BY FROM MARKET.BARS_1M WHERE REVISION > 0")
    assert revised == [(different[2], 1, "rollup")]


def test_the_rollup_of_one_hour_leaves_the_others_alone(filled: Filled) -> None:
    filled.run("rollups/bars_1h", to_time=(START + timedelta(hours=1)).replace(tzinfo=None))
    first_hour = [bar for bar in expected_bars(filled.trades, 3600) if bar[2] == START.replace(tzinfo=None)]
    assert filled.bars("MARKET.BARS_1H") == first_hour


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE MARKET.BARS_1M SET VWAP = VWAP + 0.0000000001 WHERE WINDOW_START = %(start)s", "different"),
        ("UPDATE MARKET.BARS_1M SET CLOSE = CLOSE + 1 WHERE WINDOW_START = %(start)s", "different"),
        ("DELETE FROM MARKET.BARS_1M WHERE WINDOW_START = %(start)s", "missing bar"),
        (
            "DELETE FROM RAW.TRADES WHERE DATE_TRUNC('MINUTE', EXCHANGE_TIME) = %(start)s",
            "bar without trades",
        ),
    ],
)
def test_the_bar_check_finds_one_changed_figure(filled: Filled, change: str, problem: str) -> None:
    filled.run("rollups/bars_1m_recompute")
    assert filled.check("checks/bars_equal_raw_trades") == []
    exchange, pair, start, *_ = expected_bars(filled.trades, 60)[5]
    filled.connection.cursor().execute(
        f"{change} AND EXCHANGE = %(exchange)s AND PAIR = %(pair)s",
        {"start": start, "exchange": exchange, "pair": pair},
    )
    found = filled.check("checks/bars_equal_raw_trades")
    assert [row[:4] for row in found] == [(exchange, pair, start, problem)]


def test_the_duplicate_check_finds_a_copied_trade_and_nothing_else(filled: Filled) -> None:
    assert filled.check("checks/no_duplicate_trades") == []
    trade = filled.trades[17]
    filled.connection.cursor().execute(
        "INSERT INTO RAW.TRADES SELECT * FROM RAW.TRADES "
        "WHERE EXCHANGE = %(exchange)s AND PAIR = %(pair)s AND TRADE_ID = %(id)s",
        {"exchange": trade.exchange, "pair": trade.pair, "id": trade.trade_id},
    )
    found = filled.check("checks/no_duplicate_trades")
    assert [row[:4] for row in found] == [(trade.exchange, trade.pair, trade.trade_id, 2)]


def test_the_id_check_finds_every_missing_run(filled: Filled) -> None:
    assert filled.check("checks/contiguous_trade_ids") == []
    gone = filled.trades[20:23] + filled.trades[500:501]
    for trade in gone:
        filled.connection.cursor().execute(
            "DELETE FROM RAW.TRADES WHERE EXCHANGE = %(exchange)s AND PAIR = %(pair)s AND TRADE_ID = %(id)s",
            {"exchange": trade.exchange, "pair": trade.pair, "id": trade.trade_id},
        )
    found = {row[:4] for row in filled.check("checks/contiguous_trade_ids")}
    assert found == {
        (gone[0].exchange, gone[0].pair, gone[0].first_id, gone[2].trade_id),
        (gone[3].exchange, gone[3].pair, gone[3].first_id, gone[3].trade_id),
    }


def test_the_totals_equal_exact_decimals(filled: Filled) -> None:
    expected = []
    with localcontext() as context:
        context.prec = 80
        for market in sorted(MARKETS):
            members = [trade for trade in filled.trades if (trade.exchange, trade.pair) == market]
            expected.append(
                (
                    *market,
                    min(trade.first_id for trade in members),
                    max(trade.trade_id for trade in members),
                    sum(trade.count for trade in members),
                    len(members),
                    sum((Decimal(trade.size) for trade in members), Decimal(0)),
                    sum((Decimal(trade.price) * Decimal(trade.size) for trade in members), Decimal(0)),
                )
            )
    assert [row[:8] for row in filled.check("queries/trade_totals")] == expected


def test_totals_by_minute_add_up_to_the_totals(filled: Filled) -> None:
    by_minute = filled.check("queries/trade_totals_by_minute")
    totals = filled.check("queries/trade_totals")
    for exchange, pair, first_id, last_id, ids, rows, size, *_ in totals:
        minutes = [row for row in by_minute if row[:2] == (exchange, pair)]
        assert min(row[3] for row in minutes) == first_id
        assert max(row[4] for row in minutes) == last_id
        assert sum(row[5] for row in minutes) == ids
        assert sum(row[6] for row in minutes) == rows
        assert sum(row[7] for row in minutes) == size


def test_the_latest_price_is_the_last_trade_of_each_pair(filled: Filled) -> None:
    assert filled.rows("SELECT * FROM MARKET.LATEST_PRICE") == []
    filled.connection.cursor().execute(
        "UPDATE RAW.TRADES SET EXCHANGE_TIME = DATEADD('hour', -1, SYSDATE()) WHERE EXCHANGE = 'OKX'"
    )
    last = max((t for t in filled.trades if t.exchange == "OKX"), key=lambda trade: trade.trade_id)
    assert filled.rows("SELECT PAIR, TRADE_ID, PRICE FROM MARKET.LATEST_PRICE") == [
        (last.pair, last.trade_id, Decimal(last.price))
    ]
