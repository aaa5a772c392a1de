"""One form for the same number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_platform.dashboard.numbers import (
    change_percent,
    deviation_bp,
    median,
    plain,
    spread_bp,
    volatility_bp,
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("1.50", "1.5"),
        ("100", "100"),
        ("100.000000000000000000", "100"),
        ("0.00000001", "0.00000001"),
        ("1E-8", "0.00000001"),
        ("0", "0"),
        ("-0.0", "0"),
        (Decimal("65000.100000000000000000"), "65000.1"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_a_number_has_one_form(given_text: str | Decimal, shown: str) -> None:
    assert plain(given_text) == shown


@given(st.decimals(min_value=0, max_value=10**18, places=18))
def test_the_form_is_the_same_number(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert plain(plain(value)) == plain(value)


@pytest.mark.parametrize(
    ("bid", "ask", "shown"),
    [
        ("99.5", "100.5", "100"),
        ("100", "100", "0"),
        ("101", "99", "-200"),
        (None, "1", None),
        ("1", None, None),
        ("0", "0", None),
    ],
)
def test_the_spread_is_in_basis_points_of_the_middle(
    bid: str | None, ask: str | None, shown: str | None
) -> None:
    assert spread_bp(bid, ask) == shown


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [("80", "100", "25"), ("100", "99.5", "-0.5"), ("0", "1", None), (None, "1", None), ("3", "3", "0")],
)
def test_the_change_is_in_percent(before: str | None, now: str | None, shown: str | None) -> None:
    assert change_percent(before, now) == shown


def test_the_median_of_an_even_number_is_between_the_middle_two() -> None:
    assert median(["3", "1"]) == 2
    assert median(["3", "1", "10"]) == 3
    assert deviation_bp("101", Decimal(100)) == "100"


def test_a_volatility_is_the_root_of_a_variance() -> None:
    assert volatility_bp(1e-8) == 1.0
    assert volatility_bp(None) is None
