"""The engine for Snowpipe Streaming beside the real SDK: signatures, properties, and its topics."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from snowflake.ingest import streaming as sdk

from streaming import settings as settings_module
from streaming import topics
from streaming.errors import SettingsError
from streaming.loader import snowpipe
from streaming.loader.engines import APPENDED, LOWEST_COST, LOWEST_LATENCY, SNOWPIPE, lanes
from streaming.loader.snowpipe_sdk import TAKEN_OVER, properties
from streaming.loader.tables import Mode
from tests.integration import snowpipe_double

REAL = {
    snowpipe_double.DoubleClient: sdk.StreamingIngestClient,
    snowpipe_double.DoubleChannel: sdk.StreamingIngestChannel,
    snowpipe.Client: sdk.StreamingIngestClient,
    snowpipe.Channel: sdk.StreamingIngestChannel,
}


def shape(function: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults of the parameters."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def methods(kind: type) -> list[str]:
    return [name for name, member in vars(kind).items() if inspect.isfunction(member) and name[0] != "_"]


@pytest.mark.parametrize(
    ("ours", "theirs", "method"),
    [(ours, theirs, name) for ours, theirs in REAL.items() for name in methods(ours)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_method_has_the_signature_of_the_sdk(ours: type, theirs: type, method: str) -> None:
    assert shape(getattr(ours, method)) == shape(getattr(theirs, method))


def test_the_double_can_all_that_the_sdk_offers_a_regular_channel() -> None:
    wanted = set(methods(sdk.StreamingIngestChannel))
    assert set(methods(snowpipe_double.DoubleChannel)) == wanted
    elastic = {"get_elastic_channel"}
    assert set(methods(snowpipe_double.DoubleClient)) == set(methods(sdk.StreamingIngestClient)) - elastic


def test_what_is_read_of_a_status_is_there() -> None:
    for name, member in vars(snowpipe.Status).items():
        if isinstance(member, property):
            assert isinstance(getattr(sdk.ChannelStatus, name), property)


def test_the_codes_of_a_channel_that_was_taken_over_are_the_sdks() -> None:
    assert set(TAKEN_OVER) <= {code.value for code in sdk.StreamingIngestErrorCode}


ACCOUNT = {"SNOWFLAKE_ACCOUNT": "org-acct", "SNOWFLAKE_USER": "LOADER", "SNOWFLAKE_ROLE": "CRYPTO_LOADER"}


def test_the_sdk_signs_in_with_the_key_of_the_settings(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----")
    chosen = settings_module.load(ACCOUNT | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(key)})
    assert properties(chosen) == {
        "account": "org-acct",
        "user": "LOADER",
        "url": "https://org-acct.snowflakecomputing.com:443",
        "private_key": "-----BEGIN PRIVATE KEY-----",
        "role": "CRYPTO_LOADER",
    }
    key.unlink()
    with pytest.raises(SettingsError, match="SNOWFLAKE_PRIVATE_KEY_PATH"):
        properties(chosen)


def test_streaming_without_an_account_and_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="CRYPTO_LOADER_ENGINE"):
        settings_module.load({"CRYPTO_LOADER_ENGINE": "streaming"})


def test_the_engine_decides_how_long_a_batch_is_gathered() -> None:
    (emulator,) = lanes(settings_module.load({}))
    (account,) = lanes(settings_module.load(ACCOUNT | {"SNOWFLAKE_PASSWORD": "x"}))
    (chosen,) = lanes(settings_module.load({"CRYPTO_LOADER_BATCH_ROWS": "7", "CRYPTO_LOADER_BATCH_MS": "50"}))
    assert (emulator.pace, account.pace) == (LOWEST_LATENCY, LOWEST_COST)
    assert (chosen.pace.rows, chosen.pace.seconds) == (7, 0.05)


def test_streaming_appends_what_only_grows_and_merges_what_is_replaced() -> None:
    environment = ACCOUNT | {
        "SNOWFLAKE_PRIVATE_KEY_PATH": "/k.pem",
        "CRYPTO_LOADER_ENGINE": "streaming",
        "CRYPTO_LOADER_MERGE_MS": "60000",
    }
    appending, merging = lanes(settings_module.load(environment))
    assert (appending.streams, merging.streams) == (True, False)
    assert appending.topics == (topics.CLEAN_TRADES, topics.LATE_TRADES, topics.DEAD_LETTERS)
    assert topics.BARS_1M in merging.topics
    assert not set(appending.topics) & set(merging.topics)
    assert (appending.pace, merging.pace.seconds) == (SNOWPIPE, 60)
    assert all(table.mode is not Mode.UPSERT for table in APPENDED.values())
