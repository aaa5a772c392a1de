"""Bars computed by pandas and exact decimals from trades and quotes, sharing nothing with Flink's or the
warehouse's SQL.

What belongs here: the independent answer that tests compare with. What does not: reading it from anywhere.

The code follows the definitions in `streaming.records` word by word where the SQL takes short cuts: the
spread is integrated interval by interval, the realized variance walks along the path of slots, logarithms
have 40 digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache

import pandas as pd

MINUTE_MS = 60_000
SLOT_MS = 5_000
TEN_DIGITS = Decimal("0.0000000001")
TOLERANCE = Decimal("1e-9")
NEGLIGIBLE = Decimal("1e-15")
VARIANCES = ("realized_variance", "garman_klass", "rogers_satchell")


@dataclass(frozen=True)
class ReferenceTrade:
    """What a bar needs of a trade."""

    pair: str
    trade_id: int
    time_ms: int
    price: Decimal
    size: Decimal
    side: str = "buy"
    count: int = 1
    flagged: bool = False


@dataclass(frozen=True)
class ReferenceQuote:
    """What a bar needs of a ticker; of those at one `time_ms` the one with the greatest `order` counts."""

    pair: str
    time_ms: int
    order: tuple[int, ...]
    bid: Decimal | None
    ask: Decimal | None

    @property
    def valid(self) -> bool:
        return bool(self.bid and self.ask and self.bid <= self.ask)


Value = Decimal | int | None
Bar = Mapping[str, Value]
Bars = dict[tuple[str, int], Bar]


def bars(
    trades: Iterable[ReferenceTrade], window_ms: int = MINUTE_MS, quotes: Iterable[ReferenceQuote] = ()
) -> Bars:
    """The bars of `trades` and `quotes` by (pair, start of the window in ms)."""
    frame = pd.DataFrame([vars(trade) for trade in trades])
    asked = quotes_in_force(quotes)
    if frame.empty:
        return {}
    frame = frame.sort_values(["pair", "time_ms", "trade_id"])
    frame["start"] = frame["time_ms"] - frame["time_ms"] % window_ms
    result: Bars = {}
    with localcontext() as context:
        context.prec = 60
        for pair, of_pair in frame.groupby("pair"):
            windows = dict(iter(of_pair.groupby("start")))
            mine = asked.get(str(pair), [])
            starts = set(windows) | {q.time_ms - q.time_ms % window_ms for q, _ in mine}
            close: Decimal | None = None
            for start in sorted(int(one) for one in starts):
                members = windows.get(start, of_pair.iloc[:0])
                traded = members[~members["flagged"]]
                if not traded.empty:
                    close = traded["price"].iloc[-1]
                if close is not None:
                    spreads = time_weighted(mine, start, start + window_ms)
                    result[str(pair), start] = _bar(members, traded, close) | spreads
    return result


def _bar(members: pd.DataFrame, traded: pd.DataFrame, close: Decimal) -> dict[str, Value]:
    prices = list(traded["price"]) or [close]
    volume = sum(traded["size"], Decimal(0))
    quote_volume = sum((p * s for p, s in zip(traded["price"], traded["size"], strict=True)), Decimal(0))
    o, h, low, c = prices[0], max(prices), min(prices), prices[-1]
    return {
        "open": o,
        "high": h,
        "low": low,
        "close": c,
        "volume": volume,
        "quote_volume": quote_volume,
        "vwap": (quote_volume / volume).quantize(TEN_DIGITS, ROUND_HALF_UP) if volume else None,
        "trade_count": int(traded["count"].sum()),
        "first_trade_id": None if members.empty else int((members["trade_id"] - members["count"] + 1).min()),
        "last_trade_id": None if members.empty else int(members["trade_id"].max()),
        "buy_volume": sum(traded["size"][traded["side"] == "buy"], Decimal(0)),
        "sell_volume": sum(traded["size"][traded["side"] == "sell"], Decimal(0)),
        "flagged_count": int(members["count"][members["flagged"]].sum()),
        "realized_variance": _realized_variance(traded),
        "garman_klass": _log(h, low) ** 2 / 2 - (2 * Decimal(2).ln() - 1) * _log(c, o) ** 2,
        "rogers_satchell": _log(h, o) * _log(h, c) + _log(low, o) * _log(low, c),
    }


def _realized_variance(traded: pd.DataFrame) -> Decimal:
    if traded.empty:
        return Decimal(0)
    slots = traded.groupby(traded["time_ms"] // SLOT_MS)["price"].last()
    path = [traded["price"].iloc[0], *slots]
    return sum((_log(b, a) ** 2 for a, b in itertools.pairwise(path)), Decimal(0))


@lru_cache(maxsize=100_000)
def _log(numerator: Decimal, denominator: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 40
        return (numerator / denominator).ln()


def quotes_in_force(quotes: Iterable[ReferenceQuote]) -> dict[str, list[tuple[ReferenceQuote, int | None]]]:
    """By pair: the last quote of each millisecond, in order, and when the next one takes its place."""
    last: dict[tuple[str, int], ReferenceQuote] = {}
    for quote in sorted(quotes, key=lambda one: one.order):
        last[quote.pair, quote.time_ms] = quote
    by_pair: dict[str, list[ReferenceQuote]] = {}
    for _, quote in sorted(last.items()):
        by_pair.setdefault(quote.pair, []).append(quote)
    return {
        pair: [(one, after.time_ms) for one, after in itertools.pairwise(found)] + [(found[-1], None)]
        for pair, found in by_pair.items()
    }


def time_weighted(
    quotes: list[tuple[ReferenceQuote, int | None]], start_ms: int, end_ms: int
) -> dict[str, Value]:
    """Mean spread in price and in basis points over [start_ms, end_ms), and for how long there was one."""
    absolute = relative = Decimal(0)
    quoted_ms = 0
    if any(start_ms <= quote.time_ms < end_ms for quote, _ in quotes):
        for quote, until_ms in quotes:
            held = min(until_ms or end_ms, end_ms) - max(quote.time_ms, start_ms)
            if held <= 0 or not quote.valid:
                continue
            assert quote.bid is not None
            assert quote.ask is not None
            quoted_ms += held
            absolute += held * (quote.ask - quote.bid)
            in_bp = 10_000 * (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2)
            relative += held * in_bp.quantize(TEN_DIGITS, ROUND_HALF_UP)
    return {
        "quoted_ms": quoted_ms,
        "spread": (absolute / quoted_ms).quantize(TEN_DIGITS, ROUND_HALF_UP) if quoted_ms else None,
        "spread_bp": (relative / quoted_ms).quantize(TEN_DIGITS, ROUND_HALF_UP) if quoted_ms else None,
    }


def quote_bars(quotes: Iterable[ReferenceQuote], window_ms: int = 1000) -> Bars:
    """The quote bars by (pair, start of the window in ms)."""
    result: Bars = {}
    with localcontext() as context:
        context.prec = 60
        for pair, mine in quotes_in_force(quotes).items():
            for start in sorted({q.time_ms - q.time_ms % window_ms for q, _ in mine}):
                inside = [q for q, _ in mine if start <= q.time_ms < start + window_ms]
                bar: dict[str, Value] = {"quote_count": len(inside)}
                for side in ("bid", "ask"):
                    prices = [price for q in inside if (price := getattr(q, side))]
                    bar |= {
                        f"{side}_open": prices[0] if prices else None,
                        f"{side}_high": max(prices, default=None),
                        f"{side}_low": min(prices, default=None),
                        f"{side}_close": prices[-1] if prices else None,
                    }
                result[pair, start] = bar | time_weighted(mine, start, start + window_ms)
    return result


def differences(found: Mapping[str, object], wanted: Bar) -> dict[str, tuple[object, object]]:
    """Fields of `wanted` that differ in `found`: any digit of a decimal, or more than the tolerance of a
    variance."""
    differing: dict[str, tuple[object, object]] = {}
    for name, value in wanted.items():
        actual = found[name]
        if name in VARIANCES and value is not None and actual is not None:
            distance = abs(Decimal(str(actual)) - Decimal(value))
            same = distance <= max(NEGLIGIBLE, TOLERANCE * abs(Decimal(value)))
        else:
            same = actual == value
        if not same:
            differing[name] = (actual, value)
    return differing
