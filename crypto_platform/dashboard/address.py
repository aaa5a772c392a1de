"""What a chart's address says: exchange, pair, interval and range, so that a link shows what its sender saw.

What belongs here: reading and writing that part of an address. What does not: showing it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from crypto_platform.dashboard.views import INTERVALS
from streaming.errors import PlatformError

RANGES: Final[dict[str, int]] = {
    "1h": 3_600_000,
    "4h": 14_400_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "7d": 604_800_000,
    "30d": 2_592_000_000,
}
"""How far back a chart goes, in ms, by its name in addresses."""

BARS_MAX: Final = 1_500
"""Bars of one answer or chart: a day of minutes and a little more."""
DEFAULT_INTERVAL: Final = "1m"
DEFAULT_RANGE: Final = "4h"


class AddressError(PlatformError):
    """An address names something that there is not."""


@dataclass(frozen=True, slots=True)
class ChartAddress:
    """What one chart shows."""

    exchange: str
    pair: str
    interval: str
    span: str

    @property
    def text(self) -> str:
        """The address within the dashboard."""
        named = {"exchange": self.exchange, "pair": self.pair, "interval": self.interval, "range": self.span}
        return f"/chart?{urlencode(named)}"

    @property
    def span_ms(self) -> int:
        return RANGES[self.span]


def spans_for(interval: str) -> tuple[str, ...]:
    """The ranges that hold at most `BARS_MAX` bars of `interval` and at least 12."""
    length = INTERVALS[interval]
    return tuple(name for name, span in RANGES.items() if 12 <= span // length <= BARS_MAX)


def parse(query: Mapping[str, str], markets: Sequence[tuple[str, str]]) -> ChartAddress:
    """The chart that `query` asks for; what it leaves out is chosen.

    Args:
        query: the address's parameters.
        markets: (exchange, pair) of every market, in the order in which they are offered.

    Raises:
        AddressError: it names an exchange, pair, interval or range that there is not.
    """
    unknown = sorted(set(query) - {"exchange", "pair", "interval", "range"})
    if unknown:
        raise AddressError(f"This address has {_shown(unknown[0])}, which means nothing here.", "Remove it.")
    interval = query.get("interval", DEFAULT_INTERVAL)
    if interval not in INTERVALS:
        raise AddressError(f"There is no interval {_shown(interval)}.", f"There are {', '.join(INTERVALS)}.")
    offered = spans_for(interval)
    span = query.get("range", DEFAULT_RANGE if DEFAULT_RANGE in offered else offered[0])
    if span not in RANGES:
        raise AddressError(f"There is no range {_shown(span)}.", f"There are {', '.join(offered)}.")
    if span not in offered:
        raise AddressError(
            f"A range of {span} does not suit bars of {interval}.", f"Take {' or '.join(offered)}."
        )
    pairs = {pair for _, pair in markets}
    exchanges = {exchange for exchange, _ in markets}
    pair, exchange = query.get("pair"), query.get("exchange")
    if pair is not None and pair not in pairs:
        raise AddressError(f"There is no pair {_shown(pair)}.", f"There are {_listed(pairs)}.")
    if exchange is not None and exchange not in exchanges:
        raise AddressError(f"There is no exchange {_shown(exchange)}.", f"There are {_listed(exchanges)}.")
    for known_exchange, known_pair in markets:
        if exchange in (None, known_exchange) and pair in (None, known_pair):
            return ChartAddress(known_exchange, known_pair, interval, span)
    if pair is None or exchange is None:
        raise AddressError("There is no market yet.", "Wait until the first data has come.")
    raise AddressError(
        f"{exchange} has no {pair} here.",
        f"{pair} is on {_listed({e for e, p in markets if p == pair})}.",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _listed(names: set[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:20]) + (" and more" if len(ordered) > 20 else "") if ordered else "none yet"
