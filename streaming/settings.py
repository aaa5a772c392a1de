"""The one settings object: where values come from, what they mean, and what is a valid combination.

What belongs here: every value a user may set, with its environment name, default and meaning. What does
not: constants of a venue (`streaming.exchanges.<venue>`), of Kafka topics (`streaming.topics`) or of the
local stack's memory sizes (`infra.local`).

Values come from the environment (a secret also from the file that `<NAME>_FILE` names), then from one TOML
file (`CRYPTO_CONFIG`, default `crypto-platform.toml` in the working directory, keys are the environment
names), then the defaults here.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from streaming import pairs as pair_rules
from streaming import topics
from streaming.errors import SettingsError
from streaming.pairs import PairChoice

LOOPBACK = "127.0.0.1"
EXCHANGES = ("okx", "binance", "coinbase", "kraken", "bybit")
"""Every exchange that can be a source, by its setting's word."""
PLACED = (
    "dagster-webserver",
    "emulator",
    "flink-jobmanager",
    "flink-jobs",
    "flink-taskmanager-1",
    "flink-taskmanager-2",
    "loader",
    "producer",
    "simulator",
)
"""Services of ours that others of ours ask by the network, by their names in `CRYPTO_HOSTS`."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of the local stack on 127.0.0.1, moved together by `CRYPTO_PORT_OFFSET`."""

    offset: int = 0

    @property
    def kafka(self) -> tuple[int, int, int]:
        """Client listeners of the brokers."""
        return (9092 + self.offset, 9093 + self.offset, 9094 + self.offset)

    @property
    def kafka_controllers(self) -> tuple[int, int, int]:
        """KRaft controller listeners."""
        return (19091 + self.offset, 19092 + self.offset, 19093 + self.offset)

    @property
    def flink_rest(self) -> int:
        return 8081 + self.offset

    @property
    def flink_rpc(self) -> int:
        return 6123 + self.offset

    @property
    def flink_blob(self) -> int:
        return 6124 + self.offset

    @property
    def dagster(self) -> int:
        return 3000 + self.offset

    @property
    def dagster_code(self) -> int:
        return 4000 + self.offset

    @property
    def dashboard(self) -> int:
        return 8000 + self.offset

    @property
    def emulator(self) -> int:
        return 8085 + self.offset

    @property
    def simulator(self) -> int:
        return 8765 + self.offset

    @property
    def metrics_producers(self) -> tuple[int, ...]:
        """One for each exchange that is read at once."""
        return tuple(port + self.offset for port in (9100, 9103, 9104, 9105, 9106))

    @property
    def metrics_loader(self) -> int:
        return 9101 + self.offset

    @property
    def metrics_flink_jobs(self) -> int:
        return 9102 + self.offset

    @property
    def metrics_flink(self) -> tuple[int, int, int]:
        """Prometheus reporters of the JobManager and the two TaskManagers."""
        return (9110 + self.offset, 9111 + self.offset, 9112 + self.offset)

    @property
    def metrics_kafka(self) -> tuple[int, int, int]:
        """JMX exporters within the brokers."""
        return (9120 + self.offset, 9121 + self.offset, 9122 + self.offset)


def _env(name: str, default: Any = ..., **extra: Any) -> Any:
    return Field(default, validation_alias=AliasChoices(name), **extra)


