"""Constants of Kraken's public interface, each with its source.

What belongs here: paths, limits, intervals, error texts. What does not: addresses of hosts (settings),
message shapes (`messages`), behaviour (`session`, `rest`).

Sources: [W] https://docs.kraken.com/api/docs/websocket-v2/ (trade, ticker, ping, heartbeat, status),
[R] https://docs.kraken.com/api/docs/rest-api/, [G] https://docs.kraken.com/api/docs/guides/ (spot-ws-intro,
spot-rest-ratelimits), [O] chosen by us, within the documented limits.
"""

from __future__ import annotations

from typing import Final

from streaming.exchanges.venue import RateLimit
from streaming.exchanges.watch import Ping, Timing

PATH: Final = "/v2"
TRADES_CHANNEL: Final = "trade"
TICKERS_CHANNEL: Final = "ticker"
CHANNELS: Final = (TRADES_CHANNEL, TICKERS_CHANNEL)
"""[W] Both on one connection, so that quotes show that the feed lives while nobody trades."""

CONNECT_LIMIT: Final = RateLimit("kraken-connect", 15, 60.0)
"""[G] About 150 attempts in ten minutes and address, else the address is banned for ten minutes."""
PAIRS_PER_CONNECTION: Final = 100
"""[O] Kraken names no limit; this keeps a request small and a reconnect quick."""

TIMING: Final = Timing(
    ack_ns=5_000_000_000,
    data_ns=60_000_000_000,
    pair_ns=120_000_000_000,
    first_ns=30_000_000_000,
    wire_ns=10_000_000_000,
    ping=Ping('{"method":"ping","req_id":99}', every_ns=5_000_000_000),
)
"""[W] heartbeat: one about every second when a subscribed connection has nothing else to send; ping: answered
at once. [O] So a wire without a frame for 10 s is dead. Neither heartbeat nor pong counts as data."""

FATAL_ERRORS: Final = (
    "not supported",
    "invalid",
    "malformed",
    "not found",
    "unknown",
    "required",
    "permission",
)
"""[W] Words of errors that answer a subscription: the same request fails again."""
RETRY_DELAY_S: Final = 5.0
"""[O] After any other error, for example `Exceeded msg rate`, and after a rate limit of REST."""

REST_LIMIT: Final = RateLimit("kraken-public", 1, 1.0)
"""[G] Public endpoints: about one request a second and address; more is answered with an error."""
TRADES_ROWS: Final = 1000
"""[R] Get Recent Trades: at most 1000 trades in an answer."""
RETRYABLE_REST_ERRORS: Final = ("EAPI:Rate limit", "EGeneral:Too many", "EGeneral:Temporary", "EService:")
"""[R] Beginnings of errors that pass."""
