"""Coinbase Exchange's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging. What does not: sending, limits and retrying
(`streaming.producer`), the meaning of a status (`streaming.exchanges.replies`).

Source: https://docs.cdp.coinbase.com/exchange/rest-api > Products, Pagination; Get server time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.coinbase import specification as spec
from streaming.exchanges.coinbase.instruments import ProductRow, instrument
from streaming.exchanges.coinbase.messages import TradeRow, trade_event
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.history import BackwardWalk, page_of
from streaming.exchanges.replies import good_values, read
from streaming.exchanges.rfc3339 import time_us
from streaming.exchanges.venue import Instrument, RestReply, RestRequest, TradeHistory

EXCHANGE: Final = "Coinbase Exchange"


class _Clock(msgspec.Struct):
    iso: str


_trades_decoder: Final = msgspec.json.Decoder(list[TradeRow])
_products_decoder: Final = msgspec.json.Decoder(list[ProductRow])
_clock_decoder: Final = msgspec.json.Decoder(_Clock)


class CoinbaseTradeHistory(BackwardWalk):
    """A thousand trades a page; what is older than a trade id is what the header CB-AFTER of the page before
    holds."""

    exchange = EXCHANGE

    def _ask(self) -> RestRequest:
        return _trades_request(self._pair, self._after)

    def _page(self, reply: RestReply) -> list[TradeEvent]:
        pair, received_ns = self._pair, reply.receive_time_ns

        def event(row: TradeRow) -> TradeEvent:
            return trade_event(pair, row, received_ns, is_snapshot=False)

        rows = read(EXCHANGE, reply, _trades_decoder)
        return page_of(EXCHANGE, rows, event)


class CoinbaseRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return CoinbaseTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return _trades_request(pair, None)

    def newest_id(self, reply: RestReply) -> int | None:
        return max((row.trade_id for row in read(EXCHANGE, reply, _trades_decoder)), default=None)

    def instruments_request(self) -> RestRequest:
        return RestRequest("/products", spec.PUBLIC_LIMIT)

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in read(EXCHANGE, reply, _products_decoder)]

    def time_request(self) -> RestRequest:
        return RestRequest("/time", spec.PUBLIC_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        with good_values(EXCHANGE):
            return time_us(read(EXCHANGE, reply, _clock_decoder).iso, "iso")


def _trades_request(pair: str, after: int | None) -> RestRequest:
    params = {"limit": str(spec.TRADES_ROWS)}
    if after is not None:
        params["after"] = str(after)
    return RestRequest(f"/products/{pair}/trades", spec.PUBLIC_LIMIT, params)