class Settings(BaseModel):
    """All settings. Build it with `load()`; it is immutable and safe to print (secrets are masked)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    home: Path = _env(
        "CRYPTO_HOME",
        Path(".local"),
        description="Folder for everything the platform writes: data, logs, jars",
    )
    port_offset: Annotated[int, Field(ge=0, le=30000)] = _env(
        "CRYPTO_PORT_OFFSET",
        0,
        description="Added to every local port, so that two stacks can run side by side",
    )
    listen: str = _env(
        "CRYPTO_LISTEN",
        LOOPBACK,
        description="Address on which servers of ours listen; 0.0.0.0 only in a container, whose ports are "
        "published on 127.0.0.1",
    )
    hosts: str = _env(
        "CRYPTO_HOSTS",
        "",
        description="Where services of ours run, name=host separated by commas; one that is not named runs "
        f"on this machine. Names: {', '.join(PLACED)}",
    )
    jars: Path | None = _env(
        "CRYPTO_JARS", None, description="Folder of the Java archives; unset: jars in CRYPTO_HOME"
    )
    min_free_gib: Annotated[float, Field(ge=0)] = _env(
        "CRYPTO_MIN_FREE_GIB", 2.0, description="Free disk space below which the local stack does not start"
    )
    source: str = _env(
        "CRYPTO_SOURCE",
        "auto",
        description="Where data comes from: exchanges (okx,binance,coinbase,kraken,bybit), the simulated "
        "exchange (sim), or OKX if it answers and else the simulated one (auto)",
    )
    sim_exchanges: str = _env(
        "CRYPTO_SIM_EXCHANGES",
        "okx",
        description="Which exchanges the simulated one stands for, separated by commas",
    )
    pairs: str = _env(
        "CRYPTO_PAIRS",
        ",".join(topics.SEED_PARTITIONS),
        description="Pairs, separated by commas; all-usdt is every pair of that currency. A new pair may "
        "name its partition (DOGE-USDT:5), else it gets one for good",
    )
    instruments_refresh_s: Annotated[float, Field(ge=1, le=86_400)] = _env(
        "CRYPTO_INSTRUMENTS_REFRESH_S",
        3600.0,
        description="Seconds after which an exchange's list of pairs is read again",
    )
    okx_ws_url: str = _env(
        "CRYPTO_OKX_WS_URL",
        "wss://ws.okx.com/ws/v5",
        description="Base of OKX's WebSocket addresses, without /public or /business",
    )
    okx_rest_url: str = _env(
        "CRYPTO_OKX_REST_URL", "https://www.okx.com", description="Base of OKX's REST addresses"
    )
    binance_ws_url: str = _env(
        "CRYPTO_BINANCE_WS_URL",
        "wss://stream.binance.com:443",
        description="Base of Binance's WebSocket addresses, without /stream",
    )
    binance_rest_url: str = _env(
        "CRYPTO_BINANCE_REST_URL",
        "https://api.binance.com",
        description="Base of Binance's REST addresses; its market-data-only host lacks historicalTrades",
    )
    coinbase_ws_url: str = _env(
        "CRYPTO_COINBASE_WS_URL",
        "wss://ws-feed.exchange.coinbase.com",
        description="Address of Coinbase Exchange's WebSocket feed",
    )
    coinbase_rest_url: str = _env(
        "CRYPTO_COINBASE_REST_URL",
        "https://api.exchange.coinbase.com",
        description="Base of Coinbase Exchange's REST addresses",
    )
    kraken_ws_url: str = _env(
        "CRYPTO_KRAKEN_WS_URL",
        "wss://ws.kraken.com",
        description="Base of Kraken's WebSocket addresses, without /v2",
    )
    kraken_rest_url: str = _env(
        "CRYPTO_KRAKEN_REST_URL",
        "https://api.kraken.com",
        description="Base of Kraken's REST addresses, without /0",
    )
    bybit_ws_url: str = _env(
        "CRYPTO_BYBIT_WS_URL",
        "wss://stream.bybit.com/v5/public",
        description="Base of Bybit's WebSocket addresses, without /spot",
    )
    bybit_rest_url: str = _env(
        "CRYPTO_BYBIT_REST_URL",
        "https://api.bybit.com",
        description="Base of Bybit's REST addresses, without /v5",
    )
    sim_mode: Literal["generate", "replay"] = _env(
        "CRYPTO_SIM_MODE",
        "generate",
        description="Simulated exchange: seeded generator or replay of a recording",
    )
    sim_seed: int = _env("CRYPTO_SIM_SEED", 7, description="Seed of the generator; same seed, same market")
    sim_trades_per_second: Annotated[float, Field(ge=5, le=20000)] = _env(
        "CRYPTO_SIM_TRADES_PER_SECOND", 75.0, description="Trades a second of the generator, over all pairs"
    )
    sim_tickers_per_second: Annotated[float, Field(ge=0, le=50)] = _env(
        "CRYPTO_SIM_TICKERS_PER_SECOND", 10.0, description="Most ticker pushes a second and pair (OKX: 10)"
    )
    sim_pairs: Annotated[int, Field(ge=5, le=1000)] = _env(
        "CRYPTO_SIM_PAIRS", 50, description="How many pairs the simulated exchange lists, for all-usdt"
    )
    sim_recording: Path | None = _env(
        "CRYPTO_SIM_RECORDING", None, description="Folder with the Parquet files to replay"
    )
    sim_speed: Annotated[float, Field(gt=0, le=10000)] = _env(
        "CRYPTO_SIM_SPEED", 1.0, description="Pace of a replay: 1 is the original, 10 is ten times faster"
    )
    producer_id: str = _env(
        "CRYPTO_PRODUCER_ID", "producer-1", description="Name of this producer in its records"
    )
    producer_spool_mib: Annotated[int, Field(ge=0, le=1_048_576)] = _env(
        "CRYPTO_PRODUCER_SPOOL_MIB",
        1024,
        description="Most MiB on disk, per exchange, of what waits while Kafka is away; 0: reading waits",
    )
    control_backend: Literal["auto", "docker", "external"] = _env(
        "CRYPTO_CONTROL_BACKEND",
        "auto",
        description="Who runs the components that Dagster manages: the local supervisor for what the stack "
        "runs (auto), a Docker engine (docker), or others for all of them, so that Dagster only looks "
        "(external)",
    )
    docker_stack: str = _env(
        "CRYPTO_DOCKER_STACK",
        "crypto-platform",
        description="Value of the label crypto-platform.stack that this platform's containers carry",
    )
    alert_webhook_url: SecretStr | None = _env(
        "CRYPTO_ALERT_WEBHOOK_URL", None, description="Where alerts are posted as JSON; unset: nowhere"
    )
    alert_slack_token: SecretStr | None = _env(
        "CRYPTO_ALERT_SLACK_TOKEN", None, description="Token of the Slack app that posts alerts"
    )
    alert_slack_channel: str = _env(
        "CRYPTO_ALERT_SLACK_CHANNEL", "#crypto-platform", description="Slack channel of the alerts"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _env(
        "CRYPTO_LOG_LEVEL", "info", description="Least severe level that is logged"
    )
    loader_engine: Literal["batch", "streaming"] = _env(
        "CRYPTO_LOADER_ENGINE",
        "batch",
        description="How rows travel: in transactions (batch), or by Snowpipe Streaming (streaming), which "
        "needs an account and keeps its warehouse asleep",
    )
    loader_batch_rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = _env(
        "CRYPTO_LOADER_BATCH_ROWS",
        None,
        description="Rows after which the loader writes a batch; unset: by engine (50,000; batch on an "
        "account 250,000)",
    )
    loader_batch_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = _env(
        "CRYPTO_LOADER_BATCH_MS",
        None,
        description="Milliseconds after which the loader writes what it has; unset: by engine (emulator "
        "200; streaming 1,000; batch on an account 300,000)",
    )
    loader_merge_ms: Annotated[int, Field(ge=1, le=86_400_000)] = _env(
        "CRYPTO_LOADER_MERGE_MS",
        900_000,
        description="Engine streaming: milliseconds between merges of bars, quotes, anomalies and gaps, "
        "which Snowpipe Streaming cannot replace; each merge wakes the warehouse",
    )
    loader_raw_tickers: bool = _env(
        "CRYPTO_LOADER_RAW_TICKERS",
        False,
        description="Load every ticker into RAW.TICKERS besides the one-second quote bars made of them",
    )
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = _env(
        "CRYPTO_METRICS_PORT",
        None,
        description="Port of this process's /metrics; set by the stack, 0 switches it off",
    )
    retention: str = _env(
        "CRYPTO_RETENTION",
        "RAW.TRADES=30,RAW.TICKERS=8,RAW.DEAD_LETTERS=30,MARKET.QUOTE_BARS_1S=90,OPS.LATE_TRADES=30",
        description="Days for which rows are kept before they are exported to Parquet and deleted, by table; "
        "a table that is not named is kept",
    )
    history_start: date = _env(
        "CRYPTO_HISTORY_START",
        date(2025, 1, 1),
        description="First day (UTC) for which rollups can be computed",
    )

    anomaly_spike_mads: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_SPIKE_MADS", 10.0, description="price_spike: scaled MADs of the returns to be flagged"
    )
    anomaly_spike_floor_bp: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_SPIKE_FLOOR_BP", 1.0, description="price_spike: least scaled MAD, in basis points"
    )
    anomaly_outlier_sigmas: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_OUTLIER_SIGMAS", 3.0, description="trade_outlier: standard deviations to be flagged"
    )
    anomaly_outlier_granularity_bp: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_OUTLIER_GRANULARITY_BP",
        5.0,
        description="trade_outlier: distance added to them, so that flat prices survive, in basis points",
    )
    anomaly_margin_spreads: Annotated[float, Field(ge=0)] = _env(
        "CRYPTO_ANOMALY_MARGIN_SPREADS",
        1.0,
        description="outside_quote: spreads that a trade may be outside of bid and ask",
    )
    anomaly_margin_bp: Annotated[float, Field(ge=0)] = _env(
        "CRYPTO_ANOMALY_MARGIN_BP", 10.0, description="outside_quote: basis points it always may be outside"
    )
    anomaly_quote_max_age_s: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_QUOTE_MAX_AGE_S",
        5.0,
        description="Seconds for which a quote judges trades and other exchanges' quotes",
    )
    anomaly_spread_medians: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_SPREAD_MEDIANS", 50.0, description="wide_spread: median spreads to be flagged"
    )
    anomaly_spread_floor_bp: Annotated[float, Field(ge=0)] = _env(
        "CRYPTO_ANOMALY_SPREAD_FLOOR_BP", 10.0, description="wide_spread: never flagged below, basis points"
    )
    anomaly_burst_medians: Annotated[float, Field(gt=1)] = _env(
        "CRYPTO_ANOMALY_BURST_MEDIANS",
        100.0,
        description="volume_burst: median volumes of a quarter second to be flagged",
    )
    anomaly_stale_min_s: Annotated[float, Field(gt=0, le=55)] = _env(
        "CRYPTO_ANOMALY_STALE_MIN_S", 5.0, description="stale_feed: least silence to be flagged, seconds"
    )
    anomaly_stale_gaps: Annotated[float, Field(gt=1)] = _env(
        "CRYPTO_ANOMALY_STALE_GAPS", 10.0, description="stale_feed: mean gaps between ticks to be flagged"
    )
    anomaly_venue_bp: Annotated[float, Field(gt=0)] = _env(
        "CRYPTO_ANOMALY_VENUE_BP",
        10.0,
        description="venue_deviation: distance from the other exchanges' median to be flagged, basis points",
    )
    anomaly_venue_mads: Annotated[float, Field(ge=0)] = _env(
        "CRYPTO_ANOMALY_VENUE_MADS",
        5.0,
        description="venue_deviation: and median absolute deviations of the others that it must exceed",
    )

    kafka_bootstrap_servers: str | None = _env(
        "KAFKA_BOOTSTRAP_SERVERS",
        None,
        description="Brokers, host:port separated by commas; unset: the local ones",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = _env(
        "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", description="How clients talk to the brokers"
    )
    kafka_sasl_mechanism: str | None = _env("KAFKA_SASL_MECHANISM", None, description="e.g. SCRAM-SHA-512")
    kafka_sasl_username: str | None = _env("KAFKA_SASL_USERNAME", None, description="SASL user")
    kafka_sasl_password: SecretStr | None = _env("KAFKA_SASL_PASSWORD", None, description="SASL password")
    kafka_ssl_ca_location: Path | None = _env(
        "KAFKA_SSL_CA_LOCATION", None, description="PEM file of the brokers' CA"
    )

    kafka_prometheus: bool = _env(
        "CRYPTO_KAFKA_PROMETHEUS", False, description="Serve the local brokers' own metrics, on 127.0.0.1"
    )
    flink_prometheus: bool = _env(
        "CRYPTO_FLINK_PROMETHEUS",
        False,
        description="Serve the local Flink's own metrics; its reporter listens on all network interfaces",
    )
    flink_rest_url: str | None = _env(
        "FLINK_REST_URL", None, description="Flink's REST address; unset: the local one"
    )

    snowflake_account: str | None = _env(
        "SNOWFLAKE_ACCOUNT", None, description="Account identifier; unset: the embedded emulator"
    )
    snowflake_user: str = _env("SNOWFLAKE_USER", "CRYPTO_PLATFORM", description="User")
    snowflake_password: SecretStr | None = _env(
        "SNOWFLAKE_PASSWORD", None, description="Password, if no key is used"
    )
    snowflake_private_key_path: Path | None = _env(
        "SNOWFLAKE_PRIVATE_KEY_PATH", None, description="PEM file of the user's private key"
    )
    snowflake_private_key_passphrase: SecretStr | None = _env(
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", None, description="Passphrase of that key"
    )
    snowflake_role: str | None = _env("SNOWFLAKE_ROLE", None, description="Role")
    snowflake_warehouse: str | None = _env("SNOWFLAKE_WAREHOUSE", None, description="Warehouse")
    snowflake_database: str = _env("SNOWFLAKE_DATABASE", "CRYPTO", description="Database of all schemas")

    @field_validator("pairs")
    @classmethod
    def _pairs_are_well_formed(cls, value: str) -> str:
        pair_rules.parse(value)
        return value

    @field_validator("hosts")
    @classmethod
    def _hosts_are_of_our_services(cls, value: str) -> str:
        for name, host in _hosts(value).items():
            if name not in PLACED or not host:
                raise ValueError(f"{name!r} is not name=host with one of the names {', '.join(PLACED)}")
        return value

    @field_validator("source", "sim_exchanges")
    @classmethod
    def _exchanges_are_known(cls, value: str, info: ValidationInfo) -> str:
        names = [name.strip().lower() for name in value.split(",")]
        if info.field_name == "source" and names in (["auto"], ["sim"]):
            return names[0]
        for name in names:
            if name not in EXCHANGES or names.count(name) > 1:
                raise ValueError(
                    f"{name!r} is not an exchange, or stands twice; there are {', '.join(EXCHANGES)}"
                )
        return ",".join(names)

    @property
    def ports(self) -> Ports:
        return Ports(self.port_offset)

    def host(self, service: str) -> str:
        """Where `service`, one of `PLACED`, is asked."""
        return _hosts(self.hosts).get(service, LOOPBACK)

    @property
    def jar_folder(self) -> Path:
        """Java archives, in a folder for each group of `infra.local.jars`."""
        return (self.jars or self.home / "jars").absolute()

    @property
    def exchanges(self) -> tuple[str, ...]:
        """The exchanges that are read, by their setting's words; with `auto`, OKX."""
        if self.source == "auto":
            return ("okx",)
        return tuple((self.sim_exchanges if self.source == "sim" else self.source).split(","))

    @property
    def pair_choice(self) -> PairChoice:
        """Which pairs to read."""
        return pair_rules.parse(self.pairs)

    @property
    def partitions(self) -> dict[str, int]:
        """The partition of each pair that is named, in that order, as far as the configuration tells: a new
        pair without a partition is left out (`streaming.pair_registry` knows)."""
        choice = self.pair_choice
        settled = [
            p for p, wanted in choice.named.items() if p in topics.SEED_PARTITIONS or wanted is not None
        ]
        return pair_rules.place(settled, choice, {})

    @property
    def uses_local_kafka(self) -> bool:
        return self.kafka_bootstrap_servers is None

    @property
    def uses_local_flink(self) -> bool:
        return self.flink_rest_url is None

    @property
    def uses_emulator(self) -> bool:
        return self.snowflake_account is None

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka_bootstrap_servers or ",".join(f"{LOOPBACK}:{port}" for port in self.ports.kafka)

    @property
    def flink_url(self) -> str:
        local = f"http://{self.host('flink-jobmanager')}:{self.ports.flink_rest}"
        return (self.flink_rest_url or local).rstrip("/")

    @property
    def flink_page(self) -> str:
        """Flink's address for a browser on this machine."""
        return (self.flink_rest_url or f"http://{LOOPBACK}:{self.ports.flink_rest}").rstrip("/")

    @property
    def log_folder(self) -> Path:
        return self.home / "logs"

    @property
    def simulator_url(self) -> str:
        return f"http://{self.host('simulator')}:{self.ports.simulator}"

    def kafka_client_config(self) -> dict[str, str | int]:
        """The librdkafka properties that every client of ours shares: address and security."""
        config: dict[str, str | int] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
        }
        if self.kafka_sasl_mechanism:
            config["sasl.mechanism"] = self.kafka_sasl_mechanism
        if self.kafka_sasl_username:
            config["sasl.username"] = self.kafka_sasl_username
        if self.kafka_sasl_password:
            config["sasl.password"] = self.kafka_sasl_password.get_secret_value()
        if self.kafka_ssl_ca_location:
            config["ssl.ca.location"] = str(self.kafka_ssl_ca_location)
        return config

    def printable(self) -> dict[str, str]:
        """Every setting by its environment name, secrets masked."""
        names = environment_names()
        return {names[field]: str(value) for field, value in self if value is not None}


