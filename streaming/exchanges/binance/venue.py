"""Binance Spot as a venue: its name, its addresses and the plan of its connections.

What belongs here: how the modules make a `streaming.exchanges.venue.Venue`. What does not: any rule of the
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streaming.exchanges.binance import specification as spec
from streaming.exchanges.binance.rest import BinanceRest
from streaming.exchanges.binance.session import BinanceSession
from streaming.exchanges.plans import spread
from streaming.exchanges.session import Session
from streaming.exchanges.venue import ConnectionPlan, RateLimit, Venue


class Binance(BinanceRest):
    """See `streaming.exchanges.venue.Venue`."""

    name: Final = "BINANCE"
    id_contiguous: Final = True
    ws_url_field: Final = "binance_ws_url"
    rest_url_field: Final = "binance_rest_url"
    connect_limit: Final[RateLimit] = spec.CONNECT_LIMIT

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """Trades and tickers of a pair share a connection, because the ticker vouches for the trades."""
        return spread("market", spec.STREAM_PATH, spec.CHANNELS, pairs, spec.STREAMS_MAX // 2)

    def session(self, plan: ConnectionPlan) -> Session:
        return BinanceSession(plan)


BINANCE: Final[Venue] = Binance()
