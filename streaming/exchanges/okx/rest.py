"""OKX's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging, error codes. What does not: sending, rate limiting and
retrying (`streaming.producer`), the walk itself (`streaming.exchanges.history`).

Source: https://www.okx.com/docs-v5/en/ > Order Book Trading > Market Data > Get trades, Get trades
history; > Public Data > Get instruments, Get system time; > Error Code > REST.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from streaming.exchanges.decoding import UNREADABLE, integer, us_of_ms_text
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.history import BackwardWalk, page_of
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.instruments import InstrumentRow, instrument, symbol_of
from streaming.exchanges.okx.messages import TradeRow, trade_event
from streaming.exchanges.replies import decoded, good_values, passes, read, refused
from streaming.exchanges.venue import Instrument, RestReply, RestRequest, TradeHistory

EXCHANGE: Final = "OKX"
_Content = TypeVar("_Content")


class _Envelope(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class _TimeRow(msgspec.Struct):
    ts: str


_envelope_decoder: Final = msgspec.json.Decoder(_Envelope)
_trades_decoder: Final = msgspec.json.Decoder(list[TradeRow])
_instruments_decoder: Final = msgspec.json.Decoder(list[InstrumentRow])
_time_decoder: Final = msgspec.json.Decoder(tuple[_TimeRow])


def content(reply: RestReply, decoder: msgspec.json.Decoder[_Content]) -> _Content:
    """What is in the envelope of a good reply. The code counts for more than the status: 50004, a time-out,
    is HTTP 400."""
    try:
        envelope = _envelope_decoder.decode(reply.body)
    except UNREADABLE:
        envelope = read(EXCHANGE, reply, _envelope_decoder)  # Raises: it knows what the status alone means.
    if envelope.code != "0" or reply.status != HTTPStatus.OK:
        words = f"HTTP {reply.status}, code {envelope.code[:20]}, {envelope.msg[:200]!r}"
        retryable = envelope.code in spec.RETRYABLE_REST_CODES or passes(reply.status)
        raise refused(EXCHANGE, reply, words, retryable=retryable)
    return decoded(EXCHANGE, envelope.data, decoder)


class OkxTradeHistory(BackwardWalk):
    """The last 500 trades in one request, then `history-trades` with `after` (older than), a hundred a page.

    Pages overlap by a row: OKX's servers have independent caches, so two answers may not join.
    """

    exchange = EXCHANGE
    overlap = 1

    def _ask(self) -> RestRequest:
        if self._after is None:
            return _newest(self._pair)
        params = {
            "instId": symbol_of(self._pair),
            "type": "1",
            "after": str(self._after),
            "limit": str(spec.HISTORY_ROWS),
        }
        return RestRequest("/api/v5/market/history-trades", spec.HISTORY_LIMIT, params)

    def _page(self, reply: RestReply) -> list[TradeEvent]:
        symbol, received_ns = symbol_of(self._pair), reply.receive_time_ns

        def event(row: TradeRow) -> TradeEvent:
            return trade_event(row, symbol, received_ns, is_snapshot=False)

        rows = content(reply, _trades_decoder)
        return page_of(EXCHANGE, rows, event)


class OkxRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return OkxTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return _newest(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        with good_values(EXCHANGE):
            rows = content(reply, _trades_decoder)
            return max((integer(row.trade_id, "tradeId") for row in rows), default=None)

    def instruments_request(self) -> RestRequest:
        return RestRequest("/api/v5/public/instruments", spec.INSTRUMENTS_LIMIT, {"instType": "SPOT"})

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in content(reply, _instruments_decoder)]

    def time_request(self) -> RestRequest:
        return RestRequest("/api/v5/public/time", spec.TIME_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        with good_values(EXCHANGE):
            (row,) = content(reply, _time_decoder)
            return us_of_ms_text(row.ts, "ts")


def _newest(pair: str) -> RestRequest:
    params = {"instId": symbol_of(pair), "limit": str(spec.TRADES_ROWS)}
    return RestRequest("/api/v5/market/trades", spec.TRADES_LIMIT, params)
