"""Connections to Snowflake, or to the embedded emulator, with the platform's settings.

What belongs here: how every part of ours reaches the warehouse, transactions, and what an error means. What
does not: SQL texts (`snowflake_sql`), loading (`streaming.loader`), running the emulator (`infra.local`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error, InterfaceError, OperationalError

from streaming.errors import ServiceUnavailableError
from streaming.settings import Settings

NETWORK_TIMEOUT_S: Final = 60
"""Longest a statement may take with its retries; the connector cancels it then."""
LOGIN_TIMEOUT_S: Final = 15
APPLICATION: Final = "crypto_platform"

SESSION_PARAMETERS: Final[Mapping[str, Any]] = {
    "TIMEZONE": "UTC",
    "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
    "CLIENT_TELEMETRY_ENABLED": False,
}

EMULATOR_SKIPS: Final = (r"ALTER SESSION\s+(UN)?SET\s+QUERY_TAG\b",)
"""Statements, as regular expressions, that the emulator accepts without doing anything.

This list is the whole record of what is skipped inside a script; scripts that are skipped as a whole are in
`snowflake_sql/account`."""

ParamStyle = Literal["pyformat", "qmark"]

Row = tuple[Any, ...]
"""One row; NUMBERs with a scale come back as Decimal, without one as int, times as naive UTC datetimes."""


def connection_parameters(settings: Settings) -> dict[str, Any]:
    """The arguments of `snowflake.connector.connect` for the account of `settings`, or for the emulator.

    A caller may add `paramstyle`, `autocommit` or `schema`. They fit dagster-snowflake's
    `additional_snowflake_connection_args` as they are.
    """
    parameters: dict[str, Any] = {
        "user": settings.snowflake_user,
        "database": settings.snowflake_database,
        "network_timeout": NETWORK_TIMEOUT_S,
        "login_timeout": LOGIN_TIMEOUT_S,
        "application": APPLICATION,
        "session_parameters": dict(SESSION_PARAMETERS),
    }
    if settings.uses_emulator:
        return parameters | {
            "account": "emulator",
            "password": "unused",  # the emulator has no access control, but the connector insists
            "host": settings.host("emulator"),
            "port": settings.ports.emulator,
            "protocol": "http",
            "session_parameters": {**SESSION_PARAMETERS, "nop_regexes": list(EMULATOR_SKIPS)},
        }
    parameters["account"] = settings.snowflake_account
    if settings.snowflake_role:
        parameters["role"] = settings.snowflake_role
    if settings.snowflake_warehouse:
        parameters["warehouse"] = settings.snowflake_warehouse
    if settings.snowflake_private_key_path:
        parameters["private_key_file"] = str(settings.snowflake_private_key_path)
        if settings.snowflake_private_key_passphrase:
            parameters["private_key_file_pwd"] = settings.snowflake_private_key_passphrase.get_secret_value()
    elif settings.snowflake_password:
        parameters["password"] = settings.snowflake_password.get_secret_value()
    return parameters


def place(settings: Settings) -> str:
    """The warehouse as a message names it at the start of a sentence."""
    if settings.uses_emulator:
        return f"The Snowflake emulator at {settings.host('emulator')}:{settings.ports.emulator}"
    return f"The Snowflake account {settings.snowflake_account}"


def open_connection(
    settings: Settings,
    *,
    paramstyle: ParamStyle = "pyformat",
    autocommit: bool = True,
    schema: str | None = None,
    network_timeout_s: int = NETWORK_TIMEOUT_S,
) -> SnowflakeConnection:
    """A new connection; the caller closes it.

    Raises:
        ServiceUnavailableError: no answer within the time limit, or the log-in is refused.
    """
    parameters = connection_parameters(settings) | {"network_timeout": network_timeout_s}
    if schema:
        parameters["schema"] = schema
    try:
        return snowflake.connector.connect(**parameters, paramstyle=paramstyle, autocommit=autocommit)
    except (Error, OSError) as error:
        raise unavailable(settings, error) from error


@contextmanager
def connect(
    settings: Settings, *, paramstyle: ParamStyle = "pyformat", autocommit: bool = True
) -> Iterator[SnowflakeConnection]:
    """A connection that is closed at the end of the block.

    Raises:
        ServiceUnavailableError: as `open_connection`, or the connection breaks inside the block.
    """
    connection = open_connection(settings, paramstyle=paramstyle, autocommit=autocommit)
    try:
        yield connection
    except (OperationalError, InterfaceError) as error:
        raise unavailable(settings, error) from error
    finally:
        connection.close(retry=False)


@contextmanager
def transaction(connection: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    """BEGIN, the block, COMMIT; ROLLBACK if the block or the commit raises."""
    connection.cursor().execute("BEGIN")
    try:
        yield connection
        connection.cursor().execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: SnowflakeConnection) -> None:
    """ROLLBACK where that is still possible; a broken connection has lost its transaction anyway."""
    try:
        connection.cursor().execute("ROLLBACK")
    except (Error, OSError):
        connection.close(retry=False)


def rows(
    connection: SnowflakeConnection, statement: str, params: Mapping[str, Any] | Sequence[Any] | None = None
) -> list[Row]:
    """All rows of one query."""
    cursor = connection.cursor()
    try:
        return [tuple(row) for row in cursor.execute(statement, params).fetchall()]
    finally:
        cursor.close()


def unavailable(settings: Settings, error: Exception) -> ServiceUnavailableError:
    """`error` as the one line that a command ends with."""
    remedy = (
        "Start it with `python -m infra.local.emulator`."
        if settings.uses_emulator
        else "Check SNOWFLAKE_ACCOUNT, the user's key or password, and the network."
    )
    return ServiceUnavailableError(f"{place(settings)} does not do what it is asked ({error}).", remedy)
