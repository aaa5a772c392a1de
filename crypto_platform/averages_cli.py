"""`crypto-platform moving-average`: the example consumer, live SMA and EMA of every pair.

What belongs here: arguments, reading the clean trades, and how it looks. What does not: the arithmetic
(`crypto_platform.averages`). It is meant to be read: a consumer of the platform needs no more than this.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.live import Live
from rich.table import Table

from crypto_platform import terminal
from crypto_platform.averages import PLACES, Averages
from crypto_platform.dashboard.numbers import plain
from crypto_platform.interrupts import terminate_as_interrupt
from streaming import settings as settings_module
from streaming import topics
from streaming.errors import ServiceUnavailableError, SettingsError
from streaming.kafka import consumer, watermarks
from streaming.records import CleanTrade
from streaming.settings import Settings

_POLL_S = 0.2
_BATCH = 500
_ANSWER_S = 5.0

Markets = dict[tuple[str, str], Averages]


def moving_average(
    pair: Annotated[
        list[str] | None, typer.Option(help="Only this pair; may be given several times.")
    ] = None,
    window: Annotated[int, typer.Option(min=1, max=100_000, help="Trades in the window.")] = 100,
    seconds: Annotated[float, typer.Option(min=0, help="End after this; 0: when Ctrl-C says so.")] = 0.0,
    every: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two outputs.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines instead of a table.")] = False,
) -> None:
    """Watch live simple and exponential moving averages of each pair's trades (the example consumer).

    Examples: `crypto-platform moving-average`, `crypto-platform moving-average --pair BTC-USDT --window 20`.
    """
    settings = settings_module.load()
    wanted = frozenset(pair or ())
    named = settings.pair_choice
    for name in sorted(wanted):
        if not named.quotes and name not in named.named:
            raise SettingsError(
                f"{name} is not among the pairs that are read.", f"There are {', '.join(named.named)}."
            )
    live = terminal.out.is_terminal and not as_json
    markets: Markets = {}
    with (
        terminate_as_interrupt(),
        Live(console=terminal.out, auto_refresh=False) if live else _nothing() as view,
    ):
        try:
            for _ in follow(settings, markets, wanted, window, seconds, every):
                if isinstance(view, Live):
                    view.update(table(markets, window), refresh=True)
                else:
                    for line in lines(markets, as_json=as_json):
                        typer.echo(line)
        except KeyboardInterrupt:
            return


class _nothing:
    """Stands for the live table where there is no terminal."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None


def follow(
    settings: Settings, markets: Markets, wanted: frozenset[str], window: int, seconds: float, every: float
) -> Iterator[None]:
    """Read clean trades from now on into `markets`, and yield whenever it is time to show them."""
    partitions = _partitions(settings)
    client = consumer(settings, f"moving-average-{uuid.uuid4()}", auto_offset_reset="latest")
    decoder = msgspec.json.Decoder(CleanTrade)
    begun_s = shown_s = time.monotonic()
    try:
        _assign_the_ends(client, settings, partitions)
        while not seconds or time.monotonic() - begun_s < seconds:
            first = client.poll(_POLL_S)
            for message in () if first is None else (first, *client.consume(_BATCH, timeout=0)):
                if message.error() is not None:
                    if message.error().code() == KafkaError._ALL_BROKERS_DOWN:
                        raise _unavailable(settings, message.error().str())
                    continue
                trade = decoder.decode(message.value() or b"")
                if not wanted or trade.pair in wanted:
                    key = (trade.pair, trade.exchange)
                    markets.setdefault(key, Averages(window)).add(trade.trade_id, trade.price)
            if time.monotonic() - shown_s >= every:
                shown_s = time.monotonic()
                yield
    finally:
        client.close()


def _partitions(settings: Settings) -> list[int]:
    """The partitions of the clean trades, asked for quietly: a Kafka that is away is one line, not many."""
    client = AdminClient(settings.kafka_client_config() | {"log_level": 0})
    try:
        known = client.list_topics(topics.CLEAN_TRADES, timeout=_ANSWER_S).topics[topics.CLEAN_TRADES]
    except KafkaException as error:
        raise _unavailable(settings, error.args[0].str()) from error
    return sorted(known.partitions)


def _assign_the_ends(client: Consumer, settings: Settings, partitions: list[int]) -> None:
    try:
        ends = watermarks(client, topics.CLEAN_TRADES, partitions)
    except KafkaException as error:
        raise _unavailable(settings, error.args[0].str()) from error
    client.assign([TopicPartition(topics.CLEAN_TRADES, n, high) for n, (_, high) in ends.items()])


def _unavailable(settings: Settings, reason: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"Kafka at {settings.bootstrap_servers} does not answer ({reason}).",
        "`crypto-platform up` starts it.",
    )


def table(markets: Markets, window: int) -> Table:
    """The averages now; a window that is not full yet says how much of it there is."""
    shown = Table("pair", "exchange", "trades", "price", f"SMA {window}", f"EMA {window}", box=None)
    for column in shown.columns[2:]:
        column.justify = "right"
    for (pair, exchange), found in sorted(markets.items()):
        sign = "▲" if found.price > found.ema else "▼" if found.price < found.ema else "●"
        part = "" if found.full else f" ({found.count} of {window})"
        shown.add_row(
            pair,
            exchange,
            f"{found.count:,}",
            f"{sign} {plain(found.price)}",
            plain(found.sma.quantize(PLACES)) + part,
            plain(found.ema.quantize(PLACES)),
        )
    return shown


def lines(markets: Markets, *, as_json: bool) -> Iterator[str]:
    """The averages now, a line a market, for programs and files."""
    for (pair, exchange), found in sorted(markets.items()):
        values = {
            "pair": pair,
            "exchange": exchange,
            "trades": found.count,
            "price": plain(found.price),
            "sma": plain(found.sma.quantize(PLACES)),
            "ema": plain(found.ema.quantize(PLACES)),
            "full": found.full,
        }
        yield (
            json.dumps(values)
            if as_json
            else " ".join(
                f"{name}={str(value).lower() if isinstance(value, bool) else value}"
                for name, value in values.items()
            )
        )
