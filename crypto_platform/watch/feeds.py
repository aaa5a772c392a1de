"""Whether the producers hear from their exchanges.

What belongs here: the verdict on what a producer says of itself. What does not: asking it
(`control/managed.py`), and gaps (`watch/ledger.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crypto_platform.watch.findings import Finding, Number

AGE_LIMIT_S: Final = 15.0
"""A ticker comes several times a second on a live market; the producer itself reconnects sooner than this."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One producer: its `/ready` answer, or None when it does not answer. `pairs` maps a pair to the age in
    seconds of its newest tick or trade, None before the first."""

    name: str
    pairs: Mapping[str, float | None] | None
    spooling: bool = False


def feed_of(name: str, details: Mapping[str, Any] | None) -> Feed:
    """A producer's answer as a value."""
    if details is None or "pairs" not in details:
        return Feed(name, None)
    resting = set(details.get("pairs_resting", ()))
    ages = {
        pair: min(
            (age for age in (one["last_trade_age_s"], one["last_ticker_age_s"]) if age is not None),
            default=None,
        )
        for pair, one in details["pairs"].items()
        if pair not in resting
    }
    return Feed(name, ages, bool(details.get("spooling")))


def judge(asset: str, feeds: Sequence[Feed]) -> Finding:
    """All producers together; the worst word counts."""
    silent = [feed.name for feed in feeds if feed.pairs is None]
    stale = [
        f"{feed.name} {pair}"
        for feed in feeds
        for pair, age in (feed.pairs or {}).items()
        if age is None or age > AGE_LIMIT_S
    ]
    ages = [age for feed in feeds for age in (feed.pairs or {}).values() if age is not None]
    numbers: dict[str, Number] = {
        "producers": len(feeds),
        "producers_silent": len(silent),
        "pairs": sum(len(feed.pairs or {}) for feed in feeds),
        "pairs_stale": len(stale),
        "producers_spooling": sum(feed.spooling for feed in feeds),
    }
    if ages:
        numbers["oldest_tick_age_s"] = round(max(ages), 1)
    if silent:
        return Finding(asset, "silent", f"Producers that do not answer: {', '.join(silent)}.", numbers)
    if stale:
        sentence = (
            f"No tick for over {AGE_LIMIT_S:.0f} s: {', '.join(stale[:10])}. Look at the producer's log."
        )
        return Finding(asset, "stale", sentence, numbers)
    if any(feed.spooling for feed in feeds):
        return Finding(
            asset, "spooling", "Kafka is away: trades wait in the producer's spool on disk.", numbers
        )
    return Finding(asset, "ok", f"Every pair had a tick within {AGE_LIMIT_S:.0f} s.", numbers)
