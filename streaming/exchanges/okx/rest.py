"""OKX's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging, error codes. What does not: sending, rate limiting and
retrying (`streaming.producer.rest_client`, `streaming.producer.filler`).

Source: https://www.okx.com/docs-v5/en/ > Order Book Trading > Market Data > Get trades, Get trades
history; > Public Data > Get instruments, Get system time; > Error Code > REST.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.instruments import InstrumentRow, instrument, symbol_of
from streaming.exchanges.okx.messages import UNREADABLE, TradeRow, trade_event
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest

_TRADES_PATH: Final = "/api/v5/market/trades"
_HISTORY_PATH: Final = "/api/v5/market/history-trades"
_TOO_MANY_REQUESTS: Final = 429

_Row = TypeVar("_Row")


class _Envelope(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class _TimeRow(msgspec.Struct):
    ts: str


_envelope_decoder: Final = msgspec.json.Decoder(_Envelope)
_trades_decoder: Final = msgspec.json.Decoder(list[TradeRow])
_instruments_decoder: Final = msgspec.json.Decoder(list[InstrumentRow])
_time_decoder: Final = msgspec.json.Decoder(list[_TimeRow])


def _retry_after_s(reply: RestReply) -> float:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0.0


def _rows(reply: RestReply, decoder: msgspec.json.Decoder[list[_Row]]) -> list[_Row]:
    try:
        envelope = _envelope_decoder.decode(reply.body)
    except UNREADABLE as error:
        retryable = reply.status == _TOO_MANY_REQUESTS or reply.status >= 500 or reply.status == 200
        raise RestError(
            f"OKX answered with HTTP {reply.status} and no readable body ({error}).",
            retryable=retryable,
            retry_after_s=_retry_after_s(reply),
        ) from None
    if envelope.code != "0" or reply.status != 200:
        raise RestError(
            f"OKX refused the request: HTTP {reply.status}, code {envelope.code}, {envelope.msg[:200]!r}.",
            retryable=envelope.code in spec.RETRYABLE_REST_CODES
            or reply.status == _TOO_MANY_REQUESTS
            or reply.status >= 500,
            retry_after_s=_retry_after_s(reply),
        )
    try:
        return decoder.decode(envelope.data)
    except UNREADABLE as error:
        raise RestError(f"OKX answered with unexpected data ({error}).", retryable=True) from None


class OkxTradeHistory:
    """Walks from the newest trade of the range to the oldest.

    First the last 500 trades in one request, which is enough for most gaps; then `history-trades` with
    `after` (older than). Each page begins one row before the previous one ended: OKX's servers have
    independent caches, so two answers may not join.
    """

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        self._pair = pair
        self._from_id = from_id
        self._to_id = to_id
        self._asked_newest = False
        self._after = to_id + 1
        self._done = False
        self._covered = False

    @property
    def covered(self) -> bool:
        return self._covered

    def next_request(self) -> RestRequest | None:
        if self._done:
            return None
        if not self._asked_newest:
            return newest_request(self._pair)
        return RestRequest(
            _HISTORY_PATH,
            spec.HISTORY_LIMIT,
            {
                "instId": symbol_of(self._pair),
                "type": "1",
                "after": str(self._after),
                "limit": str(spec.HISTORY_ROWS),
            },
        )

    def receive(self, reply: RestReply) -> list[TradeEvent]:
        rows = _rows(reply, _trades_decoder)
        try:
            trades = [trade_event(row, reply.receive_time_ns, is_snapshot=False) for row in rows]
        except RecordError as error:
            raise RestError(f"OKX's history has a bad row: {error}", retryable=True) from error
        oldest = min((trade.first_id for trade in trades), default=None)
        if not self._asked_newest:
            if max((trade.trade_id for trade in trades), default=-1) < self._to_id:
                raise RestError("OKX's history is still behind its live feed.", retryable=True)
            self._asked_newest = True
            if oldest is not None and oldest <= self._to_id:
                self._after = oldest + 1
                self._done = self._covered = oldest <= self._from_id
        elif oldest is None or oldest + 1 >= self._after:
            # No older row than those seen: the exchange's history ends here.
            self._done = self._covered = True
        else:
            self._after = oldest + 1
            self._done = self._covered = oldest <= self._from_id
        inside = [t for t in trades if t.first_id >= self._from_id and t.trade_id <= self._to_id]
        return sorted(inside, key=lambda trade: trade.trade_id)


def newest_request(pair: str) -> RestRequest:
    """The last 500 trades of a pair."""
    params = {"instId": symbol_of(pair), "limit": str(spec.TRADES_ROWS)}
    return RestRequest(_TRADES_PATH, spec.TRADES_LIMIT, params)


def newest_id(reply: RestReply) -> int | None:
    """The highest trade id of the reply. Raises RestError."""
    ids = [row.trade_id for row in _rows(reply, _trades_decoder)]
    if not all(text.isdecimal() and text.isascii() for text in ids):
        raise RestError("OKX answered with a trade id that is not a number.", retryable=True)
    return max(map(int, ids), default=None)


def instruments_request() -> RestRequest:
    """Every spot market."""
    return RestRequest("/api/v5/public/instruments", spec.INSTRUMENTS_LIMIT, {"instType": "SPOT"})


def instruments(reply: RestReply) -> list[Instrument]:
    """The spot markets of the reply. Raises RestError."""
    return [instrument(row) for row in _rows(reply, _instruments_decoder)]


def time_request() -> RestRequest:
    """The exchange's clock."""
    return RestRequest("/api/v5/public/time", spec.TIME_LIMIT)


def time_us(reply: RestReply) -> int:
    """The exchange's clock in microseconds. Raises RestError."""
    rows = _rows(reply, _time_decoder)
    if len(rows) != 1 or not (rows[0].ts.isdecimal() and rows[0].ts.isascii()):
        raise RestError("OKX answered the question for its time without one.", retryable=True)
    return int(rows[0].ts) * 1000
