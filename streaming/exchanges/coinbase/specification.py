"""Constants of Coinbase Exchange's public interface, each with its source.

What belongs here: paths, limits, intervals, words. What does not: addresses of hosts (settings), message
shapes (`messages`), behaviour (`session`, `rest`).

Sources, https://docs.cdp.coinbase.com/exchange: [W] websocket-feed (overview, channels, errors, best
practices), [R] rest-api (rate limits, pagination). [O] chosen by us, within the documented limits.
"""

from __future__ import annotations

from typing import Final

from streaming.exchanges.venue import RateLimit
from streaming.exchanges.watch import Timing

FEED_PATH: Final = ""
"""[W] The feed is at the root of its host."""

MATCHES: Final = "matches"
TICKER: Final = "ticker"
HEARTBEAT: Final = "heartbeat"
CHANNELS: Final = (MATCHES, TICKER, HEARTBEAT)
"""[W] Channels. Without `heartbeat` a quiet product cannot be told from a dead connection."""

CONNECT_LIMIT: Final = RateLimit("coinbase-connect", 8, 1.0)
"""[W] Rate limits: 8 connections a second per address, bursts of 20."""
PRODUCTS_MAX: Final = 50
"""[W] Spread subscriptions over connections; [O] how many products share one."""

TIMING: Final = Timing(
    ack_ns=5_000_000_000,
    data_ns=60_000_000_000,
    pair_ns=120_000_000_000,
    first_ns=30_000_000_000,
    wire_ns=10_000_000_000,
)
"""[O] Heartbeats come every second ([W], Heartbeat Channel), so ten mute seconds are a dead wire. There is no
ping of the client's, and the subscription goes out at once because the server waits five seconds for it."""

REFUSAL_WORDS: Final = ("not a valid", "malformed", "required", "invalid")
"""[O] Words of an error that the same request would meet again: a product, a channel or JSON that is wrong.
Others ([W] errors: ErrSlowConsume, ErrSlowRead, network trouble) are worth a new connection."""

PUBLIC_LIMIT: Final = RateLimit("coinbase-public", 10, 1.0)
"""[R] Rate limits: 10 requests a second per address on public endpoints."""
TRADES_ROWS: Final = 1000
"""[R] Pagination: most rows of a page; the cursor of trades (CB-BEFORE, CB-AFTER) is a trade id."""
