"""OKX as a venue: its name, its addresses and the plan of its connections.

What belongs here: how the modules make a `streaming.exchanges.venue.Venue`. What does not: any rule of the
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.rest import OkxRest
from streaming.exchanges.okx.session import OkxSession
from streaming.exchanges.plans import spread
from streaming.exchanges.session import Session
from streaming.exchanges.venue import ConnectionPlan, RateLimit, Venue


class Okx(OkxRest):
    """See `streaming.exchanges.venue.Venue`."""

    name: Final = "OKX"
    id_contiguous: Final = True
    ws_url_field: Final = "okx_ws_url"
    rest_url_field: Final = "okx_rest_url"
    connect_limit: Final[RateLimit] = spec.CONNECT_LIMIT

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """Trades and tickers are on different paths, so on a connection each."""
        size = spec.PAIRS_PER_CONNECTION
        return [
            *spread("trades", spec.BUSINESS_PATH, (spec.TRADES_CHANNEL,), pairs, size),
            *spread("tickers", spec.PUBLIC_PATH, (spec.TICKERS_CHANNEL,), pairs, size, carries_trades=False),
        ]

    def session(self, plan: ConnectionPlan) -> Session:
        return OkxSession(plan)


OKX: Final[Venue] = Okx()
