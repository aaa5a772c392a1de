"""Records for the dashboard's tests, each with sensible values that a test overrides."""

from __future__ import annotations

from typing import Any

from streaming.records import Anomaly, Bar, FormingBar, Gap, Ticker, Trade

MINUTE = 60_000
NOON_MS = 1_764_072_000_000
"""2025-11-25 12:00 UTC."""

_PRODUCER = {"producer_id": "p", "producer_epoch": 1, "seq": 1, "source": "ws", "simulated": True}
_MARKET = {"exchange": "OKX_SIM", "pair": "BTC-USDT"}


def ticker(last: str, at_ms: int = NOON_MS, **changes: Any) -> Ticker:
    fields: dict[str, Any] = {
        **_MARKET,
        **_PRODUCER,
        "bid_price": "99.5",
        "bid_size": "1",
        "ask_price": "100.5",
        "ask_size": "1",
        "last_price": last,
        "last_size": "1",
        "open_24h": "80",
        "high_24h": "101",
        "low_24h": "79",
        "base_volume_24h": "12.50",
        "quote_volume_24h": "1250",
        "exchange_time_us": at_ms * 1000,
        "receive_time_ns": at_ms * 1_000_000 + 5_000_000,
    }
    return Ticker(**(fields | changes))


def trade(price: str, at_ms: int = NOON_MS, **changes: Any) -> Trade:
    fields: dict[str, Any] = {
        **_MARKET,
        **_PRODUCER,
        "first_id": 1,
        "trade_id": 1,
        "count": 1,
        "price": price,
        "size": "1",
        "side": "buy",
        "exchange_time_us": at_ms * 1000,
        "receive_time_ns": at_ms * 1_000_000 + 5_000_000,
    }
    return Trade(**(fields | changes))


def bar(start_ms: int = NOON_MS, length_ms: int = MINUTE, **changes: Any) -> Bar:
    fields: dict[str, Any] = {
        **_MARKET,
        "window_start_ms": start_ms,
        "window_end_ms": start_ms + length_ms,
        "open": "100.0",
        "high": "110",
        "low": "90",
        "close": "105.50",
        "volume": "2.50000000",
        "quote_volume": "255.000000000000000000",
        "vwap": "102.0000000000",
        "trade_count": 7,
        "first_trade_id": 1,
        "last_trade_id": 7,
        "simulated": True,
        "buy_volume": "1.5",
        "sell_volume": "1.0",
        "spread": "0.1",
        "spread_bp": "9.5000000000",
        "quoted_ms": length_ms,
        "realized_variance": 4e-8,
        "garman_klass": 1e-8,
        "rogers_satchell": 1e-8,
        "flagged_count": 1,
    }
    return Bar(**(fields | changes))


def forming(start_ms: int = NOON_MS, as_of_ms: int | None = None, **changes: Any) -> FormingBar:
    fields: dict[str, Any] = {
        **_MARKET,
        "window_start_ms": start_ms,
        "window_end_ms": start_ms + MINUTE,
        "as_of_ms": start_ms + 10_000 if as_of_ms is None else as_of_ms,
        "open": "100",
        "high": "104",
        "low": "99",
        "close": "103",
        "volume": "1",
        "quote_volume": "101",
        "vwap": "101",
        "trade_count": 3,
        "buy_volume": "1",
        "sell_volume": "0",
        "flagged_count": 0,
        "simulated": True,
    }
    return FormingBar(**(fields | changes))


def anomaly(subject_id: str = "77", at_ms: int = NOON_MS, **changes: Any) -> Anomaly:
    fields: dict[str, Any] = {
        **_MARKET,
        "rule": "price_spike",
        "rule_version": 1,
        "subject": "trade",
        "subject_id": subject_id,
        "score": 12.0,
        "threshold": 10.0,
        "price": "120.0",
        "bid_price": None,
        "ask_price": None,
        "exchange_time_us": at_ms * 1000,
        "receive_time_ns": at_ms * 1_000_000,
        "simulated": True,
    }
    return Anomaly(**(fields | changes))


def gap(status: str, from_id: int = 5) -> Gap:
    return Gap(
        **_MARKET,
        from_id=from_id,
        to_id=from_id + 3,
        cause="test",
        detected_at_us=NOON_MS * 1000,
        filled_at_us=None,
        status=status,  # type: ignore[arg-type]
        simulated=True,
    )
