"""Bybit's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, error codes. What does not: sending, rate limiting and retrying
(`streaming.producer`). Source: https://bybit-exchange.github.io/docs/v5/market/recent-trade, /instrument,
/time; docs/v5/error; docs/v5/rate-limit.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from streaming.exchanges.bybit import specification as spec
from streaming.exchanges.bybit.instruments import InstrumentRow, instrument, symbol_of
from streaming.exchanges.bybit.messages import HistoryRow, trade_event
from streaming.exchanges.decoding import integer
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.history import Walk, page_of
from streaming.exchanges.replies import decoded, good_values, read, refused
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest, TradeHistory

EXCHANGE: Final = "Bybit"
_Result = TypeVar("_Result")


class _Envelope(msgspec.Struct):
    code: int = msgspec.field(name="retCode")
    message: str = msgspec.field(name="retMsg", default="")
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Trades(msgspec.Struct):
    rows: list[HistoryRow] = msgspec.field(name="list")


class _Instruments(msgspec.Struct):
    rows: list[InstrumentRow] = msgspec.field(name="list")


class _Clock(msgspec.Struct):
    nanoseconds: str = msgspec.field(name="timeNano")


_envelope_decoder: Final = msgspec.json.Decoder(_Envelope)
_trades_decoder: Final = msgspec.json.Decoder(_Trades)
_instruments_decoder: Final = msgspec.json.Decoder(_Instruments)
_clock_decoder: Final = msgspec.json.Decoder(_Clock)


def _result(reply: RestReply, decoder: msgspec.json.Decoder[_Result]) -> _Result:
    if reply.status == HTTPStatus.FORBIDDEN:
        raise RestError(
            f"{EXCHANGE} refuses this address (HTTP 403): too many requests, or a region it does not serve.",
            retryable=True,
            retry_after_s=spec.BAN_S,
        )
    envelope = read(EXCHANGE, reply, _envelope_decoder)
    if envelope.code != 0:
        busy = envelope.code in spec.RETRYABLE_CODES
        words = f"code {envelope.code}, {envelope.message[:200]!r}"
        delay_s = spec.RETRY_DELAY_S if busy else 0.0
        raise refused(EXCHANGE, reply, words, retryable=busy, delay_s=delay_s)
    return decoded(EXCHANGE, envelope.result, decoder)


class BybitTradeHistory(Walk):
    """One page, the newest 60 trades: Bybit shows no older ones. See `SparseTradeHistory` for the ids."""

    exchange = EXCHANGE

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        super().__init__(pair, from_id, to_id)
        self._seen_from: int | None = None

    @property
    def seen_from(self) -> int | None:
        return self._seen_from

    def _ask(self) -> RestRequest:
        return _newest(self._pair)

    def _page(self, reply: RestReply) -> list[TradeEvent]:
        pair, symbol = self._pair, symbol_of(self._pair)

        def event(row: HistoryRow) -> TradeEvent:
            return trade_event(row, pair, symbol, integer(row.time, "time"), reply.receive_time_ns)

        return page_of(EXCHANGE, _result(reply, _trades_decoder).rows, event)

    def _advance(self, trades: list[TradeEvent]) -> None:
        self._require_newest(trades)
        whole = len(trades) < spec.TRADES_ROWS
        self._seen_from = min(self._from_id, trades[0].trade_id) if whole else trades[0].trade_id
        self._covered = True


class BybitRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return BybitTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return _newest(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        with good_values(EXCHANGE):
            rows = _result(reply, _trades_decoder).rows
            return max((integer(row.trade_id, "trade id") for row in rows), default=None)

    def instruments_request(self) -> RestRequest:
        return RestRequest("/v5/market/instruments-info", spec.REST_LIMIT, {"category": spec.CATEGORY})

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in _result(reply, _instruments_decoder).rows]

    def time_request(self) -> RestRequest:
        return RestRequest("/v5/market/time", spec.REST_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        with good_values(EXCHANGE):
            return integer(_result(reply, _clock_decoder).nanoseconds, "timeNano") // 1000


def _newest(pair: str) -> RestRequest:
    """The newest trades of a pair, as many as there are to be had."""
    params = {"category": spec.CATEGORY, "symbol": symbol_of(pair), "limit": str(spec.TRADES_ROWS)}
    return RestRequest("/v5/market/recent-trade", spec.REST_LIMIT, params)
