"""The typed records that travel through Kafka, and their JSON form.

What belongs here: the data contract (fields, units, identity, decimal rules) and its one encoder and
decoder. What does not: how a venue's message becomes a record (`streaming.exchanges`), where a record
goes (`streaming.topics`).

Rules of every record:

* prices and sizes are decimal strings in plain notation, exactly as the exchange wrote them;
* `exchange_time_us` is the exchange's own time, `receive_time_ns` ours; one never replaces the other;
* (`producer_id`, `producer_epoch`, `seq`) says who wrote it: `seq` counts from 1 without a gap per
  pair and record type within one epoch, and an epoch is one life of a producer process;
* simulated data carries `simulated: true` and an exchange name that ends in `_SIM`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal

import msgspec

from streaming.errors import RecordError

SCHEMA_VERSION: Final = 1

PRICE_INTEGER_DIGITS: Final = 8
PRICE_SCALE: Final = 10
SIZE_INTEGER_DIGITS: Final = 11
SIZE_SCALE: Final = 8
"""A price fits DECIMAL(18,10) and a size DECIMAL(19,8), so their product fits DECIMAL(38,18) exactly:
Flink and Snowflake then add up quote volumes without rounding."""

SIMULATED_SUFFIX: Final = "_SIM"

Side = Literal["buy", "sell"]
"""The taker's side."""

Source = Literal["ws", "snapshot", "rest"]
"""How a record reached us: live push, first push after a subscription, REST back-fill."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade, or one run of fills that the exchange reported together.

    Identity: (exchange, pair, trade_id). A row covers the ids `first_id..trade_id`, `count` of them.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    first_id: int
    trade_id: int
    count: int
    price: str
    size: str
    side: Side
    exchange_time_us: int
    receive_time_ns: int
    producer_id: str
    producer_epoch: int
    seq: int
    source: Source
    simulated: bool


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one pair's market at one exchange time. A value the exchange left out is None.

    Identity: (exchange, pair, producer_id, producer_epoch, seq). Volumes are of the last 24 hours,
    `base_volume_24h` in the base currency and `quote_volume_24h` in the quote currency.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    bid_price: str | None
    bid_size: str | None
    ask_price: str | None
    ask_size: str | None
    last_price: str | None
    last_size: str | None
    open_24h: str | None
    high_24h: str | None
    low_24h: str | None
    base_volume_24h: str | None
    quote_volume_24h: str | None
    exchange_time_us: int
    receive_time_ns: int
    producer_id: str
    producer_epoch: int
    seq: int
    source: Source
    simulated: bool


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One closed window of one pair: [window_start_ms, window_end_ms) in exchange time.

    Identity: (exchange, pair, window_start_ms). `open` and `close` are the prices of the first and last
    trade by (exchange time, trade id). `vwap` = quote_volume / volume, rounded half up to 10 decimals.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    window_start_ms: int
    window_end_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    vwap: str
    trade_count: int
    first_trade_id: int
    last_trade_id: int
    simulated: bool


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What could not become a record: the raw text as received, where it came from, and why.

    `stage` is the part that refused it (`parse`, `validate`, `load`); `raw` is cut at 64 KiB.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str | None
    stage: str
    reason: str
    raw: str
    receive_time_ns: int
    producer_id: str


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A run of trade ids that was not received: one line of the gap ledger, the latest state wins.

    Identity: (exchange, pair, from_id). `to_id` is inclusive. `status` goes open → filled, or to
    `unrecoverable` when the exchange no longer has the trades.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    from_id: int
    to_id: int
    cause: str
    detected_at_us: int
    filled_at_us: int | None
    status: Literal["open", "filled", "unrecoverable"]
    simulated: bool


Rule = Literal[
    "crossed_quote",
    "wide_spread",
    "outside_quote",
    "price_spike",
    "trade_outlier",
    "volume_burst",
    "stale_feed",
    "venue_deviation",
]
"""The anomaly rules; each is defined, with its source, in the SQL file of its name in
`streaming/flink/sql`."""


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of one rule. What it is about is flagged, never deleted.

    Identity: (exchange, pair, rule, subject_id); a finding that is repeated after a failure has the same one.
    `subject_id` is a trade's id, a quote's `producer_epoch-seq`, or a time from the records where a finding
    stands for a stretch of them. `score` exceeds `threshold`, both in the rule's own unit; they are no
    prices, hence floats. `rule_version` counts changes of the rule's definition. `price` is that of a judged
    trade, `bid_price` and `ask_price` those of a judged quote.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    rule: Rule
    rule_version: int
    subject: Literal["trade", "quote", "pair"]
    subject_id: str
    score: float
    threshold: float
    price: str | None
    bid_price: str | None
    ask_price: str | None
    exchange_time_us: int
    receive_time_ns: int
    simulated: bool


Record = Trade | Ticker | Bar | DeadLetter | Gap | Anomaly

_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The record as one JSON object in UTF-8."""
    return _encoder.encode(record)


def key_of(exchange: str, pair: str) -> bytes:
    """The Kafka message key of a pair on an exchange: `OKX|BTC-USDT`."""
    return f"{exchange}|{pair}".encode()


_PLAIN_DECIMAL = re.compile(r"(\d+)(?:\.(\d+))?")


def decimal_text(
    value: str | Decimal,
    field: str,
    *,
    integer_digits: int = PRICE_INTEGER_DIGITS,
    scale: int = PRICE_SCALE,
    allow_zero: bool = False,
) -> str:
    """`value` as a plain decimal string that fits the contract, unchanged when it already is one.

    Raises:
        RecordError: not a number, negative, zero (unless allowed), or too wide or too fine for the
            contract's DECIMAL; the message names `field`.
    """
    text = format(value, "f") if isinstance(value, Decimal) else value
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None or not text.isascii():
        raise RecordError(f"{field} {text[:80]!r} is not a plain non-negative decimal.")
    whole, fraction = match.group(1).lstrip("0"), (match.group(2) or "").rstrip("0")
    if len(whole) > integer_digits or len(fraction) > scale:
        raise RecordError(
            f"{field} {text[:80]!r} does not fit {integer_digits} digits before and {scale} after the point."
        )
    if not allow_zero and not whole and not fraction.strip("0"):
        raise RecordError(f"{field} is zero.")
    return text


def price_text(value: str | Decimal, field: str = "price") -> str:
    """A positive price that fits DECIMAL(18,10). Raises RecordError otherwise."""
    return decimal_text(value, field)


def size_text(value: str | Decimal, field: str = "size") -> str:
    """A positive size in base currency that fits DECIMAL(19,8). Raises RecordError otherwise."""
    return decimal_text(value, field, integer_digits=SIZE_INTEGER_DIGITS, scale=SIZE_SCALE)
