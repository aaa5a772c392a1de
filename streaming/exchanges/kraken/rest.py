"""Kraken's REST requests for public data: what to ask, and how to read the answer. No HTTP client.

What belongs here: paths, parameters, paging, error texts. What does not: sending, rate limiting and retrying
(`streaming.producer`). Source: https://docs.kraken.com/api/docs/rest-api/get-recent-trades,
get-tradable-asset-pairs, get-server-time; guides/spot-errors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Generic, Literal, TypeVar

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import TradeId, fill
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.history import Walk, page_of
from streaming.exchanges.kraken import specification as spec
from streaming.exchanges.kraken.instruments import AssetPair, instrument, rest_symbol_of
from streaming.exchanges.replies import read, refused
from streaming.exchanges.venue import Instrument, RestError, RestReply, RestRequest, TradeHistory
from streaming.records import Side

EXCHANGE: Final = "Kraken"
_SIDES: Final[dict[str, Side]] = {"b": "buy", "s": "sell"}
_NEAR_IDS: Final = 4 * spec.TRADES_ROWS
"""So close a search would not take fewer pages than reading on."""


_Result = TypeVar("_Result")


class _Envelope(msgspec.Struct, Generic[_Result]):
    error: list[str]
    result: _Result | None = None


class _Row(msgspec.Struct, array_like=True, gc=False):
    price: str
    volume: str
    time: Decimal
    """Seconds since the epoch with up to nine decimals, as a JSON number: never read it as a float."""
    side: Literal["b", "s"]
    order_type: str
    misc: str
    trade_id: TradeId

    def time_ns(self) -> int:
        if not 10**9 <= self.time < 10**10:
            raise RecordError(f"time {str(self.time)[:80]} is not a time in seconds.")
        return int(self.time.scaleb(9))


class _Clock(msgspec.Struct):
    unixtime: int


_trades_decoder: Final = msgspec.json.Decoder(_Envelope[dict[str, list[_Row] | str]])
_pairs_decoder: Final = msgspec.json.Decoder(_Envelope[dict[str, AssetPair]])
_clock_decoder: Final = msgspec.json.Decoder(_Envelope[_Clock])


def _result(reply: RestReply, decoder: msgspec.json.Decoder[_Envelope[_Result]]) -> _Result:
    envelope = read(EXCHANGE, reply, decoder)
    if envelope.error or envelope.result is None:
        text = ", ".join(envelope.error)[:200]
        busy = text.startswith(spec.RETRYABLE_REST_ERRORS)
        retryable, delay_s = busy or not envelope.error, spec.RETRY_DELAY_S if busy else 0.0
        raise refused(EXCHANGE, reply, repr(text), retryable=retryable, delay_s=delay_s)
    return envelope.result


def _rows(reply: RestReply) -> list[_Row]:
    """The trades of a reply. Their key is a name of the pair that may differ from ours, and beside it stands
    `last`, a cursor."""
    parts = _result(reply, _trades_decoder).values()
    return [row for part in parts if not isinstance(part, str) for row in part]


class KrakenTradeHistory(Walk):
    """Looks for the beginning of the range, then pages forwards through it.

    Trades can only be asked for by time (`since`, exclusive), not by id. The newest 1000 are enough for most
    gaps; for an older one every answer narrows the search. Pages overlap by a nanosecond: trades of one order
    share their time.
    """

    exchange = EXCHANGE

    def __init__(self, pair: str, from_id: int, to_id: int) -> None:
        super().__init__(pair, from_id, to_id)
        self._end_id = to_id
        self._since: int | None = None
        self._below: tuple[int, int] | None = None
        self._above = (0, 0)
        self._ns_per_id = 1
        self._tries = 0
        self._located = False
        self._times_ns: dict[int, int] = {}
        """Of the page at hand, by trade id; events have only microseconds."""

    def _ask(self) -> RestRequest:
        return _trades(self._pair, self._since)

    def _page(self, reply: RestReply) -> list[TradeEvent]:
        pair, self._times_ns = self._pair, {}

        def event(row: _Row) -> TradeEvent:
            time_ns = self._times_ns[row.trade_id] = row.time_ns()
            side, received_ns = _SIDES[row.side], reply.receive_time_ns
            return fill(pair, row.trade_id, row.price, row.volume, side, time_ns // 1000, received_ns)

        return page_of(EXCHANGE, _rows(reply), event)

    def _advance(self, trades: list[TradeEvent]) -> None:
        if self._since is None:
            self._require_newest(trades)
        if not trades:
            if not self._located:
                raise RestError(f"{EXCHANGE}'s history is empty where trades were expected.", retryable=True)
            self._covered = True
            return
        first, last = ((trade.trade_id, self._times_ns[trade.trade_id]) for trade in (trades[0], trades[-1]))
        if self._since is None:
            self._covered = first[0] <= self._from_id or len(trades) < spec.TRADES_ROWS
            self._end_id = min(self._to_id, first[0] - 1)
            self._ns_per_id = max((last[1] - first[1]) // len(trades), 1)
            self._above, self._since = first, self._aim(first)
            return
        following = last[1] - 1 if last[1] - 1 > self._since else last[1]
        if self._located or self._since == 0 or first[0] <= self._from_id <= last[0] + 1:
            self._located = True
            self._covered = last[0] >= self._end_id
            self._since = following
            return
        if first[0] > self._from_id:
            self._above = (first[0], self._since)
        else:
            self._below = (last[0], following)
        self._since = self._aim(self._above)

    def _aim(self, above: tuple[int, int]) -> int:
        """A time whose page may hold the first id of the range.

        Back in growing steps, the first by the pace of the newest trades, until an older id is found; then
        halfway between the two, because markets sleep and burst; from close by, page by page.
        """
        self._tries += 1
        wanted = self._from_id - spec.TRADES_ROWS // 2
        if self._below is None:
            return max(above[1] - ((above[0] - wanted) * self._ns_per_id << 2 * (self._tries - 1)), 0)
        if wanted - self._below[0] <= _NEAR_IDS:
            return self._below[1]
        return self._below[1] + max(above[1] - self._below[1], 0) // 2


class KrakenRest:
    """The REST half of `streaming.exchanges.venue.Venue`."""

    def history(self, pair: str, from_id: int, to_id: int) -> TradeHistory:
        return KrakenTradeHistory(pair, from_id, to_id)

    def newest_request(self, pair: str) -> RestRequest:
        return _trades(pair)

    def newest_id(self, reply: RestReply) -> int | None:
        return max((row.trade_id for row in _rows(reply)), default=None)

    def instruments_request(self) -> RestRequest:
        return RestRequest("/0/public/AssetPairs", spec.REST_LIMIT)

    def instruments(self, reply: RestReply) -> list[Instrument]:
        return [instrument(row) for row in _result(reply, _pairs_decoder).values()]

    def time_request(self) -> RestRequest:
        return RestRequest("/0/public/Time", spec.REST_LIMIT)

    def time_us(self, reply: RestReply) -> int:
        """Kraken only tells whole seconds: the middle of the named one is at most half a second off."""
        return _result(reply, _clock_decoder).unixtime * 1_000_000 + 500_000


def _trades(pair: str, since_ns: int | None = None) -> RestRequest:
    """The trades after a time, oldest first, or the newest ones; at most a thousand."""
    params = {"pair": rest_symbol_of(pair), "count": str(spec.TRADES_ROWS)}
    if since_ns is not None:
        params["since"] = str(since_ns)
    return RestRequest("/0/public/Trades", spec.REST_LIMIT, params)
