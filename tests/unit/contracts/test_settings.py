"""Settings: every wrong value is one clear line that names the setting and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming import settings
from streaming.errors import SettingsError
from streaming.exchanges.registry import VENUES
from streaming.producer.source import SIMULATED_BASES

WRONG = {
    "an unknown setting": (
        {"CRYPTO_PARIS": "BTC-USDT"},
        r"no setting CRYPTO_PARIS\. Did you mean CRYPTO_PAIRS\?",
    ),
    "a lower-case pair": ({"CRYPTO_PAIRS": "btc-usdt"}, r"CRYPTO_PAIRS has 'btc-usdt'.*BASE-QUOTE"),
    "a pair without a quote": ({"CRYPTO_PAIRS": "BTC"}, "CRYPTO_PAIRS has 'BTC'"),
    "a pair named twice": ({"CRYPTO_PAIRS": "BTC-USDT,BTC-USDT"}, "names BTC-USDT twice"),
    "no pair at all": ({"CRYPTO_PAIRS": " , "}, "CRYPTO_PAIRS is empty"),
    "all pairs of no currency": ({"CRYPTO_PAIRS": "all-"}, r"'all-', which names no currency"),
    "a partition that is no number": (
        {"CRYPTO_PAIRS": "DOGE-USDT:x"},
        "has 'DOGE-USDT:x', which is not a pair",
    ),
    "a partition that nobody means": ({"CRYPTO_PAIRS": "DOGE-USDT:99999999999"}, "which is not a pair"),
    "a seed pair on another partition": (
        {"CRYPTO_PAIRS": "BTC-USDT:3"},
        "BTC-USDT on partition 3, but it is on 0",
    ),
    "two pairs on one partition": (
        {"CRYPTO_PAIRS": "DOGE-USDT:5,LTC-USDT:5"},
        "partition 5, which belongs to DOGE-USDT",
    ),
    "a port offset that is no number": (
        {"CRYPTO_PORT_OFFSET": "ten"},
        r"CRYPTO_PORT_OFFSET is not valid \(it is 'ten'\)",
    ),
    "a port offset out of range": ({"CRYPTO_PORT_OFFSET": "-1"}, "CRYPTO_PORT_OFFSET is not valid"),
    "an unknown source": ({"CRYPTO_SOURCE": "mtgox"}, r"CRYPTO_SOURCE is not valid.*mtgox.*there are okx"),
    "a source beside sim": ({"CRYPTO_SOURCE": "okx,sim"}, "CRYPTO_SOURCE is not valid"),
    "an exchange named twice": ({"CRYPTO_SOURCE": "okx,okx"}, "stands twice"),
    "an unknown simulated exchange": ({"CRYPTO_SIM_EXCHANGES": "auto"}, "CRYPTO_SIM_EXCHANGES is not valid"),
    "a WebSocket address with the wrong scheme": (
        {"CRYPTO_OKX_WS_URL": "https://x"},
        "CRYPTO_OKX_WS_URL is 'https://x'.*ws://",
    ),
    "a REST address without a host": ({"CRYPTO_OKX_REST_URL": "https://"}, "CRYPTO_OKX_REST_URL is"),
    "a replay without a recording": ({"CRYPTO_SIM_MODE": "replay"}, "CRYPTO_SIM_RECORDING is not set"),
    "an account without a key or password": ({"SNOWFLAKE_ACCOUNT": "abc"}, "SNOWFLAKE_PRIVATE_KEY_PATH"),
    "a host of a service that is not ours": (
        {"CRYPTO_HOSTS": "kafka=k"},
        "CRYPTO_HOSTS is not valid.*'kafka'",
    ),
    "a service without a host": ({"CRYPTO_HOSTS": "loader"}, "CRYPTO_HOSTS is not valid.*'loader'"),
    "a secret and its file": (
        {"SNOWFLAKE_PASSWORD": "a", "SNOWFLAKE_PASSWORD_FILE": "/b"},
        "SNOWFLAKE_PASSWORD and SNOWFLAKE_PASSWORD_FILE are both set",
    ),
    "a secret's file that is not there": (
        {"CRYPTO_ALERT_SLACK_TOKEN_FILE": "/nowhere"},
        "CRYPTO_ALERT_SLACK_TOKEN_FILE names /nowhere",
    ),
    "SASL without a mechanism": ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM"),
    "a configuration file that is not there": (
        {"CRYPTO_CONFIG": "/nowhere.toml"},
        "CRYPTO_CONFIG names /nowhere.toml",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_names_the_setting_and_the_remedy(case: str) -> None:
    environment, message = WRONG[case]
    with pytest.raises(SettingsError, match=message) as caught:
        settings.load(environment)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_defaults_are_the_five_pairs_on_the_local_stack() -> None:
    loaded = settings.load({})
    assert list(loaded.partitions.items()) == [
        ("BTC-USDT", 0),
        ("ETH-USDT", 1),
        ("SOL-USDT", 2),
        ("BNB-USDT", 3),
        ("XRP-USDT", 4),
    ]
    assert loaded.bootstrap_servers == "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
    assert (loaded.uses_local_kafka, loaded.uses_local_flink, loaded.uses_emulator) == (True, True, True)


def test_services_are_asked_where_they_are_placed_and_else_on_this_machine() -> None:
    placed = settings.load(
        {
            "CRYPTO_HOSTS": "emulator=warehouse, simulator=market,flink-jobmanager=flink",
            "CRYPTO_PORT_OFFSET": "1",
        }
    )
    assert placed.host("emulator") == "warehouse"
    assert placed.host("loader") == "127.0.0.1"
    assert placed.simulator_url == "http://market:8766"
    assert (placed.flink_url, placed.flink_page) == ("http://flink:8082", "http://127.0.0.1:8082")
    assert placed.uses_local_flink


def test_a_secret_may_be_a_file_and_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    for name, text in (("password", "it's secret\n"), ("empty", "")):
        (tmp_path / name).write_text(text)
    loaded = settings.load(
        {
            "SNOWFLAKE_PASSWORD_FILE": str(tmp_path / "password"),
            "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "empty"),
        }
    )
    assert loaded.snowflake_password is not None
    assert loaded.snowflake_password.get_secret_value() == "it's secret"
    assert "it's secret" not in str(loaded.printable())
    assert loaded.kafka_sasl_password is None


def test_java_archives_may_lie_outside_the_data_folder(tmp_path: Path) -> None:
    assert settings.load({"CRYPTO_HOME": str(tmp_path)}).jar_folder == tmp_path / "jars"
    assert settings.load({"CRYPTO_JARS": "/opt/java"}).jar_folder == Path("/opt/java")


def test_more_pairs_take_the_partitions_they_name_in_any_order_of_the_list() -> None:
    one = settings.load({"CRYPTO_PAIRS": "DOGE-USDT:6,BTC-USDT,LTC-USDT:5"}).partitions
    other = settings.load({"CRYPTO_PAIRS": "LTC-USDT:5,DOGE-USDT:6,BTC-USDT"}).partitions
    assert one == other == {"DOGE-USDT": 6, "BTC-USDT": 0, "LTC-USDT": 5}


@pytest.mark.parametrize(
    ("environment", "exchanges"),
    [
        ({}, ("okx",)),
        ({"CRYPTO_SOURCE": "sim"}, ("okx",)),
        ({"CRYPTO_SOURCE": "SIM", "CRYPTO_SIM_EXCHANGES": "okx, Kraken"}, ("okx", "kraken")),
        ({"CRYPTO_SOURCE": "Binance"}, ("binance",)),
        ({"CRYPTO_SOURCE": "okx, bybit ,coinbase"}, ("okx", "bybit", "coinbase")),
    ],
)
def test_a_source_may_be_several_exchanges(environment: dict[str, str], exchanges: tuple[str, ...]) -> None:
    assert settings.load(environment).exchanges == exchanges


def test_every_exchange_that_may_be_named_is_a_venue_with_addresses() -> None:
    assert sorted(settings.EXCHANGES) == sorted(name.lower() for name in VENUES)
    assert sorted(SIMULATED_BASES) == sorted(settings.EXCHANGES)
    assert len(settings.Ports(0).metrics_producers) == len(settings.EXCHANGES)


def test_the_port_offset_moves_every_port() -> None:
    here, there = settings.Ports(0), settings.Ports(100)
    names = [name for name in dir(settings.Ports) if isinstance(getattr(settings.Ports, name), property)]
    assert names

    def flat(ports: settings.Ports) -> list[int]:
        values = [getattr(ports, name) for name in names]
        return [port for value in values for port in (value if isinstance(value, tuple) else (value,))]

    assert flat(there) == [port + 100 for port in flat(here)]
    assert len(set(flat(here))) == len(flat(here)), "two services share a port"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('CRYPTO_PAIRS = "ETH-USDT"\nCRYPTO_PORT_OFFSET = 10\n')
    loaded = settings.load({"CRYPTO_CONFIG": str(file), "CRYPTO_PORT_OFFSET": "20"})
    assert (loaded.pairs, loaded.port_offset, loaded.source) == ("ETH-USDT", 20, "auto")


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("CRYPTO_PORTOFFSET = 10\n")
    with pytest.raises(SettingsError, match="Did you mean CRYPTO_PORT_OFFSET"):
        settings.load({"CRYPTO_CONFIG": str(file)})


def test_secrets_are_never_printed() -> None:
    secret = "hunter2-canary"
    environment = {
        "KAFKA_SASL_PASSWORD": secret,
        "SNOWFLAKE_PASSWORD": secret,
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": secret,
    }
    loaded = settings.load(environment)
    assert secret not in f"{loaded!r}{loaded}{loaded.printable()}"


def test_every_setting_has_a_description() -> None:
    assert [name for name, info in settings.Settings.model_fields.items() if not info.description] == []
