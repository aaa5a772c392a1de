"""Turns one Kafka message into one row of a warehouse table, or into a dead letter with the reason.

What belongs here: decoding, the record rules, and the order of values, as pure functions. What does not:
tables (`streaming.loader.tables`), batches and duplicates (`streaming.loader.batch`).

Everything the warehouse could refuse is refused here first, so that one bad message costs one row and not the
batch it came with.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from streaming import topics
from streaming.errors import RecordError
from streaming.loader import tables
from streaming.loader.tables import Table
from streaming.records import (
    SCHEMA_VERSION,
    SIZE_INTEGER_DIGITS,
    SIZE_SCALE,
    Anomaly,
    Bar,
    CleanTrade,
    DeadLetter,
    Gap,
    LateTrade,
    QuoteBar,
    Ticker,
    Trade,
    decimal_text,
    price_text,
    size_text,
)

Value = str | int | float | bool | None
Row = list[Value]
"""A table's values in column order, without LOADED_AT."""

LOADER: Final = "loader"
STAGE_LOAD: Final = "load"
MOST_RAW_BYTES: Final = 64 * 1024
VOLUME_INTEGER_DIGITS: Final = 20
VOLUME_SCALE: Final = 18
LARGEST_INTEGER: Final = 2**63 - 1
MOST_AHEAD_US: Final = 300_000_000
"""How far a record's exchange time may be ahead of its receive time; the record is compared with itself, so
that a replay decides as the first time."""
EARLIEST_S: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
LATEST_S: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())


class Message(msgspec.Struct, frozen=True, gc=False):
    """A Kafka message as the loader needs it."""

    topic: str
    partition: int
    offset: int
    value: bytes


class Loadable(msgspec.Struct, frozen=True):
    """A row for `table`.

    `exchange_time_us` is set for records whose latency is measured, `refused` when the row is a dead letter
    that the loader itself wrote.
    """

    table: Table
    row: Row
    exchange_time_us: int | None = None
    refused: bool = False


def to_row(message: Message) -> Loadable:
    """The row of a message, or a row of the dead letters when it violates the contract."""
    try:
        return _CONVERTERS[message.topic](message)
    except (msgspec.MsgspecError, RecordError, UnicodeDecodeError) as error:
        return refused(message, str(error))


def refused(message: Message, reason: str) -> Loadable:
    """The dead letter of a message that the loader or the warehouse refuses."""
    return Loadable(
        tables.DEAD_LETTERS,
        [
            *_named_market(message.value),
            STAGE_LOAD,
            _printable(reason),
            _printable(message.value[:MOST_RAW_BYTES].decode("utf-8", errors="replace")),
            _nanos(time.time_ns()),
            LOADER,
            SCHEMA_VERSION,
            message.topic,
            message.partition,
            message.offset,
        ],
        refused=True,
    )


class _Market(msgspec.Struct):
    exchange: Any = None
    pair: Any = None


def _named_market(value: bytes) -> tuple[str | None, str | None]:
    """Exchange and pair, where a refused message still tells them."""
    try:
        market = _market_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, None
    return tuple(  # type: ignore[return-value]
        _printable(name) if isinstance(name, str) else None for name in (market.exchange, market.pair)
    )


_market_decoder = msgspec.json.Decoder(_Market)
_trade_decoder = msgspec.json.Decoder(CleanTrade)
_ticker_decoder = msgspec.json.Decoder(Ticker)
_bar_decoder = msgspec.json.Decoder(Bar)
_quote_bar_decoder = msgspec.json.Decoder(QuoteBar)
_late_trade_decoder = msgspec.json.Decoder(LateTrade)
_anomaly_decoder = msgspec.json.Decoder(Anomaly)
_gap_decoder = msgspec.json.Decoder(Gap)
_dead_letter_decoder = msgspec.json.Decoder(DeadLetter)


