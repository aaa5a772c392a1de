"""What the API, the stream, the files and the pages show of the market.

What belongs here: these types and how a record of Kafka becomes one. What does not: keeping them
(`crypto_platform.dashboard.state`).

Prices and volumes are decimal texts in the form of `numbers.plain`, so that the same number reads the same
from Kafka and from the warehouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from crypto_platform.dashboard.numbers import change_percent, plain, plain_or_none, spread_bp, volatility_bp
from streaming import topics
from streaming.records import Anomaly, Bar, FormingBar, Ticker, Trade

INTERVALS: Final[dict[str, int]] = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000}
"""Length of a bar in ms, by its name in addresses."""

BAR_TOPICS: Final[dict[str, str]] = {
    topics.BARS_1M: "1m",
    topics.BARS_5M: "5m",
    topics.BARS_15M: "15m",
    topics.BARS_1H: "1h",
}


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One pair on one exchange now. `last_price` is of the newest trade or ticker by exchange time.

    `exchange_time_us` is of the newest record, `receive_time_ns` when the producer received that one.
    """

    exchange: str
    pair: str
    last_price: str | None = None
    bid_price: str | None = None
    bid_size: str | None = None
    ask_price: str | None = None
    ask_size: str | None = None
    spread_bp: str | None = None
    open_24h: str | None = None
    high_24h: str | None = None
    low_24h: str | None = None
    change_24h_percent: str | None = None
    base_volume_24h: str | None = None
    quote_volume_24h: str | None = None
    exchange_time_us: int = 0
    receive_time_ns: int = 0
    simulated: bool = False


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: [start_ms, end_ms) of exchange time. `closed` is false while it forms; then `as_of_ms` says
    until when it counts.

    Fields as in `streaming.records.Bar`; `volatility_bp` is the square root of its realized variance.
    """

    exchange: str
    pair: str
    interval: str
    start_ms: int
    end_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    vwap: str | None
    trade_count: int
    buy_volume: str | None
    sell_volume: str | None
    spread_bp: str | None
    volatility_bp: float | None
    flagged_count: int | None
    simulated: bool
    closed: bool
    as_of_ms: int | None = None
    revision: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly, with the name it is acknowledged by and whether somebody has."""

    id: str
    exchange: str
    pair: str
    rule: str
    subject: str
    subject_id: str
    value: str | None
    score: float
    threshold: float
    exchange_time_us: int
    simulated: bool
    acknowledged: bool = False


def with_ticker(before: Market, ticker: Ticker) -> Market:
    """`before` with what a newer ticker says; its last price counts unless a newer trade is known."""
    newer = ticker.exchange_time_us >= before.exchange_time_us
    last = plain_or_none(ticker.last_price) if newer else before.last_price
    bid, ask = plain_or_none(ticker.bid_price), plain_or_none(ticker.ask_price)
    opened = plain_or_none(ticker.open_24h)
    last = before.last_price if last is None else last
    return msgspec.structs.replace(
        before,
        last_price=last,
        bid_price=bid,
        bid_size=plain_or_none(ticker.bid_size),
        ask_price=ask,
        ask_size=plain_or_none(ticker.ask_size),
        spread_bp=spread_bp(bid, ask),
        open_24h=opened,
        high_24h=plain_or_none(ticker.high_24h),
        low_24h=plain_or_none(ticker.low_24h),
        change_24h_percent=change_percent(opened, last),
        base_volume_24h=plain_or_none(ticker.base_volume_24h),
        quote_volume_24h=plain_or_none(ticker.quote_volume_24h),
        exchange_time_us=max(before.exchange_time_us, ticker.exchange_time_us),
        receive_time_ns=ticker.receive_time_ns if newer else before.receive_time_ns,
        simulated=ticker.simulated,
    )


def with_trade(before: Market, trade: Trade) -> Market:
    """`before` with the price of a trade that is not older than what is known."""
    price = plain(trade.price)
    return msgspec.structs.replace(
        before,
        last_price=price,
        change_24h_percent=change_percent(before.open_24h, price),
        exchange_time_us=trade.exchange_time_us,
        receive_time_ns=trade.receive_time_ns,
        simulated=trade.simulated,
    )


