"""The example consumer's arithmetic and how it looks."""

from __future__ import annotations

import io
import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crypto_platform.averages import Averages
from crypto_platform.averages_cli import lines, table


def told(window: int, *prices: str) -> Averages:
    averages = Averages(window)
    for trade_id, price in enumerate(prices):
        averages.add(trade_id, price)
    return averages


def test_the_simple_average_is_of_the_last_prices() -> None:
    averages = told(3, "1", "2", "3", "10")
    assert averages.sma == 5
    assert averages.full


def test_a_window_that_is_not_full_averages_what_there_is() -> None:
    averages = told(10, "1", "2")
    assert averages.sma == Decimal("1.5")
    assert not averages.full


def test_the_exponential_average_weighs_the_newest_price_most() -> None:
    assert told(3, "10", "20").ema == 15
    assert told(3, "10", "20", "30").ema == Decimal("22.5")


def test_a_copy_of_a_trade_counts_once() -> None:
    averages = told(3, "10")
    assert not averages.add(0, "99")
    assert (averages.count, averages.price) == (1, 10)


@given(st.lists(st.decimals("0.01", 100_000, places=2), min_size=1, max_size=200), st.integers(1, 50))
def test_the_running_sum_never_drifts(prices: list[Decimal], window: int) -> None:
    averages = told(window, *map(str, prices))
    last = prices[-window:]
    assert averages.sma == sum(last) / len(last)
    assert min(prices) <= averages.ema.quantize(Decimal("0.00000001")) <= max(prices)


def test_lines_are_for_programs_and_the_table_for_people() -> None:
    markets = {("BTC-USDT", "OKX_SIM"): told(2, "1.50", "2.5")}
    (line,) = lines(markets, as_json=True)
    assert json.loads(line) == {
        "pair": "BTC-USDT",
        "exchange": "OKX_SIM",
        "trades": 2,
        "price": "2.5",
        "sma": "2",
        "ema": "2.16666667",
        "full": True,
    }
    assert next(lines(markets, as_json=False)).startswith("pair=BTC-USDT exchange=OKX_SIM trades=2")
    text = io.StringIO()
    Console(file=text, width=120).print(table(markets, 2))
    assert "▲ 2.5" in text.getvalue()