def _hosts(value: str) -> dict[str, str]:
    entries = (entry.partition("=") for entry in value.split(",") if entry.strip())
    return {name.strip(): host.strip() for name, _, host in entries}


def environment_names() -> dict[str, str]:
    """The environment name of each field."""
    names: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        assert isinstance(alias, AliasChoices)
        names[field] = str(alias.choices[0])
    return names


def secret_names() -> tuple[str, ...]:
    """Environment names of secrets; each may be given as a file instead, named by `<NAME>_FILE`."""
    names = environment_names()
    return tuple(
        names[field] for field, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)
    )


def _secret_files(environment: dict[str, str]) -> dict[str, str]:
    found = {}
    for name in secret_names():
        path = environment.get(f"{name}_FILE")
        if not path:
            continue
        if environment.get(name):
            raise SettingsError(f"{name} and {name}_FILE are both set.", "Unset one of them.")
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{name}_FILE names {path}, which cannot be read: {error}.", "Correct or unset it."
            ) from error
    return found


def _config_file(environment: dict[str, str]) -> dict[str, Any]:
    named = environment.get("CRYPTO_CONFIG")
    path = Path(named or "crypto-platform.toml")
    if not path.exists():
        if named:
            raise SettingsError(
                f"CRYPTO_CONFIG names {path}, which does not exist.", "Create it or unset the variable."
            )
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"The configuration file {path} cannot be read: {error}.", "Correct it."
        ) from error


