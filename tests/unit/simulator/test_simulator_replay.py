"""Replay: the recording's own ids, times and pace, and clear words about a recording that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_simulator_support import ManualClock

from streaming import settings
from streaming.errors import SettingsError
from streaming.simulator.app import build
from streaming.simulator.market import Market

PAIR = "BTC-USDT"
BEGIN = datetime(2021, 1, 8, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
SHARED = Path(os.environ.get("RECORDED_TRADES", Path(__file__).parents[4] / "shared" / "data"))
TRADES = {
    "timestamp": [BEGIN + timedelta(milliseconds=ms) for ms in (278, 310, 310, 900, 1900)],
    "trade_id": [553287559, 553287560, 553287561, 553287562, 553287563],
    "price": [39432.48, 39439.44, 39439.0, 39431.1, 0.29],
    "quantity": [0.000263, 0.00031099999999999997, 1.0, 0.1 + 0.2, 2e-06],
    "buyer_maker": ["True", "False", "False", "True", "False"],
}
QUOTES = {
    "timestamp": [BEGIN + timedelta(milliseconds=ms) for ms in (300, 800)],
    "symbol": ["BTC/USDT", "BTC/USDT"],
    "ask_size": [0.066851, 0.018027],
    "ask": [39433.62, 39433.6],
    "bid_size": [0.0031, 2.0],
    "bid": [39432.99, 39432.33],
}
# As OKX writes them: two and six decimals at most, no trailing zeros.
EXPECTED = [
    ("553287559", "39432.48", "0.000263", "sell", str(BEGIN_MS + 278)),
    ("553287560", "39439.44", "0.000311", "buy", str(BEGIN_MS + 310)),
    ("553287561", "39439", "1", "buy", str(BEGIN_MS + 310)),
    ("553287562", "39431.1", "0.3", "sell", str(BEGIN_MS + 900)),
    ("553287563", "0.29", "0.000002", "buy", str(BEGIN_MS + 1900)),
]


def write(folder: Path, trades: dict[str, list[Any]], quotes: dict[str, list[Any]] | None) -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(trades), folder / "btcusdt-trades.parquet")
    if quotes is not None:
        pq.write_table(pa.table(quotes), folder / "btcusdt-quotes.parquet")
    return folder


def replay_of(folder: Path, speed: float = 1.0) -> tuple[Market, ManualClock]:
    loaded = settings.load({}, home=folder, sim_mode="replay", sim_recording=folder, sim_speed=speed)
    clock = ManualClock()
    market = build(loaded, clock=clock).market
    market.open(clock.now_us())
    return market, clock


def shown(rows: list[Any]) -> list[tuple[str, ...]]:
    return [(r["tradeId"], r["px"], r["sz"], r["side"], r["ts"]) for r in rows]


def test_a_subscriber_gets_the_whole_recording_exactly_and_then_silence(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    recording = write(tmp_path / "recording", TRADES, QUOTES)
    running = start(sim_mode="replay", sim_recording=recording, sim_speed=10.0)
    public = running.connect("public")
    public.subscribe("tickers", PAIR)
    assert public.drain(0.3) == []
    assert running.get("/truth/summary")["pairs"][PAIR] is None

    client = running.connect("business")
    client.subscribe("trades-all", PAIR)
    assert shown(client.rows(5)) == EXPECTED
    running.until(lambda: running.get("/control/state")["finished"])
    assert client.drain(0.3) == []
    ticker = public.rows(1)[-1]
    assert (ticker["askPx"], ticker["bidSz"]) in [("39433.62", "0.0031"), ("39433.6", "2")]
    rest = running.get("/api/v5/market/history-trades", instId=PAIR)["data"]
    assert shown(rest)[::-1] == EXPECTED


def test_a_late_subscriber_can_get_everything_by_rest(start: Callable[..., Any], tmp_path: Path) -> None:
    recording = write(tmp_path / "recording", TRADES, QUOTES)
    running = start(sim_mode="replay", sim_recording=recording, sim_speed=1000.0)
    running.connect("public").subscribe("trades", PAIR)
    running.until(lambda: running.get("/control/state")["finished"])
    late = running.connect("business")
    late.subscribe("trades-all", PAIR)
    assert shown(late.rows(1)) == EXPECTED[-1:]
    assert shown(running.get("/api/v5/market/trades", instId=PAIR)["data"])[::-1] == EXPECTED


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_the_pace_is_the_original_times_the_speed(tmp_path: Path, speed: float) -> None:
    market, clock = replay_of(write(tmp_path, TRADES, QUOTES), speed)
    tape = market.desks[PAIR].tape
    clock.pass_seconds(100)
    market.advance(clock.now_us())
    assert len(tape) == 0
    assert market.next_due_us() is None
    market.watch(PAIR, clock.now_us())
    counts = []
    for _ in range(20):
        clock.pass_seconds(0.1 / speed)
        market.advance(clock.now_us())
        counts.append(len(tape))
    # The first trade is at 0.278 s of the recording, which begins with it.
    assert counts[:8] == [3, 3, 3, 3, 3, 3, 4, 4]
    assert counts[15:17] == [4, 5]
    assert market.desks[PAIR].source.finished()
    assert market.next_due_us() is None or market.desks[PAIR].changed


def test_a_process_that_slept_goes_on_at_the_original_pace(tmp_path: Path) -> None:
    market, clock = replay_of(write(tmp_path, TRADES, QUOTES))
    market.watch(PAIR, clock.now_us())
    clock.pass_seconds(0.1)
    market.advance(clock.now_us())
    clock.pass_seconds(60)
    market.advance(clock.now_us())
    assert len(market.desks[PAIR].tape) == 3
    for _ in range(3):
        clock.pass_seconds(0.5)
        market.advance(clock.now_us())
    assert len(market.desks[PAIR].tape) == 5


def test_a_trade_can_be_added_after_the_end_but_not_before(start: Callable[..., Any], tmp_path: Path) -> None:
    recording = write(tmp_path / "recording", TRADES, QUOTES)
    running = start(sim_mode="replay", sim_recording=recording, sim_speed=1000.0)
    order = {"pair": PAIR, "price": "39500.5", "size": "0.5", "side": "buy", "time_ms": BEGIN_MS + 120_000}
    assert "has not ended" in running.refused("trade", **order)
    client = running.connect("business")
    client.subscribe("trades-all", PAIR)
    client.rows(5)
    running.control("trade", **order)
    assert shown(client.rows(1)) == [("553287564", "39500.5", "0.5", "buy", str(BEGIN_MS + 120_000))]
    assert "CRYPTO_SIM_SPEED" in running.refused("rate", trades_per_second=10)


def broken(**changes: list[Any]) -> dict[str, list[Any]]:
    return TRADES | changes


@pytest.mark.parametrize(
    ("trades", "said"),
    [
        ({k: v[:0] for k, v in TRADES.items()}, "no rows"),
        ({k: v for k, v in TRADES.items() if k != "buyer_maker"}, "no column buyer_maker"),
        (broken(trade_id=[1, 2, 4, 5, 6]), "trade_id 4 in row 2 is not consecutive"),
        (broken(price=[1.0, float("nan"), 1.0, 1.0, 1.0]), "price is nan in row 1"),
        (broken(quantity=[1.0, 1.0, 1.0, 0.0, 1.0]), "quantity is 0.0 in row 3"),
        (broken(buyer_maker=["True", "yes", "True", "True", "True"]), "buyer_maker is 'yes' in row 1"),
        (broken(timestamp=TRADES["timestamp"][::-1]), "timestamp goes back in row 1"),
        (broken(timestamp=["a", "b", "c", "d", "e"]), "timestamp is 'a' in row 0"),
    ],
)
def test_a_recording_that_cannot_be_replayed_is_refused_by_name(
    tmp_path: Path, trades: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(SettingsError, match="CRYPTO_SIM_RECORDING") as caught:
        replay_of(write(tmp_path, trades, QUOTES))
    assert said in str(caught.value)
    assert "btcusdt-trades.parquet" in str(caught.value)


def test_a_folder_without_files_a_missing_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CRYPTO_SIM_RECORDING.*no recording.*btcusdt-trades\.parquet"):
        replay_of(tmp_path)
    with pytest.raises(SettingsError, match=r"btcusdt-quotes\.parquet.*no such file"):
        replay_of(write(tmp_path, TRADES, None))
    (tmp_path / "btcusdt-trades.parquet").write_bytes(b"not parquet")
    with pytest.raises(SettingsError, match=r"CRYPTO_SIM_RECORDING.*not readable as Parquet"):
        replay_of(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded trades in {SHARED}; set RECORDED_TRADES")
def test_the_recorded_market_data_replays_to_the_last_trade() -> None:
    market, clock = replay_of(SHARED, speed=100.0)
    market.watch(PAIR, clock.now_us())
    while not market.desks[PAIR].source.finished():
        clock.pass_seconds(0.01)
        market.advance(clock.now_us())
    tape = market.desks[PAIR].tape
    table = pq.read_table(SHARED / "btcusdt-trades.parquet").to_pydict()
    totals = tape.totals()
    assert totals is not None
    assert (totals.count, totals.first_id, totals.last_id) == (2001, 553287559, 553289559)
    fills = list(tape.span(totals.first_id, totals.last_id))
    assert [f.price for f in fills] == [round(price * 100) for price in table["price"]]
    assert [f.size for f in fills] == [round(size * 1_000_000) for size in table["quantity"]]
    assert [f.sell for f in fills] == [maker == "True" for maker in table["buyer_maker"]]
    assert [f.time_ms for f in fills] == [round(t.timestamp() * 1000) for t in table["timestamp"]]
