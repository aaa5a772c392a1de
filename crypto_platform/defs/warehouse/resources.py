"""Snowflake, or the emulator in its place, through dagster-snowflake.

What belongs here: how assets, checks and sensors reach the warehouse. What does not: which parameters a
connection needs (`streaming.warehouse`), and SQL (`snowflake_sql`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import dagster as dg

from crypto_platform.control.managed import ManagedResource
from streaming import settings as platform_settings

if TYPE_CHECKING:
    from dagster_snowflake import SnowflakeResource as Connector
    from snowflake.connector import SnowflakeConnection

    from crypto_platform.watch.lag import TopicPartition

RETRY_POLICY: Final = dg.RetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL
)
"""The one retry mechanism of steps that use the warehouse: a connection may break when it restarts."""


class SnowflakeResource(ManagedResource):
    """The warehouse named by the platform's settings.

    dagster-snowflake's own resource is built when it is used: its configuration holds a password or the path
    of a key, and what is configured when definitions load is shown in the web interface.

    Attributes:
        timeout_s: the longest wait for a log-in or for one answer.
    """

    component: ClassVar[str] = "warehouse"
    timeout_s: int = 10

    def snowflake(self) -> Connector:
        """dagster-snowflake's resource for the account or the emulator of the settings."""
        from dagster_snowflake import SnowflakeResource as Connector

        from streaming.warehouse import connection_parameters

        parameters = connection_parameters(platform_settings.load())
        arguments: dict[str, Any] = {
            name: parameters.pop(name) for name in ("account", "user", "password") if name in parameters
        }
        if "private_key_file" in parameters:
            arguments["authenticator"] = "SNOWFLAKE_JWT"
        timeouts = {"login_timeout": self.timeout_s, "network_timeout": self.timeout_s}
        return Connector(**arguments, additional_snowflake_connection_args={**parameters, **timeouts})

    @contextmanager
    def connection(self, query_tag: str) -> Iterator[SnowflakeConnection]:
        """A connection whose queries carry `query_tag` in Snowflake's history; closed after the block."""
        with self.snowflake().get_connection() as connection:
            connection.cursor().execute("ALTER SESSION SET QUERY_TAG = %s", (query_tag,))
            yield connection

    def loaded_offsets(self) -> dict[TopicPartition, int]:
        """The next offset the loader will read of each partition (OPS.LOAD_OFFSETS)."""
        with self.connection("dagster: lag") as connection:
            found = connection.cursor().execute(
                "SELECT TOPIC, PARTITION_ID, NEXT_OFFSET FROM OPS.LOAD_OFFSETS"
            )
            assert found is not None
            return {
                (str(topic), int(partition)): int(offset) for topic, partition, offset in found.fetchall()
            }

    def gaps(self) -> tuple[dict[str, int], float | None]:
        """How many gaps have each status, and for how many seconds the oldest open one has been known."""
        from snowflake_sql import catalog as sql_files
        from streaming import warehouse

        with self.connection("dagster: gaps") as connection:
            found = warehouse.rows(connection, sql_files.statement("queries/gap_counts"))
        counts = {str(status): int(count) for status, count, _ in found}
        ages = [float(age) for status, _, age in found if status == "open"]
        return counts, max(ages, default=None)

    def refused(self, within: timedelta) -> dict[str, int]:
        """How many dead letters were loaded within the time, by the part that refused them."""
        from snowflake_sql import catalog as sql_files
        from streaming import warehouse

        since = datetime.now(UTC).replace(tzinfo=None) - within
        with self.connection("dagster: dead letters") as connection:
            found = warehouse.rows(
                connection, sql_files.statement("queries/dead_letters_by_stage"), {"from_time": since}
            )
        return {str(stage): int(count) for stage, count in found}
