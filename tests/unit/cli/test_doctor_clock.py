"""What the doctor says about this machine's clock."""

from __future__ import annotations

import pytest

from crypto_platform.doctor import clock
from streaming.producer.preflight import ProbeResult


def answered(offset_ms: float, round_trip_ms: float = 40.0) -> ProbeResult:
    return ProbeResult("OKX", False, "https://x", "wss://x", round_trip_ms, offset_ms, ("BTC-USDT",), {})


@pytest.mark.parametrize(
    ("offset_ms", "ok"), [(0.0, True), (-519.0, True), (521.0, False), (-3_600_000.0, False)]
)
def test_a_clock_that_is_off_is_a_finding(offset_ms: float, ok: bool) -> None:
    finding = clock([answered(1.0), answered(offset_ms)])
    assert finding.ok is ok
    assert ("Synchronise" in finding.detail) is not ok
