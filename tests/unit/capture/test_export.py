"""Which recorded rows become a recording that the simulated exchange can replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.capture.errors import RecordingError
from streaming.capture.export import Exported, Exporter
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.simulator.recording import Recording, read_recording

PAIR = "XRP-USDT"
BEGIN_US = 1_700_000_000_000_000


def trade(trade_id: int, *, time_us: int = BEGIN_US, price: str = "2.3151", size: str = "10") -> TradeEvent:
    return TradeEvent(PAIR, trade_id, trade_id, 1, price, size, "sell", time_us, 1, False)


def ticker(bid: str | None = "2.315", ask: str | None = "2.3152", size: str = "1.5") -> TickerEvent:
    return TickerEvent(PAIR, bid, size, ask, size, *[None] * 7, BEGIN_US, 1, False)  # type: ignore[arg-type]


def export(
    folder: Path, trades: list[TradeEvent], tickers: list[TickerEvent], *, contiguous: bool = True
) -> Exported:
    exporter = Exporter(folder, contiguous=contiguous)
    for event in trades:
        exporter.trade(event)
    for quote in tickers:
        exporter.ticker(quote)
    (exported,) = exporter.finish()
    return exported


def read(folder: Path) -> Recording:
    return read_recording(folder, PAIR)


def test_prices_and_sizes_stay_exact_however_fine_they_are(tmp_path: Path) -> None:
    export(tmp_path, [trade(1, price="0.00001234", size="123456789.5"), trade(2, price="100000")], [ticker()])

    recording = read(tmp_path)

    instrument = recording.instrument
    assert [instrument.price_text(fill.price) for fill in recording.trades] == ["0.00001234", "100000"]
    assert [instrument.size_text(fill.size) for fill in recording.trades] == ["123456789.5", "10"]
    assert instrument.price_text(recording.quotes[0].ask) == "2.3152"


def test_trades_that_came_late_are_put_in_order(tmp_path: Path) -> None:
    exported = export(tmp_path, [trade(3), trade(1), trade(2)], [ticker()])

    assert (exported.trades, exported.left_out, read(tmp_path).first_id) == (3, 0, 1)


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ([1, 2, 3, 7, 8], [1, 2, 3]),
        ([1, 2, 5, 6, 7, 8, 20], [5, 6, 7, 8]),
        ([1, 2, 5, 6], [5, 6]),
        ([1], [1]),
        ([1, 3, 5], [5]),
    ],
)
def test_the_longest_run_of_ids_is_kept_the_latest_of_equals(
    tmp_path: Path, ids: list[int], kept: list[int]
) -> None:
    exported = export(tmp_path, [trade(number) for number in ids], [ticker()])

    assert (exported.trades, exported.left_out) == (len(kept), len(ids) - len(kept))
    assert read(tmp_path).first_id == kept[0]


def test_ids_with_holes_are_numbered_anew(tmp_path: Path) -> None:
    exported = export(tmp_path, [trade(10), trade(17), trade(30)], [ticker()], contiguous=False)

    assert exported.renumbered
    assert (exported.trades, exported.left_out, read(tmp_path).first_id) == (3, 0, 10)


def test_a_time_that_goes_back_is_raised_and_counted(tmp_path: Path) -> None:
    times_ms = [5, 3, 4, 9]
    exported = export(
        tmp_path, [trade(i, time_us=BEGIN_US + ms * 1000) for i, ms in enumerate(times_ms)], [ticker()]
    )

    assert exported.times_raised == 2
    assert [fill.time_ms - BEGIN_US // 1000 for fill in read(tmp_path).trades] == [5, 5, 5, 9]


def test_a_ticker_without_both_sides_is_no_quote(tmp_path: Path) -> None:
    exported = export(tmp_path, [trade(1)], [ticker(bid=None), ticker(ask=None), ticker(size="0"), ticker()])

    assert exported.quotes == len(read(tmp_path).quotes) == 1


@pytest.mark.parametrize(
    ("trades", "tickers", "why"),
    [([trade(1)], [], "no quotes were recorded"), ([], [ticker()], "no trades were recorded")],
)
def test_a_pair_that_cannot_be_replayed_is_not_written(
    tmp_path: Path, trades: list[TradeEvent], tickers: list[TickerEvent], why: str
) -> None:
    exported = export(tmp_path, trades, tickers)

    assert (exported.files, exported.why) == ((), why)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ethusdt-trades.parquet").touch()

    with pytest.raises(RecordingError, match="already holds Parquet files"):
        Exporter(tmp_path, contiguous=True)
