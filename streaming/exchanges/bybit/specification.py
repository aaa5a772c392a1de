"""Constants of Bybit's public interface, each with its source.

What belongs here: paths, limits, intervals, codes. What does not: addresses of hosts (settings), message
shapes (`messages`), behaviour (`session`, `rest`).

Sources: [D] https://bybit-exchange.github.io/docs/v5/, by page. [O] chosen by us, within the limits there.
"""

from __future__ import annotations

from typing import Final

from streaming.exchanges.venue import RateLimit
from streaming.exchanges.watch import Ping, Timing

PATH: Final = "/spot"
"""[D] WebSocket Stream > Connect: spot, linear, inverse and option have an address each."""
CATEGORY: Final = "spot"

TRADES_CHANNEL: Final = "publicTrade"
TICKERS_CHANNEL: Final = "tickers"
CHANNELS: Final = (TRADES_CHANNEL, TICKERS_CHANNEL)
QUOTES_TOPIC: Final = "orderbook.1"
"""[D] Public > Ticker: a spot ticker has no bid and ask, so our ticker is made of two topics."""

CONNECT_LIMIT: Final = RateLimit("bybit-connect", 100, 60.0)
"""[D] Connect > IP limits: 500 connections in five minutes."""
PAIRS_PER_REQUEST: Final = 3
"""[D] Connect > Public channel args limits: at most 10 topics in a spot request; a pair has three."""
PAIRS_PER_CONNECTION: Final = 100
"""[D] The topics of a connection together are at most 21,000 characters; [O] a wide margin."""

TIMING: Final = Timing(
    ack_ns=5_000_000_000,
    data_ns=60_000_000_000,
    pair_ns=120_000_000_000,
    first_ns=120_000_000_000,
    wire_ns=30_000_000_000,
    ping=Ping('{"op":"ping"}', every_ns=20_000_000_000),
)
"""[D] Connect > How to send the heartbeat packet: every 20 seconds; idle connections are cut after 10 min.
[O] A trade may be long in coming; an answer to the ping is not."""

FATAL_WORDS: Final = ("not found", "invalid", "args", "param", "not exist", "not support")
"""[D] [O] Words of a refusal that the same request would meet again. One bad topic fails a whole request."""
RETRY_DELAY_S: Final = 5.0
"""[O] After any other refusal, and after too many REST requests."""

REST_LIMIT: Final = RateLimit("bybit-public", 600, 5.0)
"""[D] Rate Limit: 600 requests in 5 s and address."""
BAN_S: Final = 600.0
"""[D] Rate Limit: after more than that, HTTP 403 for ten minutes."""
TRADES_ROWS: Final = 60
"""[D] Market > Get Recent Public Trades: at most the last 60 on spot, and no way to page further back."""
RETRYABLE_CODES: Final = frozenset({10000, 10006, 10016, 10018, 10429})
"""[D] Error Codes: timeout, too many visits, server error, address limit, system protection."""
