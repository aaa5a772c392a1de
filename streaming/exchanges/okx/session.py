"""The protocol machine of one OKX connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), watchdogs and
readiness (`streaming.exchanges.watch`), sockets, clocks and back-off (`streaming.producer`).

1. After the handshake all subscriptions go out in one request. Each is acknowledged on its own. An error says
   which request it is about, and only in its text which subscription.
2. The first push of a subscription repeats the last known trade or ticker: it is marked as a snapshot.
3. The answer to the text `ping` is the text `pong`, which is no JSON and no data.
4. A notice with code 64008 announces the end of the connection, on the public path alone; the business path's
   connections announce their own by age. Other events are harmless, known or not.
5. Errors and closes are fatal when the same request would fail again, else a reason to connect anew.

Sources: https://www.okx.com/docs-v5/en/ > WebSocket, and the sections of the two channels. Every rule has
a test with literal frames in `tests/unit/exchanges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import UNREADABLE, bad_frame, unknown
from streaming.exchanges.events import Output, TickerEvent, TradeEvent
from streaming.exchanges.machine import Machine
from streaming.exchanges.okx import messages
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.instruments import pair_of, symbol_of
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Key, Watch

_TRADES_PREFIX: Final = f'{{"arg":{{"channel":"{spec.TRADES_CHANNEL}"'.encode()
_REQUEST_ID: Final = "subscribe1"
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_OKX_WS_URL (without /public or /business)."


def subscribe_request(request_id: str, args: Sequence[Key]) -> str:
    """The request that subscribes all (channel, pair) of `args` at once."""
    wire = [{"channel": channel, "instId": symbol_of(pair)} for channel, pair in args]
    return msgspec.json.encode({"id": request_id, "op": "subscribe", "args": wire}).decode()


class OkxSession(Machine):
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(Watch(plan, plan.channels, spec.TIMING))
        self._args = [(channel, pair) for channel in plan.channels for pair in plan.pairs]

    def closed(self, code: int | None, reason: str) -> list[Output]:
        if self.state is State.CLOSED:
            return []
        if code in spec.FATAL_CLOSES:
            return self._watch.refuse(str(code), _described(spec.FATAL_CLOSES[code], reason), _REMEDY)
        return self._watch.closed(code, _described(spec.CLOSES.get(code or 0, ""), reason))

    def _requests(self) -> list[str]:
        return [subscribe_request(_REQUEST_ID, self._args)]

    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        if data.startswith(_TRADES_PREFIX):
            try:
                return self._trades(messages.trade_frame_decoder.decode(data), receive_time_ns)
            except (RecordError, *UNREADABLE):
                return self._other(data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def _trades(self, push: messages.TradeFrame, receive_time_ns: int) -> list[Output]:
        """A push in which every row is good; raises RecordError when it is not one."""
        symbol = push.arg.inst_id
        key = (push.arg.channel, pair_of(symbol))
        if key not in self._watch.keys or not push.data:
            raise RecordError("It is for nobody, or empty.")
        first = self._watch.unseen(key)
        output: list[Output] = []
        for row in push.data:
            output.append(messages.trade_event(row, symbol, receive_time_ns, is_snapshot=first))
        self._watch.data(key, output)
        return output

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a good push of trades; rare, so clarity comes before speed."""
        if data == spec.PONG:
            return []
        try:
            push = messages.push_frame_decoder.decode(data)
        except UNREADABLE:
            try:
                control = messages.control_frame_decoder.decode(data)
            except UNREADABLE as error:
                return [bad_frame(data, f"It is neither data nor an event: {error}.", None, receive_time_ns)]
            return self._control(control, data)
        channel, symbol = push.arg.channel, push.arg.inst_id
        key = (channel, pair_of(symbol))
        if key not in self._watch.keys:
            reason = "It is about a subscription that was never made."
            return [bad_frame(data, reason, None, receive_time_ns)]
        first = self._watch.unseen(key)

        def event(row: msgspec.Raw) -> TradeEvent | TickerEvent:
            if channel == spec.TICKERS_CHANNEL:
                ticker = messages.ticker_row_decoder.decode(row)
                return messages.ticker_event(ticker, symbol, receive_time_ns, is_snapshot=first)
            trade = messages.trade_row_decoder.decode(row)
            return messages.trade_event(trade, symbol, receive_time_ns, is_snapshot=first)

        return self._rows(channel, push.data, event, lambda row: key[1], data, receive_time_ns)

    def _control(self, control: messages.ControlFrame, data: bytes) -> list[Output]:
        code, text = str(control.code), control.msg[:300]
        match control.event:
            case "subscribe" if control.arg is not None:
                key = (control.arg.channel, pair_of(control.arg.inst_id))
                return self._watch.acked(key) or [unknown(data)]
            case "error" if code in spec.FATAL_CODES:
                return self._watch.refuse(code, f"{spec.FATAL_CODES[code]} ({text}).", _REMEDY)
            case "error":
                delay_s = spec.TOO_FREQUENT_DELAY_S if code == spec.TOO_FREQUENT_CODE else 0.0
                known = code.isascii() and code.isdecimal() and len(code) <= 6
                return self._watch.drop(f"error-{code}" if known else "error", text, delay_s)
            case "notice" if code == spec.CODE_UPGRADE:
                return self._watch.notice(code, text)
            case _:
                return [unknown(data)]


def _described(meaning: str, reason: str) -> str:
    return f"{meaning}: {reason}" if meaning and reason else meaning or reason
