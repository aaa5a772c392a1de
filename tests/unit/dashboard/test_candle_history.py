"""Candles of two sources, the cache between them and the warehouse, and files."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import sqlglot

from crypto_platform.dashboard import export, history
from crypto_platform.dashboard.candles import joined, series
from crypto_platform.dashboard.history import CHUNK_BARS, History, query
from crypto_platform.dashboard.state import MarketState
from crypto_platform.dashboard.views import Candle, closed_candle
from streaming import settings as settings_module
from streaming.errors import ServiceUnavailableError
from tests.unit.dashboard.market_records import MINUTE, NOON_MS, bar, forming
from tests.unit.dashboard.test_market_state import told

STEP_MS = CHUNK_BARS * MINUTE
BEGIN = NOON_MS // STEP_MS * STEP_MS


def candle(start_ms: int = NOON_MS, **changes: Any) -> Candle:
    return msgspec.structs.replace(closed_candle(bar(start_ms), "1m"), **changes)


@pytest.mark.parametrize(
    ("stored", "live", "close"),
    [
        pytest.param([], [candle(close="1")], "1", id="only in Kafka"),
        pytest.param([candle(close="2")], [], "2", id="only in the warehouse"),
        pytest.param([candle(close="2", revision=1)], [candle(close="1")], "2", id="recomputed"),
        pytest.param([candle(close="2")], [candle(close="9", closed=False)], "2", id="formed before"),
    ],
)
def test_a_window_shows_the_bar_that_counts(stored: list[Candle], live: list[Candle], close: str) -> None:
    (only,) = joined(stored, live)
    assert only.close == close


def test_both_sources_are_joined_by_time() -> None:
    found = joined([candle(NOON_MS), candle(NOON_MS + MINUTE)], [candle(NOON_MS + 2 * MINUTE, closed=False)])
    assert [(c.start_ms - NOON_MS) // MINUTE for c in found] == [0, 1, 2]


class CountedHistory(History):
    """The cache over rows that a test gives, in place of a statement."""

    def __init__(self, tmp_path: Path) -> None:
        self.now_s = NOON_MS / 1000
        self.asked: list[tuple[int, int]] = []
        self.broken = False
        super().__init__(settings_module.load({}, home=tmp_path, port_offset=29_000), lambda: self.now_s)

    def _ask(self, exchange: str, pair: str, interval: str, begin_ms: int, end_ms: int) -> list[Any]:
        if self.broken:
            raise ServiceUnavailableError("away")
        self.asked.append((begin_ms, end_ms))
        starts = range(begin_ms, end_ms, MINUTE)
        return [row(datetime(1970, 1, 1) + timedelta(milliseconds=start)) for start in starts]  # noqa: DTZ001


def row(start: datetime) -> tuple[Any, ...]:
    price = Decimal("100.500000000000000000")
    end = start + timedelta(minutes=1)
    return (
        start,
        end,
        *(price,) * 4,
        Decimal(2),
        Decimal(201),
        None,
        3,
        None,
        None,
        None,
        None,
        None,
        True,
        0,
    )


def test_a_range_that_was_read_is_not_asked_for_again(tmp_path: Path) -> None:
    cached = CountedHistory(tmp_path)
    found = cached.candles("E", "P", "1m", BEGIN + MINUTE, BEGIN + 4 * MINUTE)
    assert [c.start_ms - BEGIN for c in found] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert (found[0].open, found[0].vwap, found[0].volatility_bp) == ("100.5", None, None)
    cached.candles("E", "P", "1m", BEGIN, BEGIN + STEP_MS)
    assert cached.asked == [(BEGIN, BEGIN + STEP_MS)]


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    cached = CountedHistory(tmp_path)
    cached.candles("E", "P", "1m", BEGIN, BEGIN + STEP_MS)
    cached.candles("E", "P", "1m", BEGIN - 2 * STEP_MS, BEGIN + STEP_MS)
    assert cached.asked[1] == (BEGIN - 2 * STEP_MS, BEGIN)


def test_a_recent_chunk_is_asked_for_again_after_a_while_and_an_old_one_is_not(tmp_path: Path) -> None:
    cached = CountedHistory(tmp_path)
    old = BEGIN - 10 * STEP_MS
    cached.candles("E", "P", "1m", BEGIN, BEGIN + MINUTE)
    cached.candles("E", "P", "1m", old, old + MINUTE)
    cached.now_s += history.RECENT_VALID_S + 1
    cached.candles("E", "P", "1m", BEGIN, BEGIN + MINUTE)
    cached.candles("E", "P", "1m", old, old + MINUTE)
    assert cached.asked == [(BEGIN, BEGIN + STEP_MS), (old, old + STEP_MS), (BEGIN, BEGIN + STEP_MS)]


def test_while_the_warehouse_is_away_the_cache_answers(tmp_path: Path) -> None:
    cached = CountedHistory(tmp_path)
    before = cached.candles("E", "P", "1m", BEGIN, BEGIN + 3 * MINUTE)
    cached.broken = True
    cached.now_s += 10_000
    assert cached.candles("E", "P", "1m", BEGIN, BEGIN + 3 * MINUTE) == before
    with pytest.raises(ServiceUnavailableError):
        cached.candles("E", "OTHER", "1m", BEGIN, BEGIN + MINUTE)


def test_without_a_warehouse_recent_bars_are_shown_and_the_answer_says_so(tmp_path: Path) -> None:
    state = told(MarketState(), bar(), forming(NOON_MS + MINUTE))
    absent = History(settings_module.load({}, home=tmp_path, port_offset=29_000))
    found = series(absent, state, "OKX_SIM", "BTC-USDT", "1m", NOON_MS, NOON_MS + 9 * MINUTE)
    assert [c.closed for c in found.candles] == [True, False]
    assert found.incomplete


def test_the_query_binds_every_parameter() -> None:
    text = query("candles")
    for name in ("exchange", "pair", "interval_name", "begins", "ends"):
        assert f"%({name})s" in text


def test_every_query_is_snowflake_sql_and_says_what_it_is() -> None:
    files = list((Path(history.__file__).parent / "sql").glob("*.sql"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert isinstance(sqlglot.parse_one(text, dialect="snowflake"), sqlglot.exp.Select)
        for word in ("Grain:", "Input:", "Output:", "Source:"):
            assert word in text


def test_files_hold_the_numbers_of_the_api() -> None:
    candles = [candle(), candle(NOON_MS + MINUTE, vwap=None, high="99999999.0000000001")]
    lines = list(csv.DictReader(io.StringIO(export.as_csv(candles).decode())))
    assert [line["high"] for line in lines] == ["110", "99999999.0000000001"]
    assert (lines[0]["closed"], lines[1]["vwap"]) == ("true", "")
    table = pq.read_table(io.BytesIO(export.as_parquet(candles))).to_pylist()
    for written, given in zip(table, candles, strict=True):
        assert Decimal(written["high"]) == Decimal(given.high)
        assert written["start_ms"] == given.start_ms
        assert written["exchange"] == given.exchange
    assert table[1]["vwap"] is None