def load(environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings from the environment, the TOML file and `overrides` (by field name).

    Raises:
        SettingsError: the first malformed, unknown or contradictory setting, by its name, with the remedy.
    """
    environment = dict(os.environ) if environment is None else environment
    names = environment_names()
    known = set(names.values())
    merged: dict[str, Any] = _config_file(environment)
    merged |= {k: v for k, v in environment.items() if k in known and v != ""}
    merged |= {k: v for k, v in _secret_files(environment).items() if v}
    elsewhere = {"CRYPTO_CONFIG", *(f"{name}_FILE" for name in secret_names())}
    given = [k for k in environment if k.startswith("CRYPTO_") and k not in known | elsewhere]
    given += [k for k in merged if k not in known]
    for name in sorted(given):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`crypto-platform settings` lists them all."
        raise SettingsError(f"There is no setting {name}.", hint)
    merged |= {names[field]: value for field, value in overrides.items()}
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = "" if "PASS" in name else f" (it is {first['input']!r})"
        raise SettingsError(f"{name} is not valid{shown}: {first['msg']}.", "Correct or unset it.") from None
    _refuse_contradictions(settings)
    return settings


def _refuse_contradictions(settings: Settings) -> None:
    for name, url, schemes in (
        ("CRYPTO_OKX_WS_URL", settings.okx_ws_url, ("ws://", "wss://")),
        ("CRYPTO_OKX_REST_URL", settings.okx_rest_url, ("http://", "https://")),
        ("CRYPTO_BINANCE_WS_URL", settings.binance_ws_url, ("ws://", "wss://")),
        ("CRYPTO_BINANCE_REST_URL", settings.binance_rest_url, ("http://", "https://")),
        ("CRYPTO_COINBASE_WS_URL", settings.coinbase_ws_url, ("ws://", "wss://")),
        ("CRYPTO_COINBASE_REST_URL", settings.coinbase_rest_url, ("http://", "https://")),
        ("CRYPTO_KRAKEN_WS_URL", settings.kraken_ws_url, ("ws://", "wss://")),
        ("CRYPTO_KRAKEN_REST_URL", settings.kraken_rest_url, ("http://", "https://")),
        ("CRYPTO_BYBIT_WS_URL", settings.bybit_ws_url, ("ws://", "wss://")),
        ("CRYPTO_BYBIT_REST_URL", settings.bybit_rest_url, ("http://", "https://")),
        ("FLINK_REST_URL", settings.flink_url, ("http://", "https://")),
    ):
        if not url.startswith(schemes) or len(url.split("://", 1)[1]) == 0:
            raise SettingsError(
                f"{name} is {url!r}.", f"It must start with {' or '.join(schemes)} and name a host."
            )
    if settings.sim_mode == "replay" and settings.sim_recording is None:
        raise SettingsError(
            "CRYPTO_SIM_MODE is replay, but CRYPTO_SIM_RECORDING is not set.", "Name the folder."
        )
    if settings.snowflake_account and not (
        settings.snowflake_password or settings.snowflake_private_key_path
    ):
        raise SettingsError(
            "SNOWFLAKE_ACCOUNT is set, but neither SNOWFLAKE_PRIVATE_KEY_PATH nor SNOWFLAKE_PASSWORD.",
            "Set a key (recommended) or a password, or unset the account to use the emulator.",
        )
    if settings.loader_engine == "streaming" and not (
        settings.snowflake_account and settings.snowflake_private_key_path
    ):
        raise SettingsError(
            "CRYPTO_LOADER_ENGINE is streaming, which needs SNOWFLAKE_ACCOUNT and "
            "SNOWFLAKE_PRIVATE_KEY_PATH: no emulator speaks Snowpipe Streaming.",
            "Set both, or take the engine batch.",
        )
    if settings.kafka_security_protocol.startswith("SASL") and not settings.kafka_sasl_mechanism:
        raise SettingsError(
            f"KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol} without KAFKA_SASL_MECHANISM.",
            "Set it, for example to SCRAM-SHA-512.",
        )