def _trade(message: Message) -> Loadable:
    trade = _trade_decoder.decode(message.value)
    if trade.first_id > trade.trade_id:
        raise RecordError(f"first_id {trade.first_id} is above trade_id {trade.trade_id}.")
    row: Row = [
        _plain(trade.exchange, "exchange"),
        _plain(trade.pair, "pair"),
        _integer(trade.first_id, "first_id"),
        _integer(trade.trade_id, "trade_id"),
        _integer(trade.count, "count"),
        price_text(trade.price),
        size_text(trade.size),
        trade.side,
        *_record_tail(trade),
        _printable(trade.rules) if trade.rules else None,
        message.partition,
        message.offset,
    ]
    return Loadable(tables.TRADES, row, trade.exchange_time_us)


def _ticker(message: Message) -> Loadable:
    ticker = _ticker_decoder.decode(message.value)
    row: Row = [
        *_names(ticker.exchange, ticker.pair),
        _price_or_none(ticker.bid_price, "bid_price"),
        _size_or_none(ticker.bid_size, "bid_size"),
        _price_or_none(ticker.ask_price, "ask_price"),
        _size_or_none(ticker.ask_size, "ask_size"),
        _price_or_none(ticker.last_price, "last_price"),
        _size_or_none(ticker.last_size, "last_size"),
        _price_or_none(ticker.open_24h, "open_24h"),
        _price_or_none(ticker.high_24h, "high_24h"),
        _price_or_none(ticker.low_24h, "low_24h"),
        _volume_or_none(ticker.base_volume_24h, "base_volume_24h"),
        _volume_or_none(ticker.quote_volume_24h, "quote_volume_24h"),
        *_record_tail(ticker),
        message.partition,
        message.offset,
    ]
    return Loadable(tables.TICKERS, row, ticker.exchange_time_us)


BAR_TABLES: Final = {
    topics.BARS_1M: (60_000, tables.BARS_1M),
    topics.BARS_5M: (300_000, tables.BARS_5M),
    topics.BARS_15M: (900_000, tables.BARS_15M),
    topics.BARS_1H: (3_600_000, tables.BARS_1H),
}
"""The length in ms of the bars of each topic, and their table."""


def _bar(message: Message) -> Loadable:
    bar = _bar_decoder.decode(message.value)
    length_ms, table = BAR_TABLES[message.topic]
    row: Row = [
        *_window(bar, length_ms),
        price_text(bar.open, "open"),
        price_text(bar.high, "high"),
        price_text(bar.low, "low"),
        price_text(bar.close, "close"),
        _total(bar.volume, "volume", SIZE_SCALE, zero=bar.trade_count == 0),
        _total(bar.quote_volume, "quote_volume", VOLUME_SCALE, zero=bar.trade_count == 0),
        None if bar.vwap is None else price_text(bar.vwap, "vwap"),
        _integer(bar.trade_count, "trade_count"),
        _integer_or_none(bar.first_trade_id, "first_trade_id"),
        _integer_or_none(bar.last_trade_id, "last_trade_id"),
        None if bar.buy_volume is None else _total(bar.buy_volume, "buy_volume", SIZE_SCALE, zero=True),
        None if bar.sell_volume is None else _total(bar.sell_volume, "sell_volume", SIZE_SCALE, zero=True),
        bar.realized_variance,
        bar.garman_klass,
        bar.rogers_satchell,
        _integer_or_none(bar.flagged_count, "flagged_count"),
        *_spread(bar),
        bar.simulated,
        0,
        "flink",
        message.partition,
        message.offset,
    ]
    return Loadable(table, row)


def _quote_bar(message: Message) -> Loadable:
    bar = _quote_bar_decoder.decode(message.value)
    row: Row = [
        *_window(bar, 1000),
        *(
            _price_or_none(getattr(bar, name), name)
            for name in (
                *("bid_open", "bid_high", "bid_low", "bid_close"),
                *("ask_open", "ask_high", "ask_low", "ask_close"),
            )
        ),
        *_spread(bar),
        _integer(bar.quote_count, "quote_count"),
        bar.simulated,
        message.partition,
        message.offset,
    ]
    return Loadable(tables.QUOTE_BARS_1S, row)


