"""The three producers: where each is installed, how it is started, where its trades end up in Kafka.

What belongs here: what differs between them. What does not: measuring (`arena`) and judging
(`tests.benchmarks.compare_producers`).

cryptofeed and bbo-tap live in environments of their own, made at run time and never part of the platform's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from streaming import pairs, topics
from streaming.errors import PlatformError
from streaming.records import Trade
from streaming.settings import LOOPBACK, Settings
from tests.integration.platform_process import Platform

OURS: Final = "this platform"
CRYPTOFEED: Final = "cryptofeed"
BBO_TAP: Final = "bbo-tap"
REQUIREMENTS: Final = {CRYPTOFEED: "cryptofeed[kafka]==3.0.1", BBO_TAP: "bbo-tap==0.3.0"}
NEEDED_PYTHON: Final = ">=3.13"
BBO_TAP_PARTITIONS: Final = 5
INSTALL_TIMEOUT_S: Final = 600
_LAUNCHERS: Final = Path(__file__).parent


class InstallError(PlatformError):
    """A contestant's own environment could not be made."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A producer to measure.

    `topics` are its trade topics with their partitions, created before it starts. `trade` reads (pair, trade
    id) from a message's value, None when it is no trade. Those in `emptied` are emptied before a start, so
    that it begins where the feed is instead of back-filling what it was not there for.
    """

    name: str
    how: str
    command: Sequence[str]
    topics: Mapping[str, int]
    trade: Callable[[bytes], tuple[str, int] | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    other_topics: Mapping[str, int] = field(default_factory=dict)
    emptied: Sequence[str] = ()


class _OkxRow(msgspec.Struct):
    instId: str
    tradeId: str


class _OkxPush(msgspec.Struct):
    data: list[_OkxRow] = []


class _BboTapRecord(msgspec.Struct):
    payload: str


class _CryptofeedTrade(msgspec.Struct):
    symbol: str
    id: str


def _our_trade(value: bytes) -> tuple[str, int]:
    record = msgspec.json.decode(value, type=Trade)
    return record.pair, record.trade_id


def _cryptofeed_trade(value: bytes) -> tuple[str, int]:
    record = msgspec.json.decode(value, type=_CryptofeedTrade)
    return record.symbol, int(record.id)


def _bbo_tap_trade(value: bytes) -> tuple[str, int] | None:
    payload = msgspec.json.decode(value, type=_BboTapRecord).payload
    if payload == "pong":
        return None
    rows = msgspec.json.decode(payload, type=_OkxPush).data
    return (rows[0].instId, int(rows[0].tradeId)) if rows else None


def install(folder: Path, name: str, python: str) -> Path:
    """Make the environment of a contestant in `folder` unless it is there; return its interpreter.

    Args:
        python: an interpreter or a version request, as uv takes it.

    Raises:
        InstallError: no such Python, or the package cannot be installed.
    """
    requirement = REQUIREMENTS[name]
    home = folder / requirement.replace("[kafka]", "").replace("==", "-")
    interpreter = home / "bin" / "python"
    ready = home / ".installed"
    if ready.exists():
        return interpreter
    uv = Path(sys.executable).with_name("uv")
    # pyenv's shims answer only for the versions that are switched on; the interpreters behind them always do.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    path = os.pathsep.join(
        [os.environ.get("PATH", ""), *(str(v / "bin") for v in sorted(pyenv.glob("3.1?*")))]
    )
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"PATH": path}
    for command in (
        [uv, "venv", "--clear", "--no-project", "--python", python, home],
        [uv, "pip", "install", "--python", interpreter, requirement],
    ):
        result = subprocess.run(
            [str(part) for part in command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
        if result.returncode != 0:
            reason = " ".join(result.stderr.strip().splitlines()[-3:])
            raise InstallError(
                f"{requirement} could not be installed in {home}: {reason}",
                "It needs Python 3.13 or newer: name one with --python.",
            )
    ready.touch()
    return interpreter


def ours(platform: Platform, ws_url: str, rest_url: str) -> Contestant:
    """The platform's producer with its own defaults."""
    settings = platform.settings
    partitions = pairs.partition_count(settings.partitions)
    return Contestant(
        OURS,
        "trades-all, RF 3, acks=all, idempotent, gapless, snappy, linger as shipped; gap ledger, /metrics on",
        [sys.executable, "-m", "streaming.producer"],
        {topics.TRADES: partitions},
        _our_trade,
        environment=platform.process_environment()
        | {"CRYPTO_SOURCE": "okx", "CRYPTO_OKX_WS_URL": f"{ws_url}/ws/v5", "CRYPTO_OKX_REST_URL": rest_url},
        emptied=[topics.TRADES, topics.GAPS],
    )


def cryptofeed(settings: Settings, interpreter: Path, ws_url: str, rest_url: str) -> Contestant:
    """cryptofeed with `TradeKafka`, its defaults and the producer options of its docstring."""
    names = list(settings.partitions)
    return Contestant(
        CRYPTOFEED,
        "trades, RF 3, acks=1 as in TradeKafka's example, its defaults: uvloop, batches of 500",
        [
            *(str(interpreter), str(_LAUNCHERS / "launch_cryptofeed.py"), ws_url, rest_url),
            *(_brokers(settings), *names),
        ],
        {f"trades-OKX-{pair}": 1 for pair in names},
        _cryptofeed_trade,
        environment=_plain_environment(),
    )


def bbo_tap(settings: Settings, interpreter: Path, ws_url: str, folder: Path) -> Contestant:
    """bbo-tap with the configuration of its README; its connector reads `trades` in place of `bbo-tbt`."""
    venues = {
        name: {"enabled": name == "okx", "partition": partition}
        for partition, name in enumerate(("binance", "bybit", "okx", "gate", "kucoin"))
    }
    configuration = folder / "bbo-tap.yaml"
    # YAML reads JSON.
    configuration.write_bytes(
        msgspec.json.encode(
            {
                "redpanda": {"brokers": _brokers(settings).split(",")},
                "exchanges": venues,
                "symbols": {pair: {"okx": pair} for pair in settings.partitions},
            }
        )
    )
    return Contestant(
        BBO_TAP,
        "trades in place of bbo-tbt (it copies frames unread), RF 3, acks=1, zstd, linger 50 ms: all its own",
        [
            *(str(interpreter), str(_LAUNCHERS / "launch_bbo_tap.py"), f"{ws_url}/ws/v5/public"),
            *("--config", str(configuration)),
        ],
        {"raw.ws": BBO_TAP_PARTITIONS},
        _bbo_tap_trade,
        environment=_plain_environment(),
        other_topics={"ref.symbols": 1},
    )


def _brokers(settings: Settings) -> str:
    return ",".join(f"{LOOPBACK}:{port}" for port in settings.ports.kafka)


def _plain_environment() -> dict[str, str]:
    dropped = ("CRYPTO_", "KAFKA_", "SNOWFLAKE_", "PYTHON", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
