"""Messages become rows, and whatever the warehouse could refuse becomes a dead letter instead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import topics
from streaming.loader import tables
from streaming.loader.rows import CONVERTED_TOPICS, Loadable, Message, loaded_topics, timestamp_text, to_row

TRADE: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": "BTC-USDT",
    "first_id": 7,
    "trade_id": 9,
    "count": 3,
    "price": "61234.50",
    "size": "0.00012345",
    "side": "buy",
    "exchange_time_us": 1_767_225_600_123_456,
    "receive_time_ns": 1_767_225_600_223_456_789,
    "producer_id": "producer-1",
    "producer_epoch": 4,
    "seq": 12,
    "source": "ws",
    "simulated": False,
}
TICKER: dict[str, Any] = {
    **{
        name: value for name, value in TRADE.items() if name not in {"first_id", "trade_id", "count", "price"}
    },
    "bid_price": "1.0",
    "bid_size": "0",
    "ask_price": None,
    "ask_size": None,
    "last_price": "2",
    "last_size": "3",
    "open_24h": "4",
    "high_24h": "5",
    "low_24h": "6",
    "base_volume_24h": "98765432109876543210.5",
    "quote_volume_24h": "0.000000000000000001",
}
BAR: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": "BTC-USDT",
    "window_start_ms": 1_767_225_600_000,
    "window_end_ms": 1_767_225_660_000,
    "open": "1",
    "high": "2",
    "low": "0.5",
    "close": "1.5",
    "volume": "10.00000001",
    "quote_volume": "15.000000000000000001",
    "vwap": "1.5000000000",
    "trade_count": 2,
    "first_trade_id": 1,
    "last_trade_id": 2,
    "simulated": True,
}
NEW_FIGURES: dict[str, Any] = {
    "buy_volume": "10.00000001",
    "sell_volume": "0.00000000",
    "spread": "0.1000000000",
    "spread_bp": "0.0166666667",
    "quoted_ms": 59_000,
    "realized_variance": 1.25e-9,
    "garman_klass": 0.0,
    "rogers_satchell": 0.5,
    "flagged_count": 3,
}
QUOTE_BAR: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": "BTC-USDT",
    "window_start_ms": 1_767_225_600_000,
    "window_end_ms": 1_767_225_601_000,
    **{f"bid_{name}": "1.5" for name in ("open", "high", "low", "close")},
    **{f"ask_{name}": None for name in ("open", "high", "low", "close")},
    "spread": None,
    "spread_bp": None,
    "quoted_ms": 0,
    "quote_count": 4,
    "simulated": True,
}
LATE_TRADE: dict[str, Any] = {
    name: TRADE[name]
    for name in (
        "v",
        "exchange",
        "pair",
        "first_id",
        "trade_id",
        "exchange_time_us",
        "receive_time_ns",
        "source",
    )
} | {"simulated": False}
ANOMALY: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": "BTC-USDT",
    "rule": "price_spike",
    "rule_version": 1,
    "subject": "trade",
    "subject_id": "9",
    "score": 45.5,
    "threshold": 10.0,
    "price": "61234.50",
    "bid_price": None,
    "ask_price": None,
    "exchange_time_us": 1_767_225_600_123_456,
    "receive_time_ns": 1_767_225_600_223_456_789,
    "simulated": False,
}
GAP: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": "BTC-USDT",
    "from_id": 5,
    "to_id": 8,
    "cause": "disconnect",
    "detected_at_us": 1_767_225_600_000_000,
    "filled_at_us": None,
    "status": "open",
    "simulated": False,
}
DEAD_LETTER: dict[str, Any] = {
    "v": 1,
    "exchange": "OKX",
    "pair": None,
    "stage": "parse",
    "reason": "not JSON",
    "raw": "{\x00",
    "receive_time_ns": 1_767_225_600_000_000_001,
    "producer_id": "producer-1",
}
SAMPLES = {
    topics.CLEAN_TRADES: TRADE,
    topics.CLEAN_TICKERS: TICKER,
    topics.BARS_1M: BAR,
    topics.BARS_5M: BAR | NEW_FIGURES | {"window_end_ms": 1_767_225_900_000},
    topics.BARS_15M: BAR | NEW_FIGURES | {"window_end_ms": 1_767_226_500_000},
    topics.BARS_1H: BAR | NEW_FIGURES | {"window_end_ms": 1_767_229_200_000},
    topics.QUOTE_BARS_1S: QUOTE_BAR,
    topics.LATE_TRADES: LATE_TRADE,
    topics.ANOMALIES: ANOMALY,
    topics.GAPS: GAP,
    topics.DEAD_LETTERS: DEAD_LETTER,
}


def convert(topic: str, record: dict[str, Any] | bytes) -> Loadable:
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    return to_row(Message(topic, 3, 77, value))


def named(loadable: Loadable) -> dict[str, Any]:
    """A row by column name; LOADED_AT is set when it is written."""
    assert loadable.table.column_names[-1] == "LOADED_AT"
    return dict(zip(loadable.table.column_names[:-1], loadable.row, strict=True))


@dataclass(frozen=True)
class Bad:
    """A change to a valid record that the contract forbids, and a word of the reason."""

    topic: str
    change: dict[str, Any]
    reason: str


BAD = [
    Bad(topics.CLEAN_TRADES, {"price": "0"}, "price is zero"),
    Bad(topics.CLEAN_TRADES, {"price": "1e5"}, "plain"),
    Bad(topics.CLEAN_TRADES, {"price": "-1"}, "plain"),
    Bad(topics.CLEAN_TRADES, {"price": "NaN"}, "plain"),
    Bad(topics.CLEAN_TRADES, {"price": "123456789"}, "does not fit"),
    Bad(topics.CLEAN_TRADES, {"price": "1.12345678901"}, "does not fit"),
    Bad(topics.CLEAN_TRADES, {"price": 1.5}, "Expected `str`"),
    Bad(topics.CLEAN_TRADES, {"size": "0.000000001"}, "does not fit"),
    Bad(topics.CLEAN_TRADES, {"side": "hold"}, "Invalid enum"),
    Bad(topics.CLEAN_TRADES, {"first_id": 10}, "above trade_id"),
    Bad(topics.CLEAN_TRADES, {"trade_id": 2**63}, "trade_id"),
    Bad(topics.CLEAN_TRADES, {"first_id": -1}, "first_id"),
    Bad(topics.CLEAN_TRADES, {"exchange_time_us": 0}, "exchange_time_us"),
    Bad(topics.CLEAN_TRADES, {"receive_time_ns": 10**20}, "receive_time_ns"),
    Bad(topics.CLEAN_TRADES, {"price": "a string"}, "plain"),
    Bad(topics.CLEAN_TRADES, {"price": "9" * 80}, "does not fit"),
    Bad(topics.CLEAN_TRADES, {"trade_id": int("9" * 80)}, "trade_id"),
    Bad(topics.CLEAN_TRADES, {"trade_id": None}, "Expected `int`"),
    Bad(topics.CLEAN_TRADES, {"pair": None}, "Expected `str`"),
    Bad(topics.CLEAN_TRADES, {"exchange_time_us": 1_767_225_901_223_457}, "in the future"),
    Bad(topics.CLEAN_TRADES, {"v": 2}, "schema version"),
    Bad(topics.CLEAN_TICKERS, {"exchange_time_us": 1_767_225_901_223_457}, "in the future"),
    Bad(topics.CLEAN_TICKERS, {"last_price": 2}, "Expected `str | null`"),
    Bad(topics.BARS_1M, {"v": 2}, "schema version"),
    Bad(topics.QUOTE_BARS_1S, {"v": 0}, "schema version"),
    Bad(topics.LATE_TRADES, {"v": 2}, "schema version"),
    Bad(topics.GAPS, {"v": 2}, "schema version"),
    Bad(topics.CLEAN_TRADES, {"exchange": ""}, "exchange is empty"),
    Bad(topics.CLEAN_TRADES, {"pair": "A\x00B"}, "NUL"),
    Bad(topics.CLEAN_TICKERS, {"bid_price": "abc"}, "bid_price"),
    Bad(topics.CLEAN_TICKERS, {"quote_volume_24h": "1.0000000000000000001"}, "quote_volume_24h"),
    Bad(topics.BARS_1M, {"window_end_ms": 1_767_225_600_000}, "window_end_ms"),
    Bad(topics.BARS_1M, {"volume": "0"}, "volume is zero"),
    Bad(topics.BARS_1M, {"vwap": "1.00000000001"}, "vwap"),
    Bad(
        topics.BARS_5M,
        {"window_start_ms": 1_767_225_660_000, "window_end_ms": 1_767_225_960_000},
        "window of",
    ),
    Bad(topics.BARS_1H, {"spread": "-1"}, "spread"),
    Bad(topics.QUOTE_BARS_1S, {"window_end_ms": 1_767_225_602_000}, "window_end_ms"),
    Bad(topics.QUOTE_BARS_1S, {"bid_low": "1e5"}, "bid_low"),
    Bad(topics.LATE_TRADES, {"trade_id": -1}, "trade_id"),
    Bad(topics.ANOMALIES, {"rule": "a_rule_nobody_knows"}, "Invalid enum"),
    Bad(topics.ANOMALIES, {"score": "NaN"}, "Expected `float`"),
    Bad(topics.ANOMALIES, {"subject_id": ""}, "subject_id is empty"),
    Bad(topics.GAPS, {"to_id": 4}, "above to_id"),
    Bad(topics.GAPS, {"status": "lost"}, "Invalid enum"),
    Bad(topics.DEAD_LETTERS, {"raw": 5}, "Expected `str`"),
]


def test_a_trade_keeps_every_figure_and_both_times() -> None:
    loadable = convert(topics.CLEAN_TRADES, TRADE)
    assert loadable.table is tables.TRADES
    assert loadable.exchange_time_us == TRADE["exchange_time_us"]
    assert named(loadable) == {
        "EXCHANGE": "OKX",
        "PAIR": "BTC-USDT",
        "FIRST_ID": 7,
        "TRADE_ID": 9,
        "FILL_COUNT": 3,
        "PRICE": "61234.50",
        "SIZE": "0.00012345",
        "SIDE": "buy",
        "EXCHANGE_TIME": "2026-01-01 00:00:00.123456",
        "RECEIVE_TIME": "2026-01-01 00:00:00.223456789",
        "SOURCE": "ws",
        "IS_SIMULATED": False,
        "PRODUCER_ID": "producer-1",
        "PRODUCER_EPOCH": 4,
        "PRODUCER_SEQ": 12,
        "SCHEMA_VERSION": 1,
        "RULES": None,
        "KAFKA_PARTITION": 3,
        "KAFKA_OFFSET": 77,
    }


def test_a_flagged_trade_keeps_its_rules_and_an_unflagged_one_has_none() -> None:
    assert named(convert(topics.CLEAN_TRADES, TRADE | {"rules": "hampel,wide"}))["RULES"] == "hampel,wide"
    assert named(convert(topics.CLEAN_TRADES, TRADE | {"rules": ""}))["RULES"] is None


def test_a_bar_of_zero_trades_has_no_vwap_and_zero_volume_and_a_bar_of_trades_must_have_some() -> None:
    empty = BAR | {"trade_count": 0, "vwap": None, "volume": "0", "quote_volume": "0", "first_trade_id": None}
    row = named(convert(topics.BARS_1M, empty | {"last_trade_id": None}))
    assert (row["VWAP"], row["VOLUME"], row["FIRST_TRADE_ID"]) == (None, "0", None)
    assert convert(topics.BARS_1M, empty | {"trade_count": 1}).refused


def test_bars_of_each_length_have_their_table() -> None:
    found = {topic: convert(topic, SAMPLES[topic]).table.name for topic in SAMPLES if "bars_" in topic}
    assert found == {
        topics.BARS_1M: "MARKET.BARS_1M",
        topics.BARS_5M: "MARKET.BARS_5M",
        topics.BARS_15M: "MARKET.BARS_15M",
        topics.BARS_1H: "MARKET.BARS_1H",
        topics.QUOTE_BARS_1S: "MARKET.QUOTE_BARS_1S",
    }
    row = named(convert(topics.BARS_1H, SAMPLES[topics.BARS_1H]))
    assert {name: row[name.upper()] for name in NEW_FIGURES} == NEW_FIGURES


def test_tickers_are_loaded_only_when_they_are_wanted() -> None:
    assert topics.CLEAN_TICKERS not in loaded_topics(raw_tickers=False)
    assert topics.QUOTE_BARS_1S in loaded_topics(raw_tickers=False)
    assert set(loaded_topics(raw_tickers=True)) == set(CONVERTED_TOPICS)


def test_what_a_ticker_leaves_out_stays_empty() -> None:
    row = named(convert(topics.CLEAN_TICKERS, TICKER))
    assert row["ASK_PRICE"] is None
    assert row["BID_SIZE"] == "0"
    assert row["BASE_VOLUME_24H"] == "98765432109876543210.5"


def test_a_bar_from_the_stream_is_revision_zero_by_flink() -> None:
    row = named(convert(topics.BARS_1M, BAR))
    assert (row["REVISION"], row["COMPUTED_BY"]) == (0, "flink")
    assert (row["WINDOW_START"], row["WINDOW_END"]) == (
        "2026-01-01 00:00:00.000000",
        "2026-01-01 00:01:00.000000",
    )


def test_a_dead_letter_keeps_its_text_without_nul() -> None:
    loadable = convert(topics.DEAD_LETTERS, DEAD_LETTER)
    assert not loadable.refused
    row = named(loadable)
    assert row["RAW_TEXT"] == "{\\u0000"
    assert row["SOURCE_TOPIC"] == topics.DEAD_LETTERS


@pytest.mark.parametrize("topic", CONVERTED_TOPICS)
def test_every_loaded_topic_fills_every_column_of_its_table(topic: str) -> None:
    assert not convert(topic, SAMPLES[topic]).refused
    named(convert(topic, SAMPLES[topic]))


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.topic[15:]}-{next(iter(bad.change.items()))}")
def test_what_breaks_the_contract_becomes_a_dead_letter_with_its_text(bad: Bad) -> None:
    value = json.dumps(SAMPLES[bad.topic] | bad.change).encode()
    loadable = convert(bad.topic, value)
    assert loadable.table is tables.DEAD_LETTERS
    assert loadable.refused
    row = named(loadable)
    assert row["STAGE"] == "load"
    assert bad.reason in row["REASON"]
    assert row["RAW_TEXT"] == value.decode()
    assert (row["SOURCE_TOPIC"], row["KAFKA_PARTITION"], row["KAFKA_OFFSET"]) == (bad.topic, 3, 77)


@pytest.mark.parametrize("lacking", ["trade_id", "price", "exchange_time_us", "v"])
def test_a_field_that_is_gone_is_a_dead_letter_and_a_new_one_is_none(lacking: str) -> None:
    """The version may be left out, as msgspec takes its default; everything else that is gone is told."""
    record = {name: value for name, value in TRADE.items() if name != lacking}
    assert convert(topics.CLEAN_TRADES, record).refused is (lacking != "v")
    assert not convert(topics.CLEAN_TRADES, TRADE | {"a_new_field": "x"}).refused


def test_a_dead_letter_still_names_its_market() -> None:
    row = named(convert(topics.CLEAN_TRADES, TRADE | {"price": "0"}))
    assert (row["EXCHANGE"], row["PAIR"]) == ("OKX", "BTC-USDT")


def test_a_long_text_is_cut_at_64_kib() -> None:
    row = named(convert(topics.CLEAN_TRADES, b"x" * 100_000))
    assert len(row["RAW_TEXT"]) == 65_536


@given(st.binary(max_size=300), st.sampled_from(CONVERTED_TOPICS))
def test_no_bytes_whatsoever_stop_the_loader(value: bytes, topic: str) -> None:
    loadable = convert(topic, value)
    assert loadable.table is tables.DEAD_LETTERS
    named(loadable)
    assert "\x00" not in str(loadable.row)


@given(
    st.dictionaries(
        st.sampled_from(sorted(TRADE)),
        st.one_of(st.none(), st.integers(), st.text(max_size=30), st.booleans()),
    )
)
def test_any_change_to_a_trade_gives_a_storable_row_or_a_dead_letter(change: dict[str, Any]) -> None:
    loadable = convert(topics.CLEAN_TRADES, TRADE | change)
    row = named(loadable)
    if loadable.table is tables.TRADES:
        assert Decimal(0) < Decimal(row["PRICE"]) < Decimal(10**8)
        assert 0 <= row["FIRST_ID"] <= row["TRADE_ID"] < 2**63


@given(st.integers(min_value=946_684_800 * 10**9, max_value=4_102_444_800 * 10**9))
def test_times_are_written_in_utc_to_the_microsecond(time_ns: int) -> None:
    from datetime import UTC, datetime

    written = datetime.fromisoformat(timestamp_text(time_ns)).replace(tzinfo=UTC)
    assert round((written - datetime.fromtimestamp(0, UTC)).total_seconds() * 1_000_000) == time_ns // 1000
