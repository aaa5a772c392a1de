"""OKX's one-minute candles: what to ask, and how to read the answer.

What belongs here: path, parameters, rows. What does not: sending (`streaming.backfill.candles`), comparing.

Source: https://www.okx.com/docs-v5/en/ > Order Book Trading > Market Data > Get candlesticks history.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from streaming.exchanges.candles import Candle
from streaming.exchanges.okx.instruments import symbol_of
from streaming.exchanges.okx.rest import EXCHANGE, content
from streaming.exchanges.replies import good_values
from streaming.exchanges.venue import RateLimit, RestReply, RestRequest

LIMIT: Final = RateLimit("okx-history-candles", 20, 2.0)
ROWS: Final = 100
"""[D] GET /api/v5/market/history-candles: 20 requests in 2 s per address, 100 rows."""

_decoder: Final = msgspec.json.Decoder(list[tuple[str, str, str, str, str, str, str, str, str]])


class OkxCandles:
    """A `streaming.exchanges.candles.Candles`."""

    def request(self, pair: str, from_ms: int, to_ms: int) -> RestRequest:
        params = {
            "instId": symbol_of(pair),
            "bar": "1m",
            "after": str(to_ms),
            "before": str(from_ms - 1),
            "limit": str(ROWS),
        }
        return RestRequest("/api/v5/market/history-candles", LIMIT, params)

    def closed(self, pair: str, reply: RestReply) -> list[Candle]:
        """A row is [ts, open, high, low, close, vol, volCcy, volCcyQuote, confirm]; vol is in base
        currency.
        """
        rows = content(reply, _decoder)
        with good_values(EXCHANGE):
            found = [
                Candle(pair, int(row[0]), *map(Decimal, (*row[1:6], row[7]))) for row in rows if row[8] == "1"
            ]
        return sorted(found, key=lambda candle: candle.start_ms)
