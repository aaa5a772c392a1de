"""The whole line on real parts, started by the command a person types: exchange to warehouse, exactly.

The bars and the tape in the warehouse are compared with what the exchange really traded, by code that shares
nothing with the pipeline (`tests.reference_bars`). The recorded trades go the whole line in `make test-long`;
`make test` sends them through Kafka and Flink (`test_flink_bars`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest

from infra.local import orphans
from infra.local.ports import is_open
from tests import monitoring_names
from tests.integration.platform_process import RECORDING, Platform, prepare
from tests.reference_bars import MINUTE_MS, Bar, ReferenceTrade, bars

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")
BAR_COLUMNS = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "vwap",
    "trade_count",
    "first_trade_id",
    "last_trade_id",
    "buy_volume",
    "sell_volume",
    "flagged_count",
)
GENERATED_SECONDS = 60
GENERATED_RATE = 200
RESIDENT_LIMIT_MB = 6 * 1024


def stored_trades(platform: Platform) -> list[ReferenceTrade]:
    rows = platform.rows(
        "SELECT PAIR, TRADE_ID, EXCHANGE_TIME, PRICE, SIZE, SIDE FROM RAW.TRADES ORDER BY PAIR, TRADE_ID"
    )
    return [
        ReferenceTrade(pair, int(trade_id), _milliseconds(when), price.normalize(), size.normalize(), side)
        for pair, trade_id, when, price, size, side in rows
    ]


def flagged_in(platform: Platform, trades: list[ReferenceTrade]) -> list[ReferenceTrade]:
    """The trades, each with whether an anomaly rule flagged it; all else stays as it was given."""
    rows = platform.rows("SELECT PAIR, TRADE_ID FROM RAW.TRADES WHERE COALESCE(RULES, '') <> ''")
    flagged = {(pair, int(trade_id)) for pair, trade_id in rows}
    return [replace(trade, flagged=(trade.pair, trade.trade_id) in flagged) for trade in trades]


def bars_with_trades(platform: Platform, trades: list[ReferenceTrade]) -> dict[tuple[str, int], Bar]:
    found = bars(flagged_in(platform, trades))
    return {key: bar for key, bar in found.items() if bar["trade_count"]}


def _milliseconds(when: Any) -> int:
    return int(pd.Timestamp(when, tz="UTC").value // 1_000_000)


def stored_bars(platform: Platform) -> dict[tuple[str, int], dict[str, Any]]:
    columns = ", ".join(name.upper() for name in BAR_COLUMNS)
    rows = platform.rows(f"SELECT PAIR, WINDOW_START, {columns} FROM MARKET.BARS_1M WHERE TRADE_COUNT > 0")
    found = {(row[0], _milliseconds(row[1])): dict(zip(BAR_COLUMNS, row[2:], strict=True)) for row in rows}
    assert len(found) == len(rows), "a bar stands twice"
    return found


def recorded_trades() -> list[ReferenceTrade]:
    frame = pd.read_parquet(RECORDING / "btcusdt-trades.parquet")
    return [
        ReferenceTrade(
            "BTC-USDT",
            int(row.trade_id),
            int(row.timestamp.value // 1_000_000),
            Decimal(f"{row.price:.2f}").normalize(),
            Decimal(f"{row.quantity:.6f}").normalize(),
            "sell" if str(row.buyer_maker) == "True" else "buy",
        )
        for row in frame.itertuples()
    ]


def true_trades(platform: Platform, pair: str) -> list[ReferenceTrade]:
    trades: list[ReferenceTrade] = []
    from_id: int | None = None
    while True:
        page = platform.truth(
            "trades", pair=pair, limit=10_000, **({} if from_id is None else {"from_id": from_id})
        )
        trades += [
            ReferenceTrade(
                pair,
                t["id"],
                t["time_ms"],
                Decimal(t["price"]).normalize(),
                Decimal(t["size"]).normalize(),
                t["side"],
            )
            for t in page["trades"]
        ]
        from_id = page["next_from_id"]
        if from_id is None:
            return trades


def assert_bars_equal(
    stored: dict[tuple[str, int], dict[str, Any]], wanted: dict[tuple[str, int], Any]
) -> None:
    """Every wanted bar is there, and each of its fields is the same number."""
    for key, bar in wanted.items():
        assert key in stored, f"no bar {key}; there are {sorted(stored)}"
        assert {name: stored[key][name] for name in BAR_COLUMNS} == {
            name: bar[name] for name in BAR_COLUMNS
        }, key


def assert_that_down_leaves_no_process_and_no_port(platform: Platform) -> None:
    ports = platform.settings.ports
    assert is_open(ports.kafka[0])
    result = platform.down()
    assert result.returncode == 0, result.stderr
    assert orphans.find(platform.home) == []
    assert not any(
        map(
            is_open,
            (*ports.kafka, ports.flink_rest, ports.emulator, ports.dagster, ports.simulator, ports.dashboard),
        )
    )
    assert "Nothing was running" in platform.down().stdout


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    if not (RECORDING / "btcusdt-trades.parquet").exists():
        pytest.skip(f"no recorded trades in {RECORDING}; set RECORDED_TRADES to their folder")
    platform = prepare(
        tmp_path_factory.mktemp("replay") / "home",
        1_300,
        CRYPTO_PAIRS="BTC-USDT",
        CRYPTO_SIM_MODE="replay",
        CRYPTO_SIM_RECORDING=str(RECORDING),
        CRYPTO_SIM_SPEED="10",
    )
    try:
        platform.up()
        yield platform
        assert_that_down_leaves_no_process_and_no_port(platform)
    finally:
        platform.down()


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = prepare(
        tmp_path_factory.mktemp("generate") / "home",
        2_100,
        CRYPTO_SIM_SEED="11",
        CRYPTO_SIM_TRADES_PER_SECOND=str(GENERATED_RATE),
        CRYPTO_KAFKA_PROMETHEUS="true",
    )
    try:
        platform.up()
        yield platform
        assert_that_down_leaves_no_process_and_no_port(platform)
    finally:
        platform.down()


@pytest.mark.long
def test_recorded_trades_arrive_once_and_their_bars_equal_pandas(replayed: Platform) -> None:
    recorded = recorded_trades()
    first, last = recorded[0].trade_id, recorded[-1].trade_id

    def loaded() -> int:
        return int(replayed.rows("SELECT COUNT(*) FROM RAW.TRADES")[0][0])

    replayed.await_that("all recorded trades are in RAW.TRADES", lambda: loaded() >= len(recorded))
    # a bar closes when the exchange's time passes its end, so one more trade two minutes later is needed
    later = recorded[-1].time_ms + 2 * MINUTE_MS
    replayed.control("trade", pair="BTC-USDT", price="40000", size="0.01", side="buy", time_ms=later)
    wanted = bars_with_trades(replayed, recorded)
    replayed.await_that("all bars are in MARKET.BARS_1M", lambda: len(stored_bars(replayed)) >= len(wanted))

    stored = [trade for trade in stored_trades(replayed) if trade.trade_id <= last]
    assert stored == recorded
    assert (len(stored), stored[0].trade_id, stored[-1].trade_id) == (2001, first, last)
    assert_bars_equal(stored_bars(replayed), wanted)
    assert {key for key in stored_bars(replayed) if key[1] < later - later % MINUTE_MS} == set(wanted)


def test_a_minute_of_generated_trades_equals_the_exchange_s_truth(generated: Platform) -> None:
    generated.await_that(
        "trades of every pair are in RAW.TRADES",
        lambda: {t.pair for t in stored_trades(generated)} == set(PAIRS),
    )
    begun_ms = max(min(t.time_ms for t in stored_trades(generated) if t.pair == pair) for pair in PAIRS)
    # whole minutes only: the last bar is there when the exchange's time has passed its end
    end_ms = begun_ms + GENERATED_SECONDS * 1000
    end_ms += -end_ms % MINUTE_MS

    def exchange_time_ms() -> int:
        return min(s["max_time_ms"] for s in generated.truth("summary")["pairs"].values())

    generated.await_that(
        "the exchange's last minute has ended",
        lambda: exchange_time_ms() > end_ms,
        timeout_s=2 * GENERATED_SECONDS + 180,
    )
    truth = {pair: [t for t in true_trades(generated, pair) if t.time_ms < end_ms] for pair in sorted(PAIRS)}

    def loaded() -> list[ReferenceTrade]:
        return [t for t in stored_trades(generated) if t.trade_id <= truth[t.pair][-1].trade_id]

    first = {pair: min(t.trade_id for t in loaded() if t.pair == pair) for pair in PAIRS}
    wanted = [t for pair in truth for t in truth[pair] if t.trade_id >= first[pair]]
    generated.await_that("every true trade is in RAW.TRADES", lambda: len(loaded()) >= len(wanted))
    assert loaded() == wanted
    assert len(wanted) > GENERATED_SECONDS * GENERATED_RATE * 0.9

    wanted_bars = bars_with_trades(generated, wanted)
    generated.await_that(
        "all bars are in MARKET.BARS_1M", lambda: set(wanted_bars) <= set(stored_bars(generated))
    )
    assert_bars_equal(stored_bars(generated), wanted_bars)


def test_status_is_healthy_and_says_degraded_while_the_loader_is_stopped(generated: Platform) -> None:
    def healthy() -> bool:
        return generated.json("status")[0] == 0

    generated.await_that("status is healthy", healthy)
    _, status = generated.json("status")
    assert status["degraded"] is False
    assert {service["state"] for service in status["services"]} == {"RUNNING"}
    assert {pair for pair, age in status["last_tick_age_s"].items() if age < 15} == set(PAIRS)
    assert status["simulated"] is True
    assert 0 < status["rss_mb"] < RESIDENT_LIMIT_MB

    assert generated.command("stop", "loader").returncode == 0
    try:
        code, status = generated.json("status")
        assert code == 1
        assert any("loader" in problem for problem in status["problems"])
    finally:
        assert generated.command("restart", "loader").returncode == 0
    generated.await_that("status is healthy again", healthy)


def test_the_audit_is_clean_and_finds_exactly_the_row_that_was_deleted(generated: Platform) -> None:
    code, audit = generated.json("audit", "--wait", "120", timeout_s=240)
    assert (code, audit["clean"]) == (0, True), audit
    assert {pair["pair"] for pair in audit["pairs"]} == set(PAIRS)
    assert all(pair["expected"] > 0 for pair in audit["pairs"])

    (row,) = generated.rows(
        "SELECT TRADE_ID FROM RAW.TRADES WHERE PAIR = 'ETH-USDT' ORDER BY TRADE_ID LIMIT 1 OFFSET 100"
    )
    victim = int(row[0])
    generated.rows(
        "CREATE TABLE RAW.KEPT AS SELECT * FROM RAW.TRADES WHERE PAIR = 'ETH-USDT' AND TRADE_ID = %(id)s",
        {"id": victim},
    )
    generated.rows("DELETE FROM RAW.TRADES WHERE PAIR = 'ETH-USDT' AND TRADE_ID = %(id)s", {"id": victim})
    try:
        code, audit = generated.json("audit", "--wait", "2", timeout_s=240)
        assert code == 1
        lost = {pair["pair"]: pair["lost_ranges"] for pair in audit["pairs"] if pair["lost"]}
        assert lost == {"ETH-USDT": [[victim, victim]]}
        assert [pair["duplicated"] for pair in audit["pairs"]] == [0] * len(PAIRS)
    finally:
        generated.rows("INSERT INTO RAW.TRADES SELECT * FROM RAW.KEPT")
        generated.rows("DROP TABLE RAW.KEPT")
    code, audit = generated.json("audit", "--wait", "120", timeout_s=240)
    assert (code, audit["clean"]) == (0, True), audit


def test_a_second_up_shows_what_runs_and_changes_nothing(generated: Platform) -> None:
    before = {s["name"]: s["pid"] for s in generated.json("status")[1]["services"]}
    result = generated.command("up", "--detach")
    assert result.returncode == 0
    assert "already" in result.stdout or "running" in result.stdout
    assert {s["name"]: s["pid"] for s in generated.json("status")[1]["services"]} == before


def test_every_metric_that_rules_and_dashboards_name_is_served(generated: Platform) -> None:
    """All but Flink's own: its reporter listens on all interfaces (`test_flink_metrics.py`)."""
    jobs = [job for job in monitoring_names.targets(generated.settings.ports) if job != "flink"]
    served = set().union(*monitoring_names.scraped(generated.settings.ports, jobs).values())
    missing = {
        where: names - served - monitoring_names.OF_PROMETHEUS_ITSELF
        for where, text in monitoring_names.expressions().items()
        if (names := {n for n in monitoring_names.names_in(text) if not n.startswith("flink_")})
    }
    assert {where: names for where, names in missing.items() if names} == {}


