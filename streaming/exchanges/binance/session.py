"""The protocol machine of one Binance connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), watchdogs and
readiness (`streaming.exchanges.watch`), sockets, clocks and back-off (`streaming.producer`).

1. Streams are subscribed in requests of at most 100, two a second; each request has one acknowledgement.
2. A symbol that does not exist is acknowledged like any other: only data proves a subscription. A pair is
   ready with the first push of either stream; tickers come every second, trades when somebody trades.
3. Nothing old is repeated after a subscription, so no trade is a snapshot.
4. A ticker names the newest trade id. Two tickers ahead of the tape mean trades lost behind its end: the pair
   is reported as stale, and the engine asks the exchange.
5. `serverShutdown` announces the end of a connection, and so does an age near the 24 hours it may live.
6. Every documented error means that the request itself is wrong; others are worth a new connection.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.binance import messages
from streaming.exchanges.binance import specification as spec
from streaming.exchanges.binance.instruments import stream_of, symbol_of
from streaming.exchanges.decoding import UNREADABLE, bad_frame, same_symbol, unknown
from streaming.exchanges.events import Output, Send
from streaming.exchanges.machine import Machine
from streaming.exchanges.tail import TailCheck
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Key, Watch

_TRADE_MARK: Final = f'@{spec.TRADE}","data":'.encode()
_ENVELOPE_MAX: Final = 64
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_BINANCE_WS_URL (without /stream)."


class BinanceSession(Machine):
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(Watch(plan, plan.channels, spec.TIMING))
        keys = [(channel, pair) for channel in plan.channels for pair in plan.pairs]
        self._tail = TailCheck()
        self._keys = {stream_of(*key): key for key in keys}
        self._symbols = {pair: symbol_of(pair) for pair in plan.pairs}
        size = spec.STREAMS_PER_REQUEST
        self._batches = [keys[at : at + size] for at in range(0, len(keys), size)]
        self._sent = 0
        self._send_at_ns = 0

    def connected(self, now_ns: int) -> list[Output]:
        self._send_at_ns = now_ns + spec.REQUEST_SPACING_NS
        return super().connected(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        output: list[Output] = []
        if self._watch.open and self._sent < len(self._batches) and now_ns >= self._send_at_ns:
            self._send_at_ns = now_ns + spec.REQUEST_SPACING_NS
            self._watch.requested(now_ns)
            output += [Send(request) for request in self._requests()]
        return output + self._watch.tick(now_ns)

    def closed(self, code: int | None, reason: str) -> list[Output]:
        return self._watch.closed(code, reason, spec.POLICY_DELAY_S if code == spec.POLICY_CLOSE else 0.0)

    def _requests(self) -> list[str]:
        """The next request of several: the others follow one by one, at the pace the exchange allows."""
        streams = [stream_of(*key) for key in self._batches[self._sent]]
        self._sent += 1
        request = {"method": "SUBSCRIBE", "params": streams, "id": self._sent}
        return [msgspec.json.encode(request).decode()]

    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        if data.find(_TRADE_MARK, 0, _ENVELOPE_MAX) > 0:
            try:
                push = messages.trade_frame_decoder.decode(data)
                key = self._keys[push.stream]
                if key[0] == spec.TRADE:
                    return self._trade(key, push.data, receive_time_ns)
            except (RecordError, KeyError, *UNREADABLE):
                return self._other(data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def _trade(self, key: Key, row: messages.TradeRow, receive_time_ns: int) -> list[Output]:
        pair = key[1]
        same_symbol(row.symbol, self._symbols[pair])
        output: list[Output] = [messages.trade_event(pair, row, receive_time_ns)]
        self._tail.sent(pair, row.trade_id)
        self._watch.data(key, output)
        return output

    def _ticker(self, key: Key, row: messages.TickerRow, receive_time_ns: int) -> list[Output]:
        pair = key[1]
        same_symbol(row.symbol, self._symbols[pair])
        first = self._watch.unseen(key)
        output: list[Output] = [messages.ticker_event(pair, row, receive_time_ns, is_snapshot=first)]
        if self._tail.short(pair, row.last_id):
            self._watch.torn((spec.TRADE, pair))
        self._watch.data(key, output)
        return output

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a good trade; rare, so clarity comes before speed."""
        try:
            push = messages.push_frame_decoder.decode(data)
        except UNREADABLE:
            try:
                control = messages.control_frame_decoder.decode(data)
            except UNREADABLE as error:
                return [bad_frame(data, f"It is neither data nor an answer: {error}.", None, receive_time_ns)]
            return self._control(control, data)
        if push.stream == f"!{spec.SHUTDOWN_EVENT}":
            return self._watch.notice(spec.SHUTDOWN_EVENT, "The server is about to shut down.")
        key = self._keys.get(push.stream)
        if key is None:
            return [bad_frame(data, "It is about a stream that was never subscribed.", None, receive_time_ns)]
        try:
            if key[0] == spec.TRADE:
                return self._trade(key, messages.trade_row_decoder.decode(push.data), receive_time_ns)
            return self._ticker(key, messages.ticker_row_decoder.decode(push.data), receive_time_ns)
        except (RecordError, *UNREADABLE) as error:
            return [bad_frame(data, str(error), key[1], receive_time_ns)]

    def _control(self, control: messages.ControlFrame, data: bytes) -> list[Output]:
        if control.event == spec.SHUTDOWN_EVENT:
            return self._watch.notice(spec.SHUTDOWN_EVENT, "The server is about to shut down.")
        code, message = control.code, control.msg
        if control.error is not None:
            code, message = control.error.code, control.error.msg
        if code in spec.FATAL_CODES:
            return self._watch.refuse(str(code), f"The request is refused ({message[:300]}).", _REMEDY)
        if code is not None:
            return self._watch.drop(f"error-{code}" if abs(code) < 10**6 else "error", message[:300])
        if control.result is None and isinstance(control.id, int) and 1 <= control.id <= self._sent:
            keys = self._batches[control.id - 1]
            output = [event for key in keys for event in self._watch.acked(key)]
            if output:
                return output
        return [unknown(data)]
