"""The exchanges' own feeds, where all lineage starts.

What belongs here: two external assets for each exchange that is read. What does not: what we make of them
(`defs/topics`), or the protocols (`streaming.exchanges`).
"""

from typing import Any, Final

import dagster as dg

from crypto_platform import catalog
from streaming.exchanges.registry import venue

GRAINS: Final = {
    "trades": "One message per fill or run of fills of a pair, as the exchange sends it",
    "tickers": "One message per change of a pair's best bid, ask or last trade, as the exchange sends it",
}


def feed(exchange: str, what: str) -> dg.AssetSpec:
    """One of an exchange's feeds, with the channels that its venue subscribes to."""
    found = venue(exchange)
    channels = sorted({channel for plan in found.connections(["BTC-USDT"]) for channel in plan.channels})
    metadata: dict[str, Any] = {
        "exchange": found.name,
        "channels": ", ".join(channels),
        "trade_ids_are_contiguous": found.id_contiguous,
        **catalog.code(f"streaming/exchanges/{exchange}/session.py"),
    }
    return catalog.external(
        catalog.feed_key(exchange, what),
        f"{GRAINS[what]}; or by the simulated exchange in its place.",
        layer="feeds",
        kinds={exchange, "websocket"},
        metadata=metadata,
    )


feeds = [feed(exchange, what) for exchange in catalog.EXCHANGES for what in GRAINS]