def test_the_dashboard_shows_what_the_platform_does(generated: Platform) -> None:
    base = f"http://127.0.0.1:{generated.settings.ports.dashboard}"

    def picture() -> Any:
        return httpx.get(f"{base}/api/v1/pipeline", timeout=10).json()

    generated.await_that("every stage is shown", lambda: all(s["last_ms"] for s in picture()["stages"]))
    generated.await_that(
        "both jobs have checkpoints",
        lambda: all(job["running"] and job["checkpoint_age_s"] is not None for job in picture()["jobs"]),
    )
    shown = picture()
    assert {service["state"] for service in shown["services"]} == {"RUNNING"}
    assert (shown["problems"], shown["gaps"].get("open", 0)) == ([], 0)
    markets = httpx.get(f"{base}/api/v1/markets", timeout=10).json()
    assert {market["pair"] for market in markets["markets"]} == set(PAIRS)
    assert all(market["simulated"] for market in markets["markets"])
    stored = generated.rows(
        "SELECT WINDOW_START, OPEN, HIGH, LOW, CLOSE, VOLUME FROM MARKET.BARS_1M WHERE PAIR = 'BTC-USDT'"
    )
    params = {"exchange": "OKX_SIM", "pair": "BTC-USDT"}
    answered = httpx.get(f"{base}/api/v1/candles", params=params, timeout=10).json()["candles"]
    closed = {c["start_ms"]: c for c in answered if c["closed"]}
    names = ("open", "high", "low", "close", "volume")
    assert stored
    for start, *values in stored:
        candle = closed[_milliseconds(start)]
        assert [Decimal(candle[name]) for name in names] == values


def test_every_port_of_the_stack_listens_on_loopback_alone(generated: Platform) -> None:
    addresses = {
        connection.laddr.ip
        for process in orphans.find(generated.home)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
