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


class CleanTrade(Trade, frozen=True, kw_only=True):
    """A trade of the clean topic, with the ids of the anomaly rules that flag it in `rules`, separated by
    commas.

    Empty means that none does; a record without the field is such a one.
    """

    rules: str = ""


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

    Identity: (exchange, pair, window_end_ms - window_start_ms, window_start_ms).

    Trades that an anomaly rule flags are left out of everything but `flagged_count` and the trade ids.
    `open` and `close` are the prices of the first and last trade by (exchange time, trade id). `vwap` =
    quote_volume / volume, rounded half up to 10 decimals. A window that has quotes, or flagged trades only,
    is a bar too: its `trade_count` is 0, its volumes are zero, its `vwap` is None, and its four prices are
    the last price before it. A window without either has no bar.

    `buy_volume` and `sell_volume` are by the taker's side. `spread` is the mean of ask - bid in the quote
    currency, `spread_bp` that of 10,000 (ask - bid) / mid, each quote weighted with the time it held and
    rounded half up to 10 decimals; a quote holds until the next one, also across windows. Only quotes with
    both sides and ask >= bid count: they held for `quoted_ms` of the window. None when no quote came within
    the window, or none of these.

    The three variances are of log prices over the window, not annualised; their square roots are
    volatilities. `realized_variance` is the sum of squared log returns from the open to the last price of
    each five-second slot with a trade (Andersen and Bollerslev 1998). With O, H, L, C the four prices,
    `garman_klass` = ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2 (Garman and Klass 1980) and `rogers_satchell` =
    ln(H/O) ln(H/C) + ln(L/O) ln(L/C) (Rogers and Satchell 1991). They are doubles, right to
    `VARIANCE_TOLERANCE`; with few trades in the window the last two are too low.

    The fields from `buy_volume` on are None in bars that were written before they existed.
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
    vwap: str | None
    trade_count: int
    first_trade_id: int | None
    last_trade_id: int | None
    simulated: bool
    buy_volume: str | None = None
    sell_volume: str | None = None
    spread: str | None = None
    spread_bp: str | None = None
    quoted_ms: int | None = None
    realized_variance: float | None = None
    garman_klass: float | None = None
    rogers_satchell: float | None = None
    flagged_count: int | None = None


VARIANCE_TOLERANCE: Final = 1e-9
"""Relative error allowed to a variance, whose logarithms differ in the last digit from one engine to
another; below 1e-15 the difference itself."""


class FormingBar(msgspec.Struct, frozen=True, kw_only=True):
    """A minute of one pair that is not over: what has been traded until `as_of_ms`, once a second.

    Identity: (exchange, pair, window_start_ms, as_of_ms). Fields as in `Bar`. It is for showing: it may
    lack a trade that comes late, or count one twice after a failure, until the closed bar says how it was.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    window_start_ms: int
    window_end_ms: int
    as_of_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    vwap: str
    trade_count: int
    buy_volume: str
    sell_volume: str
    flagged_count: int
    simulated: bool


class QuoteBar(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes of one pair within one second of exchange time.

    Identity: (exchange, pair, window_start_ms). Quotes are taken by the millisecond: the last one of each,
    by (exchange time, producer epoch, sequence), of which there were `quote_count`. A side's prices are of
    the quotes that had that side, None if none had. `spread`, `spread_bp` and `quoted_ms` as in `Bar`.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    window_start_ms: int
    window_end_ms: int
    bid_open: str | None
    bid_high: str | None
    bid_low: str | None
    bid_close: str | None
    ask_open: str | None
    ask_high: str | None
    ask_low: str | None
    ask_close: str | None
    spread: str | None
    spread_bp: str | None
    quoted_ms: int
    quote_count: int
    simulated: bool


class LateTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that came after the bar of its minute was closed, so that bars may lack it.

    Identity: (exchange, pair, trade_id). It may be a copy of a trade that was on time.
    """

    v: int = SCHEMA_VERSION
    exchange: str
    pair: str
    first_id: int
    trade_id: int
    exchange_time_us: int
    receive_time_ns: int
    source: Source
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


Record = Trade | Ticker | Bar | FormingBar | QuoteBar | LateTrade | DeadLetter | Gap

_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The record as one JSON object in UTF-8."""
    return _encoder.encode(record)


def key_of(exchange: str, pair: str) -> bytes:
    """The Kafka message key of a pair on an exchange: `OKX|BTC-USDT`."""
    return f"{exchange}|{pair}".encode()


_PLAIN_DECIMAL = re.compile(r"(\d+)(?:\.(\d+))?")
_ORDINARY_PRICE = re.compile(rf"[1-9][0-9]{{0,{PRICE_INTEGER_DIGITS - 1}}}(?:\.[0-9]{{1,{PRICE_SCALE}}})?")
_ORDINARY_SIZE = re.compile(
    rf"(?:[1-9][0-9]{{0,{SIZE_INTEGER_DIGITS - 1}}}(?:\.[0-9]{{1,{SIZE_SCALE}}})?"
    rf"|0\.(?=0*[1-9])[0-9]{{1,{SIZE_SCALE}}})"
)
"""What nearly all prices and sizes look like: text that matches is what `decimal_text` would return."""


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
    if isinstance(value, str) and _ORDINARY_PRICE.fullmatch(value):
        return value
    return decimal_text(value, field)


def size_text(value: str | Decimal, field: str = "size") -> str:
    """A positive size in base currency that fits DECIMAL(19,8). Raises RecordError otherwise."""
    if isinstance(value, str) and _ORDINARY_SIZE.fullmatch(value):
        return value
    return decimal_text(value, field, integer_digits=SIZE_INTEGER_DIGITS, scale=SIZE_SCALE)
