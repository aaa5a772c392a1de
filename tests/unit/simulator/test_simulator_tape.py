"""Tape, candles and journal: exact, bounded, and honest about what they no longer have."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import SettingsError
from streaming.simulator.candles import MINUTE_MS, MinuteCandles
from streaming.simulator.events import Fill
from streaming.simulator.instruments import decimal_text, instrument_of
from streaming.simulator.journal import Journal
from streaming.simulator.tape import HistoryEvictedError, Tape

FIRST = 100
rows = st.lists(
    st.tuples(st.integers(0, 10 * MINUTE_MS), st.integers(1, 10**9), st.integers(1, 10**12)), max_size=60
)


def fills_of(raw: list[tuple[int, int, int]], *, ordered: bool = False) -> list[Fill]:
    values = sorted(raw) if ordered else raw
    return [Fill(FIRST + i, t, p, s, i % 2 == 0, False) for i, (t, p, s) in enumerate(values)]


def tape_of(fills: list[Fill], limit: int = 1000) -> Tape:
    tape = Tape("BTC-USDT", FIRST, limit)
    tape.extend(fills)
    return tape


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (837530, 1, "83753"),
        (11, 6, "0.000011"),
        (1, 8, "0.00000001"),
        (0, 4, "0"),
        (-25, 1, "-2.5"),
        (10, 0, "10"),
    ],
)
def test_units_become_plain_decimal_text(units: int, decimals: int, text: str) -> None:
    assert decimal_text(units, decimals) == text


@given(units=st.integers(1, 2**60), decimals=st.integers(0, 8))
def test_decimal_text_is_exact(units: int, decimals: int) -> None:
    text = decimal_text(units, decimals)
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert "E" not in text


@pytest.mark.parametrize("text", ["0", "-1", "83753.05", "NaN", "Infinity", "cheap", "", "1e400"])
def test_a_price_that_is_no_multiple_of_the_tick_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="price of BTC-USDT"):
        instrument_of("BTC-USDT").price_ticks(text)


@given(rows)
def test_totals_are_the_sums_of_the_fills(raw: list[tuple[int, int, int]]) -> None:
    fills = fills_of(raw)
    totals = tape_of(fills).totals()
    if not fills:
        assert totals is None
        return
    assert totals is not None
    assert totals.count == len(fills)
    assert (totals.first_id, totals.last_id) == (fills[0].trade_id, fills[-1].trade_id)
    assert totals.min_time_ms == min(f.time_ms for f in fills)
    assert totals.max_time_ms == max(f.time_ms for f in fills)
    assert totals.size == sum(f.size for f in fills)
    assert totals.quote == sum(f.price * f.size for f in fills)


@given(raw=rows, time_ms=st.integers(0, 10 * MINUTE_MS), limit=st.integers(1, 10), ordered=st.booleans())
def test_look_up_by_time_finds_the_newest_earlier_fills(
    raw: list[tuple[int, int, int]], time_ms: int, limit: int, ordered: bool
) -> None:
    fills = fills_of(raw, ordered=ordered)
    expected = [f for f in reversed(fills) if f.time_ms < time_ms][:limit]
    assert tape_of(fills).before_time(time_ms, limit) == expected


def test_a_full_tape_forgets_its_oldest_fills_and_says_so() -> None:
    fills = fills_of([(i, 5, 7) for i in range(150)])
    tape = tape_of(fills, limit=100)
    assert 100 <= len(tape) < 110
    assert tape.evicted == 150 - len(tape)
    assert list(tape.span(tape.first_id, tape.next_id)) == fills[-len(tape) :]
    totals = tape.totals()
    assert totals is not None
    assert totals.size == 7 * len(tape)
    assert totals.quote == 35 * len(tape)
    with pytest.raises(HistoryEvictedError, match=f"the oldest is {tape.first_id}"):
        tape.before_id(tape.first_id, 10)
    with pytest.raises(HistoryEvictedError):
        tape.span(FIRST, FIRST + 5)
    with pytest.raises(HistoryEvictedError):
        tape.before_time(0, 5)
    assert tape.before_id(tape.first_id + 1, 10) == [tape[tape.first_id]]


def test_a_tape_that_forgot_nothing_has_nothing_before_its_first_fill() -> None:
    tape = tape_of(fills_of([(1, 1, 1)]))
    assert tape.before_id(FIRST, 10) == []
    assert list(tape.span(0, FIRST - 1)) == []


def test_a_fill_with_the_wrong_id_is_refused() -> None:
    with pytest.raises(ValueError, match="id 7 follows 99"):
        tape_of([]).append(Fill(7, 1, 1, 1, False, False))


@given(raw=rows, minutes=st.sampled_from([1, 3, 5]))
def test_candles_are_those_of_the_fills_by_time_and_id(raw: list[tuple[int, int, int]], minutes: int) -> None:
    fills = fills_of(raw)
    length = minutes * MINUTE_MS
    expected = []
    for start in sorted({f.time_ms // length * length for f in fills}, reverse=True):
        inside = sorted(
            (f for f in fills if f.time_ms // length * length == start),
            key=lambda f: (f.time_ms, f.trade_id),
        )
        prices = [f.price for f in inside]
        expected.append(
            (
                start,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                sum(f.size for f in inside),
                sum(f.price * f.size for f in inside),
                len(inside),
            )
        )
    actual = [
        (c.start_ms, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.count)
        for c in tape_of(fills).candles.newest_first(minutes)
    ]
    assert actual == expected


def test_the_last_day_follows_the_clock_and_late_trades() -> None:
    candles = MinuteCandles()
    day = 1440 * MINUTE_MS
    candles.add(Fill(1, 10, 100, 1, False, False))
    candles.add(Fill(2, day + 5, 300, 1, False, False))
    last = candles.last_day(day + 5)
    assert last is not None
    assert (last.open, last.low, last.volume) == (300, 300, 1)
    candles.add(Fill(3, day - 1, 200, 1, False, False))
    last = candles.last_day(day + 5)
    assert last is not None
    assert (last.open, last.low, last.high, last.volume) == (200, 200, 300, 2)
    assert candles.open_since(day, day + 5) == 300


def test_a_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    fills = fills_of([(i, i + 1, i + 2) for i in range(20)])
    journal = Journal(tmp_path, 100)
    assert journal.load("BTC-USDT") == []
    journal.append("BTC-USDT", fills[:5])
    journal.append("BTC-USDT", fills[5:])
    # Not closed: what was appended must be there after a kill.
    again = Journal(tmp_path, 100)
    assert again.load("BTC-USDT") == fills
    journal.close()
    again.close()


def test_a_torn_record_is_cut_off_and_a_long_journal_is_cut_short(tmp_path: Path) -> None:
    fills = fills_of([(i, i + 1, i + 2) for i in range(20)])
    journal = Journal(tmp_path, 100)
    journal.load("BTC-USDT")
    journal.append("BTC-USDT", fills[:19])
    journal.close()
    with (tmp_path / "BTC-USDT.tape").open("ab") as file:
        file.write(b"torn")
    short = Journal(tmp_path, 5)
    assert short.load("BTC-USDT") == fills[14:19]
    short.append("BTC-USDT", fills[19:])
    short.close()
    assert Journal(tmp_path, 100).load("BTC-USDT") == fills[14:]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(SettingsError, match="Correct CRYPTO_HOME"):
        Journal(blocker / "inside", 5)
