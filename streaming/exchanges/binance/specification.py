"""Constants of Binance Spot's public interface, each with its source.

What belongs here: paths, limits, intervals, codes. What does not: addresses of hosts (settings), message
shapes (`messages`), behaviour (`session`, `rest`).

Sources, https://github.com/binance/binance-spot-api-docs as of 2026-07-21: [W] web-socket-streams.md,
[R] rest-api.md, [C] CHANGELOG.md. [O] chosen by us, within the documented limits.
"""

from __future__ import annotations

from typing import Final

from streaming.exchanges.venue import RateLimit
from streaming.exchanges.watch import Timing

STREAM_PATH: Final = "/stream"
"""[W] Combined streams: every push names its stream. Times are milliseconds, as in REST: with microseconds
here the same trade would carry two times."""

TRADE: Final = "trade"
"""[W] Trade Streams: one fill per push."""
TICKER: Final = "ticker"
"""[W] Individual Symbol Ticker: once a second, with best bid and ask and with Binance's own time.
`bookTicker` is faster but carries no time, and a quote dated by our clock would break the data contract."""
CHANNELS: Final = (TRADE, TICKER)

CONNECT_LIMIT: Final = RateLimit("binance-connect", 300, 300.0)
"""[W] WebSocket Limits: 300 attempts in 5 minutes per address."""
STREAMS_MAX: Final = 1024
"""[W] WebSocket Limits: streams of one connection."""
STREAMS_PER_REQUEST: Final = 100
REQUEST_SPACING_NS: Final = 500_000_000
"""[W] WebSocket Limits: 5 client messages a second, pongs included; [O] two, in requests of a few KB."""

TIMING: Final = Timing(
    ack_ns=5_000_000_000,
    data_ns=30_000_000_000,
    pair_ns=120_000_000_000,
    first_ns=30_000_000_000,
    rotate_ns=23 * 3600 * 1_000_000_000,
)
"""[O] Tickers come every second. Unknown symbols are acknowledged like known ones, so a stream that never
delivers is reported early. Pings are WebSocket control frames ([W], every 20 s): the transport answers.
[W] General: a connection lives 24 hours; [O] an hour before, a second one takes over."""

SHUTDOWN_EVENT: Final = "serverShutdown"
"""[W] Server Shutdown: connect anew as soon as possible."""
FATAL_CODES: Final = frozenset({0, 1, 2, 3})
"""[W] Error Messages: unknown property, invalid type, invalid request, invalid JSON."""
POLICY_CLOSE: Final = 1008
POLICY_DELAY_S: Final = 10.0
"""[W] Who sends too much is disconnected, and banned if that happens often; [O] the pause after it."""

WEIGHT_25_LIMIT: Final = RateLimit("binance-weight-25", 120, 60.0)
"""[R] GET /api/v3/trades and /api/v3/historicalTrades weigh 25 of 6,000 a minute; [O] half of that."""
TRADES_ROWS: Final = 1000
"""[R] Most rows of either. [C] 2023-12-04: neither needs a key."""
LIGHT_LIMIT: Final = RateLimit("binance-light", 60, 60.0)
"""[R] GET /api/v3/time weighs 1, /api/v3/exchangeInfo 20."""
