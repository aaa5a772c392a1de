"""The protocol machine of one Bybit connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`, `market`),
watchdogs and readiness (`streaming.exchanges.watch`), sockets, clocks and back-off (`streaming.producer`).

1. Topics are subscribed in requests of at most ten; each request has one answer, and one bad topic fails all
   of it.
2. Nothing old is repeated on `publicTrade`, so no trade is a snapshot. The trades of a message are sent in
   the order of their ids.
3. Our channel `tickers` is two topics and begins with the quotes; a repeated quote is no data.
4. The answer to our ping, in either form, shows that the wire lives, no more.
5. A refused request is fatal when it would be refused again, else a reason to connect anew.

Sources: https://bybit-exchange.github.io/docs/v5/ws/connect and websocket/public/.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.bybit import messages
from streaming.exchanges.bybit import specification as spec
from streaming.exchanges.bybit.instruments import symbol_of
from streaming.exchanges.bybit.market import Market
from streaming.exchanges.decoding import UNREADABLE, bad_frame, same_symbol, unknown, us_of_ms
from streaming.exchanges.events import Output, TradeEvent
from streaming.exchanges.machine import Machine, in_order_of_ids
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Key, Watch

_TRADES_PREFIX: Final = f'{{"topic":"{spec.TRADES_CHANNEL}.'.encode()
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_BYBIT_WS_URL (without /spot)."


class BybitSession(Machine):
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(Watch(plan, plan.channels, spec.TIMING))
        self._symbols = {pair: symbol_of(pair) for pair in plan.pairs}
        self._markets = {pair: Market(pair) for pair in plan.pairs}
        self._topics: dict[str, Key] = {}
        for pair, symbol in self._symbols.items():
            self._topics[f"{spec.TRADES_CHANNEL}.{symbol}"] = (spec.TRADES_CHANNEL, pair)
            self._topics[f"{spec.TICKERS_CHANNEL}.{symbol}"] = (spec.TICKERS_CHANNEL, pair)
            self._topics[f"{spec.QUOTES_TOPIC}.{symbol}"] = (spec.TICKERS_CHANNEL, pair)
        topics = list(self._topics)
        size = 3 * spec.PAIRS_PER_REQUEST
        self._batches = {
            str(number): topics[begin : begin + size]
            for number, begin in enumerate(range(0, len(topics), size), start=1)
        }

    def _requests(self) -> list[str]:
        return [
            msgspec.json.encode({"req_id": number, "op": "subscribe", "args": topics}).decode()
            for number, topics in self._batches.items()
        ]

    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        if data.startswith(_TRADES_PREFIX):
            try:
                return self._trades(messages.trade_frame_decoder.decode(data), receive_time_ns)
            except (RecordError, KeyError, *UNREADABLE):
                return self._other(data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def _trades(self, push: messages.TradeFrame, receive_time_ns: int) -> list[Output]:
        """A push in which every row is good; raises RecordError or KeyError when it is not one."""
        key = self._topics[push.topic]
        pair, rows = key[1], push.data
        if not rows:
            raise RecordError("It is empty.")
        symbol = self._symbols[pair]
        output: list[Output] = []
        for row in rows:
            output.append(messages.trade_event(row, pair, symbol, row.time_ms, receive_time_ns))
        in_order_of_ids(output)
        self._watch.data(key, output)
        return output

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a good push of trades; rare, so clarity comes before speed."""
        try:
            push = messages.push_frame_decoder.decode(data)
        except UNREADABLE:
            try:
                control = messages.control_frame_decoder.decode(data)
            except UNREADABLE as error:
                return [bad_frame(data, f"It is neither data nor an answer: {error}.", None, receive_time_ns)]
            return self._control(control, data)
        key = self._topics.get(push.topic)
        if key is None:
            return [bad_frame(data, "It is about a topic that was never subscribed.", None, receive_time_ns)]
        channel, pair = key
        try:
            if channel == spec.TICKERS_CHANNEL:
                return self._ticker(key, push, receive_time_ns)
            rows = messages.trade_rows_decoder.decode(push.data)
        except (RecordError, *UNREADABLE) as error:
            return [bad_frame(data, str(error), pair, receive_time_ns)]

        def event(raw: msgspec.Raw) -> TradeEvent:
            row = messages.trade_row_decoder.decode(raw)
            return messages.trade_event(row, pair, self._symbols[pair], row.time_ms, receive_time_ns)

        output = self._rows(channel, rows, event, lambda row: pair, data, receive_time_ns)
        return in_order_of_ids(output)

    def _ticker(self, key: Key, push: messages.PushFrame, receive_time_ns: int) -> list[Output]:
        pair = key[1]
        market = self._markets[pair]
        time_us = us_of_ms(push.ts, "ts")
        row: messages.BookRow | messages.TickerRow
        if push.topic.startswith(spec.QUOTES_TOPIC):
            row = messages.book_row_decoder.decode(push.data)
        else:
            row = messages.ticker_row_decoder.decode(push.data)
        same_symbol(row.symbol, self._symbols[pair])
        if isinstance(row, messages.TickerRow):
            market.ticker(row, time_us)
            if not market.quoted:
                return []
        elif not market.quotes(row, time_us, is_delta=push.type == "delta"):
            return []
        output: list[Output] = [market.event(receive_time_ns, is_snapshot=self._watch.unseen(key))]
        self._watch.data(key, output)
        return output

    def _control(self, control: messages.ControlFrame, data: bytes) -> list[Output]:
        if control.op == "pong" or (control.op == "ping" and control.ret_msg == "pong"):
            return []
        if control.success is False:
            text = control.ret_msg[:300]
            if any(word in text.lower() for word in spec.FATAL_WORDS):
                return self._watch.refuse(control.op, text, _REMEDY)
            return self._watch.drop("error", text, spec.RETRY_DELAY_S)
        if control.op == "subscribe" and control.success:
            keys = dict.fromkeys(self._topics[topic] for topic in self._batches.get(control.req_id, ()))
            output = [event for key in keys for event in self._watch.acked(key)]
            if output:
                return output
        return [unknown(data)]
