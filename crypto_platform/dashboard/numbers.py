"""Decimal texts: one form for the same number, wherever it came from.

What belongs here: pure functions on decimals. What does not: prices of anything in particular
(`crypto_platform.dashboard.views`), how a page groups digits (its script).

Kafka carries decimals as the exchange wrote them, the warehouse returns them with 18 places. A page, a file
and the API must show the same digits, so all of them show `plain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

BASIS_POINTS: Final = 10_000
_PLACES_BP: Final = Decimal("0.0001")
_PLACES_PERCENT: Final = Decimal("0.01")


def plain(value: str | Decimal) -> str:
    """`value` without exponent and without trailing zeros: `1.50` and `1.5` are both `1.5`."""
    text = format(Decimal(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def plain_or_none(value: str | Decimal | None) -> str | None:
    """`plain`, and None for None."""
    return None if value is None else plain(value)


def spread_bp(bid: str | None, ask: str | None) -> str | None:
    """10,000 (ask - bid) / mid, at 4 places; negative for a crossed quote, None without both sides."""
    if bid is None or ask is None:
        return None
    low, high = Decimal(bid), Decimal(ask)
    middle = (low + high) / 2
    return plain(_rounded((high - low) / middle * BASIS_POINTS, _PLACES_BP)) if middle else None


def change_percent(before: str | None, now: str | None) -> str | None:
    """The change from `before` to `now` in percent, rounded to 2 places."""
    if before is None or now is None or not Decimal(before):
        return None
    return plain(_rounded((Decimal(now) / Decimal(before) - 1) * 100, _PLACES_PERCENT))


def deviation_bp(value: str, reference: Decimal) -> str:
    """How far `value` is from `reference`, in basis points of it, rounded to 4 places."""
    return plain(_rounded((Decimal(value) / reference - 1) * BASIS_POINTS, _PLACES_BP))


def median(values: Sequence[str]) -> Decimal:
    """The median; of an even number the mean of the middle two. `values` is not empty."""
    ordered = sorted(Decimal(value) for value in values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def volatility_bp(variance: float | None) -> float | None:
    """The square root of a variance of log prices, in basis points, not annualised, at 4 places."""
    return None if variance is None else round(max(variance, 0.0) ** 0.5 * BASIS_POINTS, 4)


def _rounded(value: Decimal, places: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 50
        return value.quantize(places, ROUND_HALF_EVEN)
