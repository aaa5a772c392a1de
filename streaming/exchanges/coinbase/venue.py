"""Coinbase Exchange as a venue: its name, its addresses and the plan of its connections.

What belongs here: how the modules make a `streaming.exchanges.venue.Venue`. What does not: any rule of the
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streaming.exchanges.coinbase import specification as spec
from streaming.exchanges.coinbase.rest import CoinbaseRest
from streaming.exchanges.coinbase.session import CoinbaseSession
from streaming.exchanges.plans import spread
from streaming.exchanges.session import Session
from streaming.exchanges.venue import ConnectionPlan, RateLimit, Venue


class Coinbase(CoinbaseRest):
    """See `streaming.exchanges.venue.Venue`."""

    name: Final = "COINBASE"
    id_contiguous: Final = True
    ws_url_field: Final = "coinbase_ws_url"
    rest_url_field: Final = "coinbase_rest_url"
    connect_limit: Final[RateLimit] = spec.CONNECT_LIMIT

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """Trades, tickers and heartbeats of a product share a connection: the heartbeat vouches for it."""
        return spread("market", spec.FEED_PATH, spec.CHANNELS, pairs, spec.PRODUCTS_MAX)

    def session(self, plan: ConnectionPlan) -> Session:
        return CoinbaseSession(plan)


COINBASE: Final[Venue] = Coinbase()
