"""Snowflake's SDK for Snowpipe Streaming, as the loader's engine asks for it.

What belongs here: the SDK's import, its properties and its errors. What does not: channels and rows
(`streaming.loader.snowpipe`).

The import starts the SDK's own threads and writes to standard output, so it happens only when the engine is
chosen. Source: package snowpipe-streaming 1.9.1; https://docs.snowflake.com/en/user-guide/snowpipe-streaming
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from streaming.errors import SettingsError
from streaming.loader.tables import Table
from streaming.settings import Settings
from streaming.warehouse import APPLICATION

if TYPE_CHECKING:
    from streaming.loader.snowpipe import Client

TAKEN_OVER = ("InvalidChannelError", "ClosedChannelError", "ChannelClosedByUser")


class SnowpipeSdk:
    """The real one."""

    def __init__(self) -> None:
        os.environ.setdefault("SS_LOG_LEVEL", "warn")
        import snowflake.ingest.streaming as ingest

        self._ingest = ingest

    def client(self, settings: Settings, table: Table) -> Client:
        schema, _, name = table.name.partition(".")
        client = self._ingest.StreamingIngestClient.from_table(
            client_name=f"{APPLICATION}-{name.lower()}",
            db_name=settings.snowflake_database,
            schema_name=schema,
            table_name=name,
            properties=properties(settings),
        )
        return cast("Client", client)

    def is_failure(self, error: Exception) -> bool:
        return isinstance(error, self._ingest.StreamingIngestError | TimeoutError)

    def is_taken_over(self, error: Exception) -> bool:
        return isinstance(error, self._ingest.StreamingIngestError) and error.error_code.value in TAKEN_OVER


def properties(settings: Settings) -> dict[str, str]:
    """What the SDK needs to sign in.

    Raises:
        SettingsError: the key cannot be read.
    """
    path = settings.snowflake_private_key_path
    assert path is not None
    assert settings.snowflake_account is not None
    try:
        key = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH {path} cannot be read: {error}.", "Name a PEM file."
        ) from error
    found = {
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "url": f"https://{settings.snowflake_account}.snowflakecomputing.com:443",
        "private_key": key,
    }
    if settings.snowflake_private_key_passphrase:
        found["private_key_passphrase"] = settings.snowflake_private_key_passphrase.get_secret_value()
    if settings.snowflake_role:
        found["role"] = settings.snowflake_role
    return found