def _figures(bar: Bar | FormingBar) -> dict[str, Any]:
    """What closed and forming bars have in common."""
    return {
        "exchange": bar.exchange,
        "pair": bar.pair,
        "start_ms": bar.window_start_ms,
        "end_ms": bar.window_end_ms,
        "open": plain(bar.open),
        "high": plain(bar.high),
        "low": plain(bar.low),
        "close": plain(bar.close),
        "volume": plain(bar.volume),
        "quote_volume": plain(bar.quote_volume),
        "vwap": plain_or_none(bar.vwap),
        "trade_count": bar.trade_count,
        "buy_volume": plain_or_none(bar.buy_volume),
        "sell_volume": plain_or_none(bar.sell_volume),
        "flagged_count": bar.flagged_count,
        "simulated": bar.simulated,
    }


def closed_candle(bar: Bar, interval: str) -> Candle:
    """A closed bar of Kafka."""
    return Candle(
        **_figures(bar),
        interval=interval,
        spread_bp=plain_or_none(bar.spread_bp),
        volatility_bp=volatility_bp(bar.realized_variance),
        closed=True,
    )


def forming_candle(bar: FormingBar) -> Candle:
    """A minute that is not over; its spread and volatility are known when it is."""
    return Candle(
        **_figures(bar),
        interval="1m",
        spread_bp=None,
        volatility_bp=None,
        closed=False,
        as_of_ms=bar.as_of_ms,
    )


def folded(minutes: Sequence[Candle], interval: str) -> Candle:
    """The bar of `interval` that forms, of its minutes in order: closed ones, then the one that forms.

    Spread and volatility need the quotes and prices within the minutes and stay empty until it is closed.
    """
    first, last = minutes[0], minutes[-1]
    traded = [minute for minute in minutes if minute.trade_count] or list(minutes)
    length = INTERVALS[interval]
    start = first.start_ms // length * length
    volume = sum((Decimal(minute.volume) for minute in minutes), Decimal(0))
    quote_volume = sum((Decimal(minute.quote_volume) for minute in minutes), Decimal(0))
    return Candle(
        exchange=first.exchange,
        pair=first.pair,
        interval=interval,
        start_ms=start,
        end_ms=start + length,
        open=traded[0].open,
        high=plain(max(Decimal(minute.high) for minute in traded)),
        low=plain(min(Decimal(minute.low) for minute in traded)),
        close=traded[-1].close,
        volume=plain(volume),
        quote_volume=plain(quote_volume),
        vwap=plain(round(quote_volume / volume, 10)) if volume else None,
        trade_count=sum(minute.trade_count for minute in minutes),
        buy_volume=plain(sum((Decimal(minute.buy_volume or 0) for minute in minutes), Decimal(0))),
        sell_volume=plain(sum((Decimal(minute.sell_volume or 0) for minute in minutes), Decimal(0))),
        spread_bp=None,
        volatility_bp=None,
        flagged_count=sum(minute.flagged_count or 0 for minute in minutes),
        simulated=last.simulated,
        closed=False,
        as_of_ms=last.as_of_ms or last.end_ms,
    )


def finding(anomaly: Anomaly) -> Finding:
    """An anomaly of Kafka; its value is the judged price, or bid and ask of the judged quote."""
    quote = " / ".join(plain(side) for side in (anomaly.bid_price, anomaly.ask_price) if side is not None)
    return Finding(
        id="|".join((anomaly.exchange, anomaly.pair, anomaly.rule, anomaly.subject_id)),
        exchange=anomaly.exchange,
        pair=anomaly.pair,
        rule=anomaly.rule,
        subject=anomaly.subject,
        subject_id=anomaly.subject_id,
        value=plain_or_none(anomaly.price) or quote or None,
        score=anomaly.score,
        threshold=anomaly.threshold,
        exchange_time_us=anomaly.exchange_time_us,
        simulated=anomaly.simulated,
    )
