"""Constants of OKX's public interface, each with its source.

What belongs here: paths, limits, intervals, codes. What does not: addresses of hosts (settings), message
shapes (`messages`), behaviour (`session`, `rest`).

Sources: [D] https://www.okx.com/docs-v5/en/, by section. [O] chosen by us, within the documented limits.
"""

from __future__ import annotations

from typing import Final

from streaming.exchanges.venue import RateLimit
from streaming.exchanges.watch import Ping, Timing

PUBLIC_PATH: Final = "/public"
"""[D] WebSocket > Overview: carries `tickers`."""
BUSINESS_PATH: Final = "/business"
"""[D] Order Book Trading > Market Data > WS All trades channel: `trades-all` is on the business path."""

TRADES_CHANNEL: Final = "trades-all"
"""[D] One fill per push. The aggregated `trades` channel is not one row per fill, REST history is."""
TICKERS_CHANNEL: Final = "tickers"

CONNECT_LIMIT: Final = RateLimit("okx-connect", 3, 1.0)
"""[D] WebSocket > Overview > Connection limit: 3 connections a second per address."""
SUBSCRIBE_BYTES_MAX: Final = 64 * 1024
"""[D] WebSocket > Subscribe: all channels of a connection together."""
PAIRS_PER_CONNECTION: Final = 500
"""[O] An argument has about 60 bytes, so a request stays below half of that."""

PONG: Final = b"pong"
TIMING: Final = Timing(
    ack_ns=5_000_000_000,
    data_ns=60_000_000_000,
    pair_ns=120_000_000_000,
    first_ns=120_000_000_000,
    rotate_ns=23 * 3600 * 1_000_000_000,
    ping=Ping("ping", every_ns=20_000_000_000, if_silent=True, answer_ns=9_000_000_000),
)
"""[D] WebSocket > Overview > Connection: send the text `ping` when nothing came for N < 30 seconds, connect
anew when no `pong` follows; [O] both together stay below the 30 seconds after which OKX itself gives up.
[O] Acknowledgements arrive within one round trip. No data on any pair for a minute is a stalled feed, pongs
do not count as data. One silent pair on a living connection is usually a quiet market: it is checked, not
reconnected. [D] WebSocket > Notification: 64008 is not sent on the business path for now; [O] so every 23
hours a second connection takes over while the first one still lives."""

CODE_UPGRADE: Final = "64008"
"""[D] WebSocket > Notification: the connection will be closed for a service upgrade."""

FATAL_CODES: Final[dict[str, str]] = {
    "60008": "The channel is not on this address",
    "60011": "The channel needs a login",
    "60012": "The subscription request is invalid",
    "60013": "The subscription has invalid arguments",
    "60018": "The channel or instrument does not exist on this address",
    "60019": "The operation is invalid",
    "60027": "The subscription lacks an argument",
    "60028": "The operation is not on this address",
    "64000": "The subscription lacks an instrument family",
    "64001": "The channel has moved to the business address",
    "64002": "The channel is not on the business address",
    "64003": "The fee tier is too low for this channel",
    "64004": "The subscription conflicts with another one",
}
"""[D] Error Code > WebSocket: configuration errors, the same request fails again. All others (60014, 63999,
64007, ..., and codes that are not known) are worth a new connection."""
TOO_FREQUENT_CODE: Final = "60014"
TOO_FREQUENT_DELAY_S: Final = 5.0
"""[O] The request bucket of a connection refills about one every 7.5 seconds; a new one starts full."""

FATAL_CLOSES: Final[dict[int, str]] = {4001: "login failed", 4002: "invalid request"}
CLOSES: Final[dict[int, str]] = {
    1009: "the request was too long",
    4004: "the exchange had nothing to send for 30 seconds",
    4005: "we read too slowly and the exchange's buffer is full",
    4006: "abnormal disconnection",
    4008: "too many channels",
    4009: "too many channels",
}
"""[D] WebSocket > close frames. Those that are not fatal are worth a new try."""

TRADES_LIMIT: Final = RateLimit("okx-trades", 100, 2.0)
TRADES_ROWS: Final = 500
"""[D] GET /api/v5/market/trades: 100 requests in 2 s per address, at most the last 500 trades."""
HISTORY_LIMIT: Final = RateLimit("okx-history-trades", 20, 2.0)
HISTORY_ROWS: Final = 100
"""[D] GET /api/v5/market/history-trades: 20 requests in 2 s per address, 100 rows, three months."""
INSTRUMENTS_LIMIT: Final = RateLimit("okx-instruments", 20, 2.0)
TIME_LIMIT: Final = RateLimit("okx-time", 10, 2.0)
"""[D] GET /api/v5/public/instruments and /api/v5/public/time."""

RETRYABLE_REST_CODES: Final = frozenset({"50001", "50004", "50011", "50013", "50026"})
"""[D] Error Code > REST: unavailable, timeout, too many requests, busy, system error."""