def _late_trade(message: Message) -> Loadable:
    late = _late_trade_decoder.decode(message.value)
    _version(late.v)
    row: Row = [
        *_names(late.exchange, late.pair),
        _integer(late.first_id, "first_id"),
        _integer(late.trade_id, "trade_id"),
        _micros(late.exchange_time_us, "exchange_time_us"),
        _nanos(late.receive_time_ns),
        late.source,
        late.simulated,
        message.partition,
        message.offset,
    ]
    return Loadable(tables.LATE_TRADES, row)


def _window(bar: Bar | QuoteBar, length_ms: int) -> Row:
    _version(bar.v)
    if bar.window_end_ms - bar.window_start_ms != length_ms or bar.window_start_ms % length_ms:
        raise RecordError(f"window_end_ms {bar.window_end_ms} does not end a window of {length_ms} ms.")
    return [
        *_names(bar.exchange, bar.pair),
        _micros(bar.window_start_ms * 1000, "window_start_ms"),
        _micros(bar.window_end_ms * 1000, "window_end_ms"),
    ]


def _spread(bar: Bar | QuoteBar) -> Row:
    return [
        _price_or_none(bar.spread, "spread"),
        _price_or_none(bar.spread_bp, "spread_bp"),
        _integer_or_none(bar.quoted_ms, "quoted_ms"),
    ]


def _total(value: str, field: str, scale: int, *, zero: bool) -> str:
    return decimal_text(value, field, integer_digits=VOLUME_INTEGER_DIGITS, scale=scale, allow_zero=zero)


def _anomaly(message: Message) -> Loadable:
    anomaly = _anomaly_decoder.decode(message.value)
    row: Row = [
        *_names(anomaly.exchange, anomaly.pair),
        anomaly.rule,
        _integer(anomaly.rule_version, "rule_version"),
        anomaly.subject,
        _plain(anomaly.subject_id, "subject_id"),
        anomaly.score,
        anomaly.threshold,
        _price_or_none(anomaly.price, "price"),
        _price_or_none(anomaly.bid_price, "bid_price"),
        _price_or_none(anomaly.ask_price, "ask_price"),
        _micros(anomaly.exchange_time_us, "exchange_time_us"),
        _nanos(anomaly.receive_time_ns),
        anomaly.simulated,
        _version(anomaly.v),
        message.partition,
        message.offset,
    ]
    return Loadable(tables.ANOMALIES, row)


def _gap(message: Message) -> Loadable:
    gap = _gap_decoder.decode(message.value)
    if gap.from_id > gap.to_id:
        raise RecordError(f"from_id {gap.from_id} is above to_id {gap.to_id}.")
    row: Row = [
        *_names(gap.exchange, gap.pair),
        _integer(gap.from_id, "from_id"),
        _integer(gap.to_id, "to_id"),
        _plain(gap.cause, "cause"),
        _micros(gap.detected_at_us, "detected_at_us"),
        None if gap.filled_at_us is None else _micros(gap.filled_at_us, "filled_at_us"),
        gap.status,
        gap.simulated,
        _version(gap.v),
        message.partition,
        message.offset,
    ]
    return Loadable(tables.GAPS, row)


def _dead_letter(message: Message) -> Loadable:
    letter = _dead_letter_decoder.decode(message.value)
    row: Row = [
        _printable(letter.exchange),
        None if letter.pair is None else _printable(letter.pair),
        _printable(letter.stage),
        _printable(letter.reason),
        _printable(letter.raw),
        _nanos(letter.receive_time_ns),
        _printable(letter.producer_id),
        _version(letter.v),
        message.topic,
        message.partition,
        message.offset,
    ]
    return Loadable(tables.DEAD_LETTERS, row)


