"""Bybit as a venue: its name, its addresses and the plan of its connections.

What belongs here: how the modules make a `streaming.exchanges.venue.Venue`. What does not: any rule of the
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streaming.exchanges.bybit import specification as spec
from streaming.exchanges.bybit.rest import BybitRest
from streaming.exchanges.bybit.session import BybitSession
from streaming.exchanges.plans import spread
from streaming.exchanges.session import Session
from streaming.exchanges.venue import ConnectionPlan, RateLimit, Venue


class Bybit(BybitRest):
    """See `streaming.exchanges.venue.Venue`."""

    name: Final = "BYBIT"
    id_contiguous: Final = False
    ws_url_field: Final = "bybit_ws_url"
    rest_url_field: Final = "bybit_rest_url"
    connect_limit: Final[RateLimit] = spec.CONNECT_LIMIT

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """Trades and tickers of up to a hundred pairs on each connection."""
        return spread("market", spec.PATH, spec.CHANNELS, pairs, spec.PAIRS_PER_CONNECTION)

    def session(self, plan: ConnectionPlan) -> Session:
        return BybitSession(plan)


BYBIT: Final[Venue] = Bybit()
