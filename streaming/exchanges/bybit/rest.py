"""Bybit's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, error codes. What does not: sending, rate limiting and retrying
(`streaming.producer`). Source: https://bybit-exchange.github.io/docs/v5/market/recent-trade, /instrument,
/time; docs/v5/error; docs/v5/rate-limit.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.bybit import specification as spec
from streaming.exchanges.bybit.instruments import InstrumentRow, instrument, symbol_of
from streaming.exchanges.bybit.messages import HistoryRow, integer, trade_event
from streaming.exchanges.decoding import UNREADABLE
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.replies import read, retry_after_s
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
        raise RestError(
            f"{EXCHANGE} refused the request: code {envelope.code}, {envelope.message[:200]!r}.",
            retryable=busy,
            retry_after_s=retry_after_s(reply) or (spec.RETRY_DELAY_S if busy else 0.0),
        )
    try:
        return decoder.decode(envelope.result)
    except UNREADABLE as error:
        raise RestError(f"{EXCHANGE} answered with unexpected data ({error}).", retryable=True) from None


def _trades(pair: str, reply: RestReply) -> list[TradeEvent]:
    """The trades of a reply, oldest first. Raises RestError."""
    try:
        trades = [
            trade_event(row, pair, integer(row.time, "time"), reply.receive_time_ns)
            for row in _result(reply, _trades_decoder).rows
        ]
    except RecordError as error:
        raise RestError(f"{EXCHANGE}'s history has a bad row: {error}", retryable=True) from error
    return sorted(trades, key=lambda trade: trade.trade_id)


class BybitTradeHistory:
    """One page, the newest 60 trades: Bybit shows no older ones. See `SparseTradeHistory` for the ids."""

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        self._pair = pair
        self._from_id = from_id
        self._to_id = to_id
        self._seen_from: int | None = None

    @property
    def covered(self) -> bool:
        return self._seen_from is not None

    @property
    def seen_from(self) -> int | None:
        return self._seen_from

    def next_request(self) -> RestRequest | None:
        return None if self.covered else newest_trades(self._pair)

    def receive(self, reply: RestReply) -> list[TradeEvent]:
        trades = _trades(self._pair, reply)
        if not trades or trades[-1].trade_id < self._to_id:
            raise RestError(f"{EXCHANGE}'s history is still behind its live feed.", retryable=True)
        whole = len(trades) < spec.TRADES_ROWS
        self._seen_from = min(self._from_id, trades[0].trade_id) if whole else trades[0].trade_id
        return [trade for trade in trades if self._from_id <= trade.trade_id <= self._to_id]


class BybitRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return BybitTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return newest_trades(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        return max((trade.trade_id for trade in _trades("", reply)), default=None)

    def instruments_request(self) -> RestRequest:
        return RestRequest("/v5/market/instruments-info", spec.REST_LIMIT, {"category": spec.CATEGORY})

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in _result(reply, _instruments_decoder).rows]

    def time_request(self) -> RestRequest:
        return RestRequest("/v5/market/time", spec.REST_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        text = _result(reply, _clock_decoder).nanoseconds
        try:
            return integer(text, "timeNano") // 1000
        except RecordError as error:
            raise RestError(f"{EXCHANGE} answered without its time: {error}", retryable=True) from error


def newest_trades(pair: str) -> RestRequest:
    """The newest trades of a pair, as many as there are to be had."""
    params = {"category": spec.CATEGORY, "symbol": symbol_of(pair), "limit": str(spec.TRADES_ROWS)}
    return RestRequest("/v5/market/recent-trade", spec.REST_LIMIT, params)
