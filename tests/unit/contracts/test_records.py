"""The data contract: decimal strings, and records that survive their own JSON."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import records
from streaming.errors import RecordError

REFUSED = [
    "",
    "abc",
    "-1",
    "+1",
    "1e5",
    "1.",
    ".5",
    "NaN",
    "Infinity",
    "0",
    "0.000",
    "1 ",
    "１",
    "123456789",
    "1.12345678901",
]


@given(st.one_of(st.text("0123456789.", max_size=24), st.decimals(0, 10**12).map(str), st.text(max_size=6)))
def test_the_short_way_for_ordinary_numbers_says_what_the_long_way_says(text: str) -> None:
    def outcome(function, *args, **kwargs) -> str:
        try:
            return function(text, *args, **kwargs)
        except RecordError as error:
            return f"refused: {error}"

    assert outcome(records.price_text) == outcome(records.decimal_text, "price")
    size = {"integer_digits": records.SIZE_INTEGER_DIGITS, "scale": records.SIZE_SCALE}
    assert outcome(records.size_text) == outcome(records.decimal_text, "size", **size)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_positive_plain_decimal_of_the_contract_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="price"):
        records.price_text(text)


@pytest.mark.parametrize(
    "text", ["83753", "0.0000000001", "99999999.9999999999", "1.50", "007.10", "1.00000000000000"]
)
def test_a_price_that_fits_is_kept_as_the_exchange_wrote_it(text: str) -> None:
    assert records.price_text(text) == text


@given(st.decimals(min_value="0.00000001", max_value="99999999999", places=8))
def test_a_decimal_size_becomes_plain_text_of_the_same_value(value: Decimal) -> None:
    text = records.size_text(value)
    assert "E" not in text
    assert Decimal(text) == value


def test_zero_is_allowed_only_where_it_is_said_to_be() -> None:
    assert records.decimal_text("0.0", "volume", allow_zero=True) == "0.0"
    with pytest.raises(RecordError, match="volume is zero"):
        records.decimal_text("0.0", "volume")


def test_a_trade_survives_its_json() -> None:
    trade = records.Trade(
        exchange="OKX",
        pair="BTC-USDT",
        first_id=121,
        trade_id=123,
        count=3,
        price="83753.10",
        size="0.000011",
        side="sell",
        exchange_time_us=1_791_369_376_364_000,
        receive_time_ns=1_791_369_376_400_000_001,
        producer_id="producer-1",
        producer_epoch=1,
        seq=7,
        source="ws",
        simulated=False,
    )
    encoded = records.encode(trade)
    assert msgspec.json.decode(encoded, type=records.Trade) == trade
    assert b'"price":"83753.10"' in encoded


def test_the_key_names_exchange_and_pair() -> None:
    assert records.key_of("OKX_SIM", "BTC-USDT") == b"OKX_SIM|BTC-USDT"
