"""The protocol machine of one OKX connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), sockets,
clocks and back-off (`streaming.producer`).

1. After the handshake all subscriptions go out in one request. Each is acknowledged on its own; one that
   is not within five seconds means a new connection. An error says which request, not which subscription.
2. The first push of a subscription repeats the last known trade or ticker: it is marked as a snapshot.
3. Ready: everything acknowledged and first data received for every pair.
4. After 20 seconds without any frame the text `ping` goes out; without an answer the connection is dead.
   The answer is the text `pong`, which is no JSON.
5. Only data proves that the feed lives. Pongs, acknowledgements and unreadable frames do not.
6. A notice with code 64008 announces the end of the connection; other events are harmless, known or not.
7. Errors are fatal when the same request would fail again, else a reason to connect anew.

Sources: https://www.okx.com/docs-v5/en/ > WebSocket, and the sections of the two channels. Every rule has
a test with literal frames in `tests/unit/exchanges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Output,
    Ready,
    Reconnect,
    Send,
    Stale,
    Subscribed,
    TickerEvent,
    TradeEvent,
    Unknown,
)
from streaming.exchanges.okx import messages
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.instruments import pair_of, symbol_of
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan

_TRADES_PREFIX: Final = f'{{"arg":{{"channel":"{spec.TRADES_CHANNEL}"'.encode()
_REQUEST_ID: Final = "subscribe1"
_PAIR_SETTING: Final = "CRYPTO_PAIRS"


def subscribe_request(request_id: str, args: Sequence[tuple[str, str]]) -> str:
    """The request that subscribes all (channel, pair) of `args` at once."""
    wire = [{"channel": channel, "instId": symbol_of(pair)} for channel, pair in args]
    return msgspec.json.encode({"id": request_id, "op": "subscribe", "args": wire}).decode()


class OkxSession:
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._args = [(channel, pair) for channel in plan.channels for pair in plan.pairs]
        self._wanted = frozenset(self._args)
        self._state = State.STARTED
        self._unacked = set(self._args)
        self._awaiting_data = set(self._args)
        self._ack_deadline_ns = 0
        # Frames only leave marks here; `tick` turns them into times, so the hot path reads no clock.
        self._heard = False
        self._fresh: set[tuple[str, str]] = set()
        self._last_heard_ns = 0
        self._ping_sent_ns: int | None = None
        self._last_data_ns = 0
        self._last_pair_data_ns: dict[tuple[str, str], int] = {}
        self._stale_told_ns: dict[tuple[str, str], int] = {}

    @property
    def state(self) -> State:
        return self._state

    def connected(self, now_ns: int) -> list[Output]:
        self._state = State.CONNECTED
        self._ack_deadline_ns = now_ns + spec.ACK_TIMEOUT_NS
        self._last_heard_ns = self._last_data_ns = now_ns
        self._last_pair_data_ns = dict.fromkeys(self._args, now_ns)
        return [Send(subscribe_request(_REQUEST_ID, self._args))]

    def frame(self, data: bytes | str, receive_time_ns: int) -> list[Output]:
        if self._state is State.CLOSED:
            return []
        self._heard = True
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if data.startswith(_TRADES_PREFIX):
            try:
                push = messages.trade_frame_decoder.decode(data)
            except messages.UNREADABLE:
                return self._other(data, receive_time_ns)
            return self._trades(push, data, receive_time_ns)
        return self._other(data, receive_time_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self._state in (State.STARTED, State.CLOSED):
            return []
        self._note_time(now_ns)
        if self._unacked and now_ns >= self._ack_deadline_ns:
            missing = ", ".join(sorted(f"{channel} {pair}" for channel, pair in self._unacked))
            return self._drop("ack-timeout", f"not acknowledged: {missing}")
        if now_ns - self._last_data_ns >= spec.DATA_SILENCE_NS:
            return self._drop("data-silence", f"no data for {spec.DATA_SILENCE_NS // 10**9} s")
        output: list[Output] = []
        if self._ping_sent_ns is not None:
            if now_ns - self._ping_sent_ns >= spec.PONG_TIMEOUT_NS:
                return self._drop("pong-timeout", f"no pong within {spec.PONG_TIMEOUT_NS // 10**9} s")
        elif now_ns - self._last_heard_ns >= spec.PING_AFTER_NS:
            self._ping_sent_ns = now_ns
            output.append(Send(spec.PING))
        for key, last_ns in self._last_pair_data_ns.items():
            if now_ns - max(last_ns, self._stale_told_ns.get(key, 0)) >= spec.PAIR_STALE_NS:
                self._stale_told_ns[key] = now_ns
                output.append(Stale(key[0], key[1], (now_ns - last_ns) / 1e9))
        return output

    def closed(self, code: int | None, reason: str) -> list[Output]:
        if self._state is State.CLOSED:
            return []
        if code in spec.FATAL_CLOSES:
            meaning = spec.FATAL_CLOSES[code]
            return self._refuse(str(code), f"{meaning}: {reason}" if reason else meaning)
        return self._drop(f"close-{code}" if code is not None else "connection-lost", reason)

    def _note_time(self, now_ns: int) -> None:
        if self._heard:
            self._heard = False
            self._last_heard_ns = now_ns
            self._ping_sent_ns = None
        if self._fresh:
            self._last_data_ns = now_ns
            for key in self._fresh:
                self._last_pair_data_ns[key] = now_ns
            self._fresh.clear()

    def _drop(self, reason: str, detail: str, min_delay_s: float = 0.0) -> list[Output]:
        self._state = State.CLOSED
        return [Reconnect(reason, detail, min_delay_s)]

    def _refuse(self, code: str, message: str) -> list[Output]:
        self._state = State.CLOSED
        return [
            Fatal(
                code, message, f"Check {_PAIR_SETTING} and CRYPTO_OKX_WS_URL (without /public or /business)."
            )
        ]

    def _trades(self, push: messages.TradeFrame, data: bytes, receive_time_ns: int) -> list[Output]:
        symbol = push.arg.inst_id
        key = (push.arg.channel, pair_of(symbol))
        if key not in self._wanted:
            return [_bad(data, "It is about a subscription that was never made.", None, receive_time_ns)]
        output: list[Output] = []
        is_snapshot = bool(self._awaiting_data) and key in self._awaiting_data
        good = False
        for row in push.data:
            try:
                if row.inst_id != symbol:
                    raise RecordError(f"instId {row.inst_id[:80]!r} is not the subscription's.")
                output.append(messages.trade_event(row, receive_time_ns, is_snapshot=is_snapshot))
                good = True
            except RecordError as error:
                output.append(_bad(msgspec.json.encode(row), str(error), key[1], receive_time_ns))
        if good:
            self._data_came(key, output)
        elif not output:
            output.append(Unknown(_text(data)))
        return output

    def _other(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """Everything but a well-formed push of trades; rare, so clarity comes before speed."""
        if data == spec.PONG:
            return []
        try:
            push = messages.push_frame_decoder.decode(data)
        except messages.UNREADABLE:
            try:
                control = messages.control_frame_decoder.decode(data)
            except messages.UNREADABLE as error:
                return [_bad(data, f"It is neither data nor an event: {error}.", None, receive_time_ns)]
            return self._control(control, data)
        return self._push(push, data, receive_time_ns)

    def _push(self, push: messages.PushFrame, data: bytes, receive_time_ns: int) -> list[Output]:
        symbol = push.arg.inst_id
        key = (push.arg.channel, pair_of(symbol))
        if key not in self._wanted:
            return [_bad(data, "It is about a subscription that was never made.", None, receive_time_ns)]
        output: list[Output] = []
        is_snapshot = key in self._awaiting_data
        good = False
        for raw in push.data:
            try:
                output.append(self._row(key[0], symbol, raw, receive_time_ns, is_snapshot))
                good = True
            except (RecordError, *messages.UNREADABLE) as error:
                output.append(_bad(bytes(raw), str(error), key[1], receive_time_ns))
        if good:
            self._data_came(key, output)
        elif not output:
            output.append(Unknown(_text(data)))
        return output

    def _row(
        self, channel: str, symbol: str, raw: msgspec.Raw, receive_time_ns: int, is_snapshot: bool
    ) -> TradeEvent | TickerEvent:
        event: TradeEvent | TickerEvent
        if channel == spec.TICKERS_CHANNEL:
            ticker = messages.ticker_row_decoder.decode(raw)
            named = ticker.inst_id
            event = messages.ticker_event(ticker, receive_time_ns, is_snapshot=is_snapshot)
        else:
            trade = messages.trade_row_decoder.decode(raw)
            named = trade.inst_id
            event = messages.trade_event(trade, receive_time_ns, is_snapshot=is_snapshot)
        if named != symbol:
            raise RecordError(f"instId {named[:80]!r} is not the subscription's.")
        return event

    def _data_came(self, key: tuple[str, str], output: list[Output]) -> None:
        self._fresh.add(key)
        if self._awaiting_data:
            self._awaiting_data.discard(key)
            self._advance(output)

    def _advance(self, output: list[Output]) -> None:
        if self._state is State.CONNECTED and not self._unacked:
            self._state = State.SUBSCRIBED
        if self._state is State.SUBSCRIBED and not self._awaiting_data:
            self._state = State.READY
            output.append(Ready())

    def _control(self, control: messages.ControlFrame, data: bytes) -> list[Output]:
        code = str(control.code)
        match control.event:
            case "subscribe" if control.arg is not None:
                key = (control.arg.channel, pair_of(control.arg.inst_id))
                if key not in self._unacked:
                    return [Unknown(_text(data))]
                self._unacked.discard(key)
                output: list[Output] = [Subscribed(*key)]
                self._advance(output)
                return output
            case "error" if code in spec.FATAL_CODES:
                return self._refuse(code, f"{spec.FATAL_CODES[code]} ({control.msg[:300]}).")
            case "error":
                delay_s = spec.TOO_FREQUENT_DELAY_S if code == spec.TOO_FREQUENT_CODE else 0.0
                known = code.isascii() and code.isdecimal() and len(code) <= 6
                return self._drop(f"error-{code}" if known else "error", control.msg[:300], delay_s)
            case "notice" if code == spec.CODE_UPGRADE:
                return [Notice(code, control.msg[:300])]
            case _:
                return [Unknown(_text(data))]


def _text(data: bytes) -> str:
    return data[:2000].decode("utf-8", "replace")


def _bad(data: bytes, reason: str, pair: str | None, receive_time_ns: int) -> BadFrame:
    return BadFrame(data.decode("utf-8", "replace"), reason, pair, receive_time_ns)
