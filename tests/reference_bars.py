"""Bars computed by pandas from trades, sharing nothing with Flink's SQL or the warehouse's.

What belongs here: the independent answer that tests compare with. What does not: reading it from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pandas as pd

MINUTE_MS = 60_000
VWAP_STEP = Decimal("0.0000000001")


@dataclass(frozen=True)
class ReferenceTrade:
    """What a bar needs of a trade."""

    pair: str
    trade_id: int
    time_ms: int
    price: Decimal
    size: Decimal


Bar = Mapping[str, Decimal | int]


def bars(trades: Iterable[ReferenceTrade], window_ms: int = MINUTE_MS) -> dict[tuple[str, int], Bar]:
    """The bars of `trades` by (pair, start of the window in ms)."""
    frame = pd.DataFrame([vars(trade) for trade in trades])
    if frame.empty:
        return {}
    frame = frame.sort_values(["pair", "time_ms", "trade_id"])
    frame["start"] = frame["time_ms"] - frame["time_ms"] % window_ms
    with localcontext() as context:
        context.prec = 60
        frame["quote"] = [price * size for price, size in zip(frame["price"], frame["size"], strict=True)]
        result: dict[tuple[str, int], Bar] = {}
        for (pair, start), group in frame.groupby(["pair", "start"]):
            volume, quote = sum(group["size"], Decimal(0)), sum(group["quote"], Decimal(0))
            result[str(pair), int(start)] = {
                "open": group["price"].iloc[0],
                "high": max(group["price"]),
                "low": min(group["price"]),
                "close": group["price"].iloc[-1],
                "volume": volume,
                "quote_volume": quote,
                "vwap": (quote / volume).quantize(VWAP_STEP, ROUND_HALF_UP),
                "trade_count": len(group),
                "first_trade_id": int(group["trade_id"].min()),
                "last_trade_id": int(group["trade_id"].max()),
            }
    return result
