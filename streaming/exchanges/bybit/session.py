"""The protocol machine of one Bybit connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`, `market`),
watchdogs (`streaming.exchanges.watch`), sockets and back-off (`streaming.producer`).

1. Topics are subscribed in requests of at most ten; each request has one answer, and one bad topic fails all
   of it.
2. Nothing old is repeated on `publicTrade`, so no trade is a snapshot. The trades of a message are sent in
   the order of their ids.
3. Our channel `tickers` is two topics and begins with the quotes; a repeated quote is no data.
4. A ping goes out every 20 seconds. Its answer, in either form, shows that the wire lives, no more.
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
from streaming.exchanges.decoding import UNREADABLE, bad_frame, unknown
from streaming.exchanges.events import Output, Send, TradeEvent
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Key, Watch

_TRADES_PREFIX: Final = f'{{"topic":"{spec.TRADES_CHANNEL}.'.encode()
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_BYBIT_WS_URL (without /spot)."


class BybitSession:
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._watch = Watch(plan, plan.channels, spec.TIMING)
        self._symbols = {pair: symbol_of(pair) for pair in plan.pairs}
        self._markets = {pair: Market(pair) for pair in plan.pairs}
        self._topics: dict[str, Key] = {}
        for pair, symbol in self._symbols.items():
            self._topics[f"{spec.TRADES_CHANNEL}.{symbol}"] = (spec.TRADES_CHANNEL, pair)
            self._topics[f"{spec.TICKERS_CHANNEL}.{symbol}"] = (spec.TICKERS_CHANNEL, pair)
            self._topics[f"{spec.QUOTES_TOPIC}.{symbol}"] = (spec.TICKERS_CHANNEL, pair)
        topics = list(self._topics)
        size = 3 * spec.PAIRS_PER_REQUEST
        self._requests = {
            str(number): topics[begin : begin + size]
            for number, begin in enumerate(range(0, len(topics), size), start=1)
        }
        self._pinged_ns = 0

    @property
    def state(self) -> State:
        return self._watch.state

    def connected(self, now_ns: int) -> list[Output]:
        self._watch.start(now_ns)
        self._pinged_ns = now_ns
        return [
            Send(msgspec.json.encode({"req_id": number, "op": "subscribe", "args": topics}).decode())
            for number, topics in self._requests.items()
        ]

    def frame(self, data: bytes | str, receive_time_ns: int) -> list[Output]:
        if self._watch.state is State.CLOSED:
            return []
        self._watch.heard()
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if data.startswith(_TRADES_PREFIX):
            try:
                push = messages.trade_frame_decoder.decode(data)
            except UNREADABLE:
                return self._other(data, receive_time_ns)
            return self._trades(push.topic, push.data, data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def tick(self, now_ns: int) -> list[Output]:
        output = self._watch.tick(now_ns)
        if self._watch.open and now_ns - self._pinged_ns >= spec.PING_EVERY_NS:
            self._pinged_ns = now_ns
            output.append(Send(spec.PING))
        return output

    def closed(self, code: int | None, reason: str) -> list[Output]:
        return self._watch.closed(code, reason)

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a well-formed push of trades; rare, so clarity comes before speed."""
        try:
            push = messages.push_frame_decoder.decode(data)
        except UNREADABLE:
            try:
                control = messages.control_frame_decoder.decode(data)
            except UNREADABLE as error:
                return [bad_frame(data, f"It is neither data nor an answer: {error}.", None, receive_time_ns)]
            return self._control(control, data)
        key = self._topics.get(push.topic)
        try:
            if key is not None and key[0] == spec.TICKERS_CHANNEL:
                return self._ticker(key, push, receive_time_ns)
            rows = messages.trade_rows_decoder.decode(push.data)
        except (RecordError, *UNREADABLE) as error:
            return [bad_frame(data, str(error), key and key[1], receive_time_ns)]
        return self._trades(push.topic, rows, data, receive_time_ns)

    def _trades(
        self,
        topic: str,
        rows: list[messages.TradeRow] | list[msgspec.Raw],
        data: bytes,
        receive_time_ns: int,
    ) -> list[Output]:
        key = self._topics.get(topic)
        if key is None or key[0] != spec.TRADES_CHANNEL:
            return [bad_frame(data, "It is about a topic that was never subscribed.", None, receive_time_ns)]
        pair = key[1]
        symbol = self._symbols[pair]
        output: list[Output] = []
        bad: list[Output] = []
        for row in rows:
            try:
                trade = messages.trade_row_decoder.decode(row) if isinstance(row, msgspec.Raw) else row
                if trade.symbol != symbol:
                    raise RecordError(f"symbol {trade.symbol[:80]!r} is not the topic's.")
                output.append(messages.trade_event(trade, pair, trade.time_ms, receive_time_ns))
            except (RecordError, *UNREADABLE) as error:
                raw = bytes(row) if isinstance(row, msgspec.Raw) else msgspec.json.encode(row)
                bad.append(bad_frame(raw, str(error), pair, receive_time_ns))
        if len(output) > 1:
            output.sort(key=_id_of)
        if output:
            self._watch.data(key, output)
        return output + bad or [unknown(data)]

    def _ticker(self, key: Key, push: messages.PushFrame, receive_time_ns: int) -> list[Output]:
        pair = key[1]
        market = self._markets[pair]
        time_us = messages.time_us(push.ts, "ts")
        row: messages.BookRow | messages.TickerRow
        if push.topic.startswith(spec.QUOTES_TOPIC):
            row = messages.book_row_decoder.decode(push.data)
        else:
            row = messages.ticker_row_decoder.decode(push.data)
        if row.symbol != self._symbols[pair]:
            raise RecordError(f"symbol {row.symbol[:80]!r} is not the topic's.")
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
            keys = dict.fromkeys(self._topics[topic] for topic in self._requests.get(control.req_id, ()))
            output = [event for key in keys for event in self._watch.acked(key)]
            if output:
                return output
        return [unknown(data)]


def _id_of(output: Output) -> int:
    return output.trade_id if isinstance(output, TradeEvent) else messages.BIGINT_MAX
