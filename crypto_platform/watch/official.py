"""Whether our bars are those that the exchange itself publishes.

What belongs here: the comparison, as a pure function. What does not: reading either side
(`defs/warehouse/official.py`).

Compared are minutes with trades of which no rule flagged any: what we leave out, the exchange does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from streaming.exchanges.candles import Candle

FIGURES = ("open", "high", "low", "close", "volume")
"""Quote volume is left out: exchanges round it to a different number of digits for each pair."""


@dataclass(frozen=True, slots=True)
class OurBar:
    """One minute of MARKET.BARS_1M."""

    pair: str
    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure in which a minute differs; a side that has no such minute is None."""

    pair: str
    start_ms: int
    figure: str
    ours: Decimal | None
    official: Decimal | None


def compare(
    bars: Sequence[OurBar], candles: Iterable[Candle], left_out: Iterable[tuple[str, int]] = ()
) -> list[Difference]:
    """Every difference, by pair and minute.

    Args:
        bars: ours that have trades and no flagged ones.
        candles: the exchange's, of the same pairs and span.
        left_out: (pair, minute) that we have and do not compare.
    """
    ours: Mapping[tuple[str, int], OurBar] = {(bar.pair, bar.start_ms): bar for bar in bars}
    theirs = {(candle.pair, candle.start_ms): candle for candle in candles}
    found: list[Difference] = []
    for key in sorted(ours.keys() | theirs.keys() - set(left_out)):
        bar, candle = ours.get(key), theirs.get(key)
        if bar is None and candle is not None and candle.volume == 0:
            # The exchange also has candles of minutes without a trade.
            continue
        for figure in FIGURES:
            one = None if bar is None else getattr(bar, figure)
            two = None if candle is None else getattr(candle, figure)
            if one != two:
                found.append(Difference(*key, figure, one, two))
    return found
