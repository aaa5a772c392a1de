"""Binance's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging. What does not: sending, limits and retrying
(`streaming.producer`), the meaning of a status (`streaming.exchanges.replies`).

Source: rest-api.md > Recent trades list, Old trade lookup, Exchange information, Check server time.
`historicalTrades` is not served by the market-data-only host (faqs/market_data_only.md): there a gap of more
than the newest 1,000 trades stays open.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.binance import specification as spec
from streaming.exchanges.binance.instruments import ExchangeInformation, instrument, symbol_of
from streaming.exchanges.binance.messages import HistoryRow, trade_event
from streaming.exchanges.decoding import TimeMs
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.history import Walk, page_of
from streaming.exchanges.replies import read
from streaming.exchanges.venue import Instrument, RestReply, RestRequest, TradeHistory

EXCHANGE: Final = "Binance"


class _ServerTime(msgspec.Struct):
    server_time: TimeMs = msgspec.field(name="serverTime")


_trades_decoder: Final = msgspec.json.Decoder(list[HistoryRow])
_information_decoder: Final = msgspec.json.Decoder(ExchangeInformation)
_time_decoder: Final = msgspec.json.Decoder(_ServerTime)


class BinanceTradeHistory(Walk):
    """First the newest 1,000 trades, which is enough for most gaps and shows whether history has caught up
    with the feed; then, from the oldest id of the range upwards, `historicalTrades` until the two meet."""

    exchange = EXCHANGE

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        super().__init__(pair, from_id, to_id)
        self._next_id: int | None = None
        self._until = to_id

    def _ask(self) -> RestRequest:
        if self._next_id is None:
            return _newest(self._pair)
        params = {
            "symbol": symbol_of(self._pair),
            "fromId": str(self._next_id),
            "limit": str(spec.TRADES_ROWS),
        }
        return RestRequest("/api/v3/historicalTrades", spec.WEIGHT_25_LIMIT, params)

    def _page(self, reply: RestReply) -> list[TradeEvent]:
        rows = read(EXCHANGE, reply, _trades_decoder)
        return page_of(EXCHANGE, rows, lambda row: trade_event(self._pair, row, reply.receive_time_ns))

    def _advance(self, trades: list[TradeEvent]) -> None:
        if self._next_id is None:
            self._require_newest(trades)
            self._next_id = self._from_id
            self._until = min(self._to_id, trades[0].trade_id - 1)
        elif not trades or trades[-1].trade_id < self._next_id:
            self._covered = True
        else:
            self._next_id = trades[-1].trade_id + 1
        self._covered = self._covered or self._next_id > self._until


class BinanceRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return BinanceTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return _newest(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        return max((row.trade_id for row in read(EXCHANGE, reply, _trades_decoder)), default=None)

    def instruments_request(self) -> RestRequest:
        # Without the permission sets, which are most of the answer.
        params = {"permissions": "SPOT", "showPermissionSets": "false"}
        return RestRequest("/api/v3/exchangeInfo", spec.LIGHT_LIMIT, params)

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in read(EXCHANGE, reply, _information_decoder).symbols]

    def time_request(self) -> RestRequest:
        return RestRequest("/api/v3/time", spec.LIGHT_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        return read(EXCHANGE, reply, _time_decoder).server_time * 1000


def _newest(pair: str) -> RestRequest:
    params = {"symbol": symbol_of(pair), "limit": str(spec.TRADES_ROWS)}
    return RestRequest("/api/v3/trades", spec.WEIGHT_25_LIMIT, params)
