"""Times as text: exact, UTC only, within the years that data can have."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import RecordError
from streaming.exchanges.rfc3339 import time_us


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-10-06T17:35:55.440295Z", 1_696_613_755_440_295),
        ("2023-10-06T17:35:55.44Z", 1_696_613_755_440_000),
        ("2023-10-06T17:35:55Z", 1_696_613_755_000_000),
        ("2023-10-06T17:35:55.440295999Z", 1_696_613_755_440_295),
        ("2024-02-29T00:00:00.000001Z", 1_709_164_800_000_001),
    ],
)
def test_a_time_is_read_to_the_microsecond_and_what_is_finer_is_cut_off(text, expected):
    assert time_us(text, "time") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-10-06",
        "2023-10-06 17:35:55Z",
        "2023-10-06T17:35:55",
        "2023-10-06T17:35:55+00:00",
        "2023-10-06T17:35:55.Z",
        "2023-10-06T17:35:55.0123456789Z",
        "2023-02-29T00:00:00Z",
        "2023-10-06T25:00:00Z",
        "1999-12-31T23:59:59Z",
        "6526-10-07T10:36:16.364000Z",
        "2023-10-06T17:35:5\u0665Z",
    ],
)
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(RecordError, match="trade_time"):
        time_us(text, "trade_time")


@given(st.integers(10**15, 10**16 - 1))
def test_every_microsecond_survives_being_written_and_read(moment_us):
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)).isoformat()
    assert time_us(text.removesuffix("+00:00") + "Z", "time") == moment_us
