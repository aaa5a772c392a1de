"""The protocol machine of one Kraken connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), watchdogs and
readiness (`streaming.exchanges.watch`), sockets, clocks and back-off (`streaming.producer`).

1. One request a channel; each symbol is acknowledged, or refused, on its own. `snapshot` is always sent,
   because the pages disagree on its default; tickers are asked for at every change of the best quotes.
2. The first push of trades is marked `snapshot` and holds the last 50, which also closes short gaps. They
   are sent in the order of their ids, whatever their order in the frame.
3. A heartbeat comes every second, the answer to our ping at once. Both show that the wire lives, no more.
4. Errors are fatal when the same request would fail again, else a reason to connect anew.

Sources: https://docs.kraken.com/api/docs/websocket-v2/ trade, ticker, heartbeat, status, ping.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import UNREADABLE, bad_frame, unknown
from streaming.exchanges.events import Output, TickerEvent, TradeEvent
from streaming.exchanges.kraken import messages
from streaming.exchanges.kraken import specification as spec
from streaming.exchanges.kraken.instruments import pair_of, symbol_of
from streaming.exchanges.machine import Machine, in_order_of_ids
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Key, Watch

_TRADES_PREFIX: Final = b'{"channel":"trade",'
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_KRAKEN_WS_URL (without /v2)."


class KrakenSession(Machine):
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(Watch(plan, spec.CHANNELS, spec.TIMING))
        self._plan = plan

    def _requests(self) -> list[str]:
        symbols = [symbol_of(pair) for pair in self._plan.pairs]
        requests: list[str] = []
        for request_id, channel in enumerate(self._plan.channels, start=1):
            params = {"channel": channel, "symbol": symbols, "snapshot": True}
            if channel == spec.TICKERS_CHANNEL:
                params["event_trigger"] = "bbo"
            request = {"method": "subscribe", "params": params, "req_id": request_id}
            requests.append(msgspec.json.encode(request).decode())
        return requests

    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        if data.startswith(_TRADES_PREFIX):
            try:
                return self._trades(messages.trade_frame_decoder.decode(data), receive_time_ns)
            except (RecordError, *UNREADABLE):
                return self._other(data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def _trades(self, push: messages.TradeFrame, receive_time_ns: int) -> list[Output]:
        """A push in which every row is good; raises RecordError when it is not one."""
        first = push.type == "snapshot"
        output: list[Output] = []
        keys: list[Key] = []
        for row in push.data:
            trade = messages.trade_event(row, receive_time_ns, is_snapshot=first)
            keys.append(self._known((spec.TRADES_CHANNEL, trade.pair)))
            output.append(trade)
        if not keys:
            raise RecordError("It is empty.")
        for key in keys:
            self._watch.data(key, output)
        return in_order_of_ids(output) if first else output

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a good push of trades; rare, so clarity comes before speed."""
        try:
            message = messages.any_frame_decoder.decode(data)
        except UNREADABLE as error:
            return [bad_frame(data, f"It is neither data nor an answer: {error}.", None, receive_time_ns)]
        if message.method:
            return self._answer(message, data)
        if message.channel in spec.CHANNELS:
            return self._data(message, data, receive_time_ns)
        if message.channel == "heartbeat":
            return []
        if message.channel:
            return [unknown(data)]
        return [bad_frame(data, "It names neither a channel nor a method.", None, receive_time_ns)]

    def _data(self, message: messages.AnyFrame, data: bytes, receive_time_ns: int) -> list[Output]:
        channel, first = message.channel, message.type == "snapshot"
        if not first and message.type != "update":
            return [bad_frame(data, f"Its type {message.type[:80]!r} is not known.", None, receive_time_ns)]

        def event(row: msgspec.Raw) -> TradeEvent | TickerEvent:
            found: TradeEvent | TickerEvent
            if channel == spec.TRADES_CHANNEL:
                trade = messages.trade_row_decoder.decode(row)
                found = messages.trade_event(trade, receive_time_ns, is_snapshot=first)
            else:
                ticker = messages.ticker_row_decoder.decode(row)
                found = messages.ticker_event(ticker, receive_time_ns, is_snapshot=first)
            self._known((channel, found.pair))
            return found

        output = self._rows(channel, message.data, event, self._pair_of, data, receive_time_ns)
        return in_order_of_ids(output) if first else output

    def _known(self, key: Key) -> Key:
        """Raises RecordError for what was never subscribed."""
        if key not in self._watch.keys:
            raise RecordError(f"{key[1][:80]!r} was never subscribed.")
        return key

    def _pair_of(self, raw: bytes) -> str | None:
        """The pair that a bad row names, if it is one of ours."""
        try:
            pair = pair_of(messages.subject_decoder.decode(raw).symbol)
        except UNREADABLE:
            return None
        return pair if pair in self._plan.pairs else None

    def _answer(self, message: messages.AnyFrame, data: bytes) -> list[Output]:
        if message.method == "pong":
            return []
        if message.method != "subscribe":
            return [unknown(data)]
        if message.success:
            try:
                subject = messages.subject_decoder.decode(message.result)
            except UNREADABLE:
                return [unknown(data)]
            return self._watch.acked((subject.channel, pair_of(subject.symbol))) or [unknown(data)]
        text = message.error[:300]
        if any(word in text.lower() for word in spec.FATAL_ERRORS):
            return self._watch.refuse("subscribe", text, _REMEDY)
        return self._watch.drop("error", text, spec.RETRY_DELAY_S)
