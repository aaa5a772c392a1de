"""Coinbase Exchange's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging. What does not: sending, limits and retrying
(`streaming.producer`), the meaning of a status (`streaming.exchanges.replies`).

Source: https://docs.cdp.coinbase.com/exchange/rest-api > Products, Pagination; Get server time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.coinbase import specification as spec
from streaming.exchanges.coinbase.instruments import ProductRow, instrument
from streaming.exchanges.coinbase.messages import TradeRow, trade_event
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.replies import read
from streaming.exchanges.rfc3339 import time_us
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest, TradeHistory

EXCHANGE: Final = "Coinbase Exchange"


class _Clock(msgspec.Struct):
    iso: str


_trades_decoder: Final = msgspec.json.Decoder(list[TradeRow])
_products_decoder: Final = msgspec.json.Decoder(list[ProductRow])
_clock_decoder: Final = msgspec.json.Decoder(_Clock)


class CoinbaseTradeHistory:
    """Walks from the newest trade of the product to the oldest of the range, 1,000 a page.

    The first page has no cursor: it is enough for most gaps and shows whether history has caught up with the
    feed. Each further one asks for what is older than a trade id, which is what the header CB-AFTER of the
    page before holds; the first of them begins right above the range, however far back that is.
    """

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        self._pair = pair
        self._from_id = from_id
        self._to_id = to_id
        self._after: int | None = None
        self._covered = False

    @property
    def covered(self) -> bool:
        return self._covered

    def next_request(self) -> RestRequest | None:
        return None if self._covered else _trades_request(self._pair, self._after)

    def receive(self, reply: RestReply) -> list[TradeEvent]:
        rows = read(EXCHANGE, reply, _trades_decoder)
        rows.sort(key=lambda row: row.trade_id)
        try:
            trades = [
                trade_event(self._pair, row, reply.receive_time_ns, is_snapshot=False)
                for row in rows
                if self._from_id <= row.trade_id <= self._to_id
            ]
        except RecordError as error:
            raise RestError(f"{EXCHANGE}'s history has a bad row: {error}", retryable=True) from error
        if self._after is None and (not rows or rows[-1].trade_id < self._to_id):
            raise RestError(f"{EXCHANGE}'s history is still behind its live feed.", retryable=True)
        if not rows or (self._after is not None and rows[0].trade_id >= self._after):
            # Nothing older than what was seen: the exchange's history ends here.
            self._covered = True
            return trades
        self._after = min(rows[0].trade_id, self._to_id + 1)
        self._covered = rows[0].trade_id <= self._from_id
        return trades


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
        try:
            return time_us(read(EXCHANGE, reply, _clock_decoder).iso, "iso")
        except RecordError as error:
            raise RestError(f"{EXCHANGE} answered without its time: {error}", retryable=True) from error


def _trades_request(pair: str, after: int | None) -> RestRequest:
    params = {"limit": str(spec.TRADES_ROWS)}
    if after is not None:
        params["after"] = str(after)
    return RestRequest(f"/products/{pair}/trades", spec.PUBLIC_LIMIT, params)
