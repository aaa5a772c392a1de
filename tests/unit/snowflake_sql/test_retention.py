"""Policies of retention, as they are written in the setting."""

from __future__ import annotations

import pytest

from snowflake_sql import catalog, retention
from streaming import settings as settings_module
from streaming.errors import SettingsError
from streaming.topics import RETENTION_HOURS


def test_the_default_keeps_bars_for_good_and_trades_for_a_month() -> None:
    found = {policy.table: policy for policy in retention.policies(settings_module.load({}).retention)}
    assert (found["RAW.TRADES"].keep_days, found["RAW.TRADES"].time_column) == (30, "EXCHANGE_TIME")
    assert not [table for table in found if table.startswith("MARKET.BARS")]
    assert retention.policies("") == ()


@pytest.mark.parametrize(
    "text", ["MARKET.BARS_1M=30", "RAW.TRADES", "RAW.TRADES=soon", "RAW.TRADES=-5", "RAW.TRADES=7"]
)
def test_what_cannot_be_pruned_or_not_so_soon_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="CRYPTO_RETENTION"):
        retention.policies(text)


def test_a_trade_is_kept_for_longer_than_kafka_can_be_read_again() -> None:
    assert retention.LEAST_DAYS * 24 > RETENTION_HOURS


def test_what_a_rollup_reads_and_is_pruned_has_its_rollups_run_first() -> None:
    rolled_up = {table for rollup in catalog.ROLLUPS if not rollup.corrects for table in rollup.reads}
    assert {"RAW.TRADES", "MARKET.QUOTE_BARS_1S"} <= rolled_up & set(retention.TIME_COLUMNS)
