"""Credits from volumes, by hand."""

from __future__ import annotations

import pytest

from snowflake_sql import costs
from snowflake_sql.costs import Volume, awake_seconds, estimates
from streaming import settings as settings_module
from streaming.settings import Settings

VOLUME = Volume(
    rows={"RAW.TRADES": 900, "MARKET.QUOTE_BARS_1S": 100},
    value_bytes={"RAW.TRADES": 900_000_000, "MARKET.QUOTE_BARS_1S": 100_000_000},
    received_rows=5_000,
    transactions=100,
    span_seconds=43_200,
    awake_seconds=3_600,
)
ACCOUNT = {"SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_PRIVATE_KEY_PATH": "/k"}


def settings(**environment: str) -> Settings:
    return settings_module.load(environment)


@pytest.mark.parametrize(
    ("every_s", "seconds"), [(0.2, 86_400), (60, 86_400), (61, 84_983.6), (300, 17_280), (3600, 1_440)]
)
def test_a_resume_is_billed_for_a_minute_at_least(every_s: float, seconds: float) -> None:
    assert awake_seconds(every_s) == pytest.approx(seconds, abs=0.1)


def test_the_reduction_is_what_was_received_by_what_was_loaded() -> None:
    assert (VOLUME.loaded_rows, VOLUME.reduction) == (1_000, 5.0)
    assert Volume({}, {}, 0, 0, 0, 0).reduction is None


def test_a_transaction_every_five_minutes_is_a_fifth_of_the_day() -> None:
    in_use = estimates(VOLUME, settings())[0]
    assert (in_use.in_use, in_use.warehouse_seconds) == (True, 17_280)
    assert in_use.credits_per_day == pytest.approx(4.8)


def test_snowpipe_is_charged_by_the_bytes_of_what_is_appended_and_the_merges() -> None:
    in_use = estimates(VOLUME, settings(**ACCOUNT, CRYPTO_LOADER_ENGINE="streaming"))[0]
    assert in_use.configuration.startswith("Snowpipe Streaming")
    assert in_use.credits_per_day == pytest.approx(1.8 * 0.0037 + 96 * 60 / 3600)


def test_one_configuration_is_in_use_and_each_says_how_it_comes_about() -> None:
    for environment in (
        {},
        ACCOUNT | {"CRYPTO_LOADER_ENGINE": "streaming"},
        {"CRYPTO_LOADER_BATCH_MS": "60000"},
    ):
        found = estimates(VOLUME, settings(**environment))
        assert [one.in_use for one in found] == [True] + [False] * (len(found) - 1)
        assert len({one.configuration for one in found}) == len(found) >= 5
        assert all("docs.snowflake.com" in one.formula for one in found)


def test_what_really_happened_is_scaled_to_a_day() -> None:
    (real,) = [
        one for one in estimates(VOLUME, settings()) if one.configuration == "transactions as they came"
    ]
    assert real.warehouse_seconds == 7_200
    assert real.credits_per_day == pytest.approx(costs.warehouse_credits(7_200)) == pytest.approx(2.0)
