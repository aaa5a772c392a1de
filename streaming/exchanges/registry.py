"""The venues by name.

What belongs here: the list. What does not: which venue a process reads (`streaming.producer.source`).
"""

from __future__ import annotations

from typing import Final

from streaming.errors import SettingsError
from streaming.exchanges.binance.venue import BINANCE
from streaming.exchanges.bybit.venue import BYBIT
from streaming.exchanges.coinbase.venue import COINBASE
from streaming.exchanges.kraken.venue import KRAKEN
from streaming.exchanges.okx.venue import OKX
from streaming.exchanges.venue import Venue
from streaming.records import SIMULATED_SUFFIX

VENUES: Final[dict[str, Venue]] = {known.name: known for known in (OKX, BINANCE, BYBIT, COINBASE, KRAKEN)}


def venue(name: str) -> Venue:
    """The venue called `name`, in any case.

    Raises:
        SettingsError: there is no such venue.
    """
    found = VENUES.get(name.upper())
    if found is None:
        raise SettingsError(f"There is no exchange {name!r}.", f"Known are: {', '.join(sorted(VENUES))}.")
    return found


def ids_are_contiguous(exchange: str) -> bool:
    """Whether the trade ids of `exchange`, by its name in records, grow by exactly one.

    Raises:
        SettingsError: there is no such venue.
    """
    return venue(exchange.removesuffix(SIMULATED_SUFFIX)).id_contiguous
