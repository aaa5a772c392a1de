"""OKX as a venue: ties its modules to the interface in `streaming.exchanges.venue`.

What belongs here: the plan of connections and delegation. What does not: any rule of the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streaming.exchanges.okx import rest
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.session import OkxSession, subscribe_request
from streaming.exchanges.session import Session
from streaming.exchanges.venue import (
    ConnectionPlan,
    Instrument,
    RateLimit,
    RestReply,
    RestRequest,
    TradeHistory,
    Venue,
)


class Okx:
    """See `streaming.exchanges.venue.Venue`."""

    name: Final = "OKX"
    id_contiguous: Final = True
    ws_url_field: Final = "okx_ws_url"
    rest_url_field: Final = "okx_rest_url"
    connect_limit: Final[RateLimit] = spec.CONNECT_LIMIT

    def connections(self, pairs: Sequence[str]) -> list[ConnectionPlan]:
        """Trades and tickers on one connection each, more only when a request would grow too long."""
        plans: list[ConnectionPlan] = []
        for name, path, channel in (
            ("trades", spec.BUSINESS_PATH, spec.TRADES_CHANNEL),
            ("tickers", spec.PUBLIC_PATH, spec.TICKERS_CHANNEL),
        ):
            shards = _shards(channel, pairs)
            for number, shard in enumerate(shards, start=1):
                plans.append(
                    ConnectionPlan(
                        name=name if len(shards) == 1 else f"{name}-{number}",
                        path=path,
                        channels=(channel,),
                        pairs=shard,
                        carries_trades=channel == spec.TRADES_CHANNEL,
                    )
                )
        return plans

    def session(self, plan: ConnectionPlan) -> Session:
        return OkxSession(plan)

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return rest.OkxTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return rest.newest_request(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        return rest.newest_id(reply)

    def instruments_request(self) -> RestRequest:
        return rest.instruments_request()

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return rest.instruments(reply)

    def time_request(self) -> RestRequest:
        return rest.time_request()

    def time_us(self, reply: RestReply) -> int:
        return rest.time_us(reply)


def _shards(channel: str, pairs: Sequence[str]) -> list[tuple[str, ...]]:
    shards: list[tuple[str, ...]] = []
    current: list[str] = []
    for pair in pairs:
        if current and len(subscribe_request("x", [(channel, p) for p in [*current, pair]])) > (
            spec.SUBSCRIBE_BYTES_MAX
        ):
            shards.append(tuple(current))
            current = []
        current.append(pair)
    if current:
        shards.append(tuple(current))
    return shards


OKX: Final[Venue] = Okx()
