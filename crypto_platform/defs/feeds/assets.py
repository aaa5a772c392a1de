"""The exchange's own feeds, where all lineage starts.

What belongs here: one external asset per channel we subscribe to. What does not: what we make of it
(`defs/topics`), or the protocol (`streaming.exchanges`).
"""

from crypto_platform import catalog

okx_trades = catalog.external(
    catalog.FEED_TRADES,
    "One message per fill, with consecutive trade ids per pair: OKX channel `trades-all`, or the simulated "
    "exchange in its place.",
    layer="feeds",
    kinds={"okx", "websocket"},
    metadata={"channel": "trades-all", "protocol": "https://www.okx.com/docs-v5/en/"},
)

okx_tickers = catalog.external(
    catalog.FEED_TICKERS,
    "One message per change of a pair's best bid, best ask or last trade, at most ten a second: OKX channel "
    "`tickers`, or the simulated exchange in its place.",
    layer="feeds",
    kinds={"okx", "websocket"},
    metadata={"channel": "tickers", "protocol": "https://www.okx.com/docs-v5/en/"},
)
