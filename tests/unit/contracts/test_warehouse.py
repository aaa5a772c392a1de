"""Parameters of a connection to the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from snowflake.connector.errors import OperationalError

from streaming import settings as settings_module
from streaming import warehouse
from streaming.errors import ServiceUnavailableError

ACCOUNT = {
    "SNOWFLAKE_ACCOUNT": "org-acct",
    "SNOWFLAKE_USER": "LOADER",
    "SNOWFLAKE_ROLE": "CRYPTO_LOADER",
    "SNOWFLAKE_WAREHOUSE": "CRYPTO_LOAD_WH",
}


def parameters(**environment: str) -> dict[str, Any]:
    return warehouse.connection_parameters(settings_module.load(environment))


def test_without_an_account_the_emulator_on_loopback_is_used() -> None:
    found = parameters(CRYPTO_PORT_OFFSET="7")
    assert (found["host"], found["port"], found["protocol"]) == ("127.0.0.1", 8092, "http")
    assert found["session_parameters"]["nop_regexes"] == list(warehouse.EMULATOR_SKIPS)


def test_an_account_is_reached_with_its_key_role_and_warehouse() -> None:
    found = parameters(
        **ACCOUNT, SNOWFLAKE_PRIVATE_KEY_PATH="/keys/loader.pem", SNOWFLAKE_PRIVATE_KEY_PASSPHRASE="hush"
    )
    assert found["account"] == "org-acct"
    assert (found["role"], found["warehouse"]) == ("CRYPTO_LOADER", "CRYPTO_LOAD_WH")
    assert (found["private_key_file"], found["private_key_file_pwd"]) == ("/keys/loader.pem", "hush")
    assert not {"password", "host", "port", "protocol"} & found.keys()
    assert "nop_regexes" not in found["session_parameters"]


def test_a_key_goes_before_a_password() -> None:
    found = parameters(**ACCOUNT, SNOWFLAKE_PRIVATE_KEY_PATH="/k.pem", SNOWFLAKE_PASSWORD="secret")
    assert "password" not in found
    assert parameters(**ACCOUNT, SNOWFLAKE_PASSWORD="secret")["password"] == "secret"


@pytest.mark.parametrize("environment", [{}, ACCOUNT | {"SNOWFLAKE_PASSWORD": "secret"}])
def test_every_connection_is_bounded_quiet_and_in_utc(environment: dict[str, str]) -> None:
    found = parameters(**environment)
    assert found["network_timeout"] > 0
    assert found["login_timeout"] > 0
    assert found["session_parameters"]["TIMEZONE"] == "UTC"
    assert found["session_parameters"]["CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED"] is False


class RecordingConnection:
    """Remembers statements; fails at one of them."""

    def __init__(self, fails_at: str = "") -> None:
        self.statements: list[str] = []
        self.fails_at = fails_at
        self.closed = False

    def cursor(self) -> RecordingConnection:
        return self

    def execute(self, statement: str) -> None:
        self.statements.append(statement)
        if statement == self.fails_at:
            raise OperationalError("gone")

    def close(self, retry: bool) -> None:
        self.closed = True


def test_a_transaction_commits_what_its_block_did() -> None:
    connection = RecordingConnection()
    with warehouse.transaction(connection):  # type: ignore[arg-type]
        connection.execute("INSERT")
    assert connection.statements == ["BEGIN", "INSERT", "COMMIT"]


@pytest.mark.parametrize("fails_at", ["INSERT", "COMMIT"])
def test_a_failed_transaction_is_rolled_back(fails_at: str) -> None:
    connection = RecordingConnection(fails_at)
    with pytest.raises(OperationalError), warehouse.transaction(connection):  # type: ignore[arg-type]
        connection.execute("INSERT")
    assert connection.statements[-1] == "ROLLBACK"


def test_a_broken_connection_is_closed_instead_of_rolled_back() -> None:
    connection = RecordingConnection("ROLLBACK")
    warehouse.roll_back(connection)  # type: ignore[arg-type]
    assert connection.closed


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(ServiceUnavailableError) as failure:
        yield
    assert "emulator" in failure.value.what
    assert failure.value.remedy


def test_a_warehouse_that_does_not_answer_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(warehouse.snowflake.connector, "connect", fail)
    with refused():
        warehouse.open_connection(settings_module.load({}))
