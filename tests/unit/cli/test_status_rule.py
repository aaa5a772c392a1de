"""When the platform calls itself degraded."""

from __future__ import annotations

from typing import Any

import pytest

from crypto_platform.status import MAX_CHECKPOINT_AGE_S, MAX_LAG_RECORDS, MAX_TICK_AGE_S, ServiceStatus, judge


def service(name: str, state: str) -> ServiceStatus:
    return ServiceStatus(name, state, 1, 0, 10.0, 5.0)


HEALTHY: dict[str, Any] = {
    "services": [service("loader", "RUNNING")],
    "lag": {"trades": MAX_LAG_RECORDS},
    "checkpoint_age_s": MAX_CHECKPOINT_AGE_S,
    "open_gaps": 0,
    "tick_age_s": {"BTC-USDT": MAX_TICK_AGE_S},
}

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a stopped service": ({"services": [service("loader", "STOPPED")]}, "loader is STOPPED"),
    "a service that runs and does not work": (
        {"services": [service("loader", "NOT_READY")]},
        "loader is NOT_READY",
    ),
    "a loader that falls behind": (
        {"lag": {"trades": MAX_LAG_RECORDS + 1}},
        "10001 records behind on trades",
    ),
    "an old checkpoint": ({"checkpoint_age_s": MAX_CHECKPOINT_AGE_S + 1}, "checkpoint is 61 s old"),
    "an open gap": ({"open_gaps": 2}, "2 gaps are open"),
    "a pair without a tick": ({"tick_age_s": {"BTC-USDT": None}}, "BTC-USDT has no tick yet"),
    "a pair that has fallen silent": (
        {"tick_age_s": {"BTC-USDT": 16.0}},
        "BTC-USDT has had no tick for 16 s",
    ),
}


def test_a_healthy_platform_has_no_reason_at_the_limits() -> None:
    assert judge(**HEALTHY) == []


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_one_reason(case: str) -> None:
    change, sentence = CASES[case]
    (reason,) = judge(**(HEALTHY | change))
    assert sentence in reason


def test_what_could_not_be_read_is_no_reason_by_itself() -> None:
    assert judge(**(HEALTHY | {"lag": None, "checkpoint_age_s": None, "open_gaps": None})) == []
