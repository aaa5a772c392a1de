"""Addresses of charts, well-formed and not."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_platform.dashboard.address import BARS_MAX, RANGES, AddressError, ChartAddress, parse, spans_for
from crypto_platform.dashboard.pages import chart_markup, error_markup
from crypto_platform.dashboard.views import INTERVALS

MARKETS = [("KRAKEN_SIM", "BTC-USDT"), ("OKX_SIM", "BTC-USDT"), ("OKX_SIM", "ETH-USDT")]


def test_an_empty_address_chooses() -> None:
    assert parse({}, MARKETS) == ChartAddress("KRAKEN_SIM", "BTC-USDT", "1m", "4h")


def test_what_is_named_is_shown() -> None:
    assert parse({"exchange": "OKX_SIM", "interval": "1h"}, MARKETS).text == (
        "/chart?exchange=OKX_SIM&pair=BTC-USDT&interval=1h&range=12h"
    )


@given(st.sampled_from(MARKETS), st.sampled_from(list(INTERVALS)), st.data())
def test_an_address_survives_being_shared(
    market: tuple[str, str], interval: str, data: st.DataObject
) -> None:
    shown = ChartAddress(*market, interval, data.draw(st.sampled_from(spans_for(interval))))
    query = {name: values[0] for name, values in parse_qs(urlsplit(shown.text).query).items()}
    assert parse(query, MARKETS) == shown


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"interval": "7m"}, "no interval '7m'.*1m, 5m, 15m, 1h"),
        ({"range": "9y"}, "no range '9y'"),
        ({"range": "30d", "interval": "1m"}, "30d does not suit bars of 1m"),
        ({"pair": "DOGE-USDT"}, "no pair 'DOGE-USDT'.*BTC-USDT, ETH-USDT"),
        ({"exchange": "MTGOX"}, "no exchange 'MTGOX'"),
        ({"exchange": "KRAKEN_SIM", "pair": "ETH-USDT"}, "KRAKEN_SIM has no ETH-USDT"),
        ({"paar": "BTC-USDT"}, "'paar', which means nothing"),
        ({"pair": "x" * 5000}, "no pair"),
    ],
)
def test_a_malformed_address_says_what_is_wrong(query: dict[str, str], words: str) -> None:
    with pytest.raises(AddressError, match=words) as caught:
        parse(query, MARKETS)
    assert len(str(caught.value)) < 200


def test_without_any_market_there_is_a_message() -> None:
    with pytest.raises(AddressError, match="no market yet"):
        parse({}, [])


@given(st.dictionaries(st.sampled_from(["exchange", "pair", "interval", "range", "x"]), st.text(max_size=60)))
def test_any_address_is_a_chart_or_a_message(query: dict[str, str]) -> None:
    try:
        shown = chart_markup(query, MARKETS)
    except AddressError as error:
        shown = error_markup(error)
    assert "<h1>" in shown


def test_text_of_an_address_is_no_markup() -> None:
    with pytest.raises(AddressError) as caught:
        parse({"pair": "<script>alert(1)</script>"}, MARKETS)
    assert "<script>" not in error_markup(caught.value)


def test_every_offered_range_fits_the_api() -> None:
    for interval, length in INTERVALS.items():
        assert all(RANGES[name] // length <= BARS_MAX for name in spans_for(interval))
        assert spans_for(interval)