_CONVERTERS: Final[dict[str, Callable[[Message], Loadable]]] = {
    topics.CLEAN_TRADES: _trade,
    topics.CLEAN_TICKERS: _ticker,
    **dict.fromkeys(BAR_TABLES, _bar),
    topics.QUOTE_BARS_1S: _quote_bar,
    topics.LATE_TRADES: _late_trade,
    topics.ANOMALIES: _anomaly,
    topics.GAPS: _gap,
    topics.DEAD_LETTERS: _dead_letter,
}

CONVERTED_TOPICS: Final = tuple(_CONVERTERS)
"""The topics whose messages have a table."""


def loaded_topics(*, raw_tickers: bool) -> tuple[str, ...]:
    """The topics the loader reads: all that have a table, the tickers only if they are wanted.

    Quote bars say what tickers say in a tenth of the rows.
    """
    return tuple(topic for topic in CONVERTED_TOPICS if raw_tickers or topic != topics.CLEAN_TICKERS)


def _record_tail(record: Trade | Ticker) -> Row:
    if record.exchange_time_us > record.receive_time_ns // 1000 + MOST_AHEAD_US:
        raise RecordError(f"exchange_time_us {record.exchange_time_us} is in the future.")
    return [
        _micros(record.exchange_time_us, "exchange_time_us"),
        _nanos(record.receive_time_ns),
        record.source,
        record.simulated,
        _plain(record.producer_id, "producer_id"),
        _integer(record.producer_epoch, "producer_epoch"),
        _integer(record.seq, "seq"),
        _version(record.v),
    ]


def _version(version: int) -> int:
    if version != SCHEMA_VERSION:
        raise RecordError(f"v {version} is not schema version {SCHEMA_VERSION}.")
    return version


def _names(exchange: str, pair: str) -> Row:
    return [_plain(exchange, "exchange"), _plain(pair, "pair")]


def _plain(text: str, field: str) -> str:
    if not text or "\x00" in text:
        raise RecordError(f"{field} is empty or has a NUL character.")
    return text


def _printable(text: str) -> str:
    """`text` without NUL, which neither engine stores."""
    return text.replace("\x00", "\\u0000")


def _integer(value: int, field: str) -> int:
    if not 0 <= value <= LARGEST_INTEGER:
        raise RecordError(f"{field} {value} is negative or above {LARGEST_INTEGER}.")
    return value


def _integer_or_none(value: int | None, field: str) -> int | None:
    return None if value is None else _integer(value, field)


def _price_or_none(value: str | None, field: str) -> str | None:
    return None if value is None else decimal_text(value, field, allow_zero=True)


def _size_or_none(value: str | None, field: str) -> str | None:
    if value is None:
        return None
    return decimal_text(value, field, integer_digits=SIZE_INTEGER_DIGITS, scale=SIZE_SCALE, allow_zero=True)


def _volume_or_none(value: str | None, field: str) -> str | None:
    if value is None:
        return None
    return decimal_text(
        value, field, integer_digits=VOLUME_INTEGER_DIGITS, scale=VOLUME_SCALE, allow_zero=True
    )


_second_texts: dict[int, str] = {}


def _second_text(seconds: int, field: str) -> str:
    """`seconds` since 1970 as `YYYY-MM-DD HH:MM:SS`; most records share theirs with the one before."""
    text = _second_texts.get(seconds)
    if text is None:
        if not EARLIEST_S <= seconds < LATEST_S:
            raise RecordError(f"{field} is not a time between 2000 and 2200.")
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if len(_second_texts) >= 4096:
            _second_texts.clear()
        _second_texts[seconds] = text
    return text


def _micros(value_us: int, field: str) -> str:
    seconds, fraction = divmod(value_us, 1_000_000)
    return f"{_second_text(seconds, field)}.{fraction:06d}"


def _nanos(value_ns: int) -> str:
    seconds, fraction = divmod(value_ns, 1_000_000_000)
    return f"{_second_text(seconds, 'receive_time_ns')}.{fraction:09d}"


def timestamp_text(time_ns: int) -> str:
    """A wall-clock time as the warehouse takes it, in microseconds."""
    return _micros(time_ns // 1000, "time")
