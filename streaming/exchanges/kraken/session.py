"""The protocol machine of one Kraken connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), watchdogs
(`streaming.exchanges.watch`), sockets and back-off (`streaming.producer`).

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
from streaming.exchanges.events import Output, Send, TickerEvent, TradeEvent
from streaming.exchanges.kraken import messages
from streaming.exchanges.kraken import specification as spec
from streaming.exchanges.kraken.instruments import pair_of, symbol_of
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Watch

_TRADES_PREFIX: Final = b'{"channel":"trade",'
_REMEDY: Final = "Check CRYPTO_PAIRS and CRYPTO_KRAKEN_WS_URL (without /v2)."


class KrakenSession:
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        self._watch = Watch(plan, spec.CHANNELS, spec.TIMING)
        self._pinged_ns = 0

    @property
    def state(self) -> State:
        return self._watch.state

    def connected(self, now_ns: int) -> list[Output]:
        self._watch.start(now_ns)
        self._pinged_ns = now_ns
        symbols = [symbol_of(pair) for pair in self._plan.pairs]
        requests: list[Output] = []
        for request_id, channel in enumerate(self._plan.channels, start=1):
            params = {"channel": channel, "symbol": symbols, "snapshot": True}
            if channel == spec.TICKERS_CHANNEL:
                params["event_trigger"] = "bbo"
            request = {"method": "subscribe", "params": params, "req_id": request_id}
            requests.append(Send(msgspec.json.encode(request).decode()))
        return requests

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
            return self._data(push.channel, push.type, push.data, data, receive_time_ns)
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
            message = messages.any_frame_decoder.decode(data)
        except UNREADABLE as error:
            return [bad_frame(data, f"It is neither data nor an answer: {error}.", None, receive_time_ns)]
        if message.method:
            return self._answer(message, data)
        if message.channel in spec.CHANNELS:
            return self._data(message.channel, message.type, message.data, data, receive_time_ns)
        if message.channel == "heartbeat":
            return []
        if message.channel:
            return [unknown(data)]
        return [bad_frame(data, "It names neither a channel nor a method.", None, receive_time_ns)]

    def _data(
        self,
        channel: str,
        kind: str,
        rows: list[messages.TradeRow] | list[msgspec.Raw],
        data: bytes,
        receive_time_ns: int,
    ) -> list[Output]:
        if kind not in ("snapshot", "update"):
            return [bad_frame(data, f"Its type {kind[:80]!r} is not known.", None, receive_time_ns)]
        is_snapshot = kind == "snapshot"
        output: list[Output] = []
        for row in rows:
            try:
                event = self._event(channel, row, receive_time_ns, is_snapshot)
                output.append(event)
                self._watch.data((channel, event.pair), output)
            except (RecordError, *UNREADABLE) as error:
                raw = bytes(row) if isinstance(row, msgspec.Raw) else msgspec.json.encode(row)
                output.append(bad_frame(raw, str(error), self._pair_of(raw), receive_time_ns))
        if is_snapshot and len(output) > 1:
            output.sort(key=_by_id)
        return output or [unknown(data)]

    def _event(
        self, channel: str, row: messages.TradeRow | msgspec.Raw, receive_time_ns: int, is_snapshot: bool
    ) -> TradeEvent | TickerEvent:
        event: TradeEvent | TickerEvent
        if isinstance(row, messages.TradeRow):
            event = messages.trade_event(row, receive_time_ns, is_snapshot=is_snapshot)
        elif channel == spec.TRADES_CHANNEL:
            trade = messages.trade_row_decoder.decode(row)
            event = messages.trade_event(trade, receive_time_ns, is_snapshot=is_snapshot)
        else:
            ticker = messages.ticker_row_decoder.decode(row)
            event = messages.ticker_event(ticker, receive_time_ns, is_snapshot=is_snapshot)
        if (channel, event.pair) not in self._watch.keys:
            raise RecordError(f"{event.pair[:80]!r} was never subscribed.")
        return event

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


def _by_id(output: Output) -> int:
    return output.trade_id if isinstance(output, TradeEvent) else messages.BIGINT_MAX
