"""What every venue's protocol machine has to keep track of: subscriptions, readiness, watchdogs.

What belongs here: venue-neutral bookkeeping on an injected clock. What does not: any frame, any venue's
intervals (`streaming.exchanges.<venue>.specification`), or how long to wait before connecting anew.

1. Each subscription is acknowledged in time, or the connection is dropped.
2. Ready: everything acknowledged, and data received from all subscriptions that begin with some.
3. Only data proves that the feed lives. Pongs, heartbeats, acknowledgements and unreadable frames do not.
4. Any frame proves that the connection lives. When one is due and does not come, a ping asks for it.
5. A pair that is silent on a living connection is reported once per silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from streaming.exchanges.events import BadFrame, Fatal, Output, Ready, Reconnect, Send, Stale, Subscribed
from streaming.exchanges.session import State

Key = tuple[str, str]
"""(channel, pair)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A venue's intervals, nanoseconds.

    `ping_always`: a ping goes out every `ping_after_ns`; otherwise only after that long without a frame.
    """

    ack_timeout_ns: int
    ping_after_ns: int
    pong_timeout_ns: int
    data_silence_ns: int
    pair_stale_ns: int
    ping_always: bool = False


class Feed:
    """The bookkeeping of one connection. Frames leave marks here; `tick` turns them into times, so that
    the path of a frame reads no clock.

    Args:
        keys: every subscription.
        timing: the venue's intervals.
        ping: the text of the venue's keep-alive.
        quiet_channels: channels that may be silent after the acknowledgement.
    """

    def __init__(
        self, keys: Iterable[Key], timing: Timing, ping: str, quiet_channels: Collection[str] = ()
    ) -> None:
        self.keys = tuple(keys)
        self.state = State.STARTED
        self.heard = False
        """Set by whoever receives a frame."""
        self._timing = timing
        self._ping = ping
        self._unacked = set(self.keys)
        self._awaiting_data = {key for key in self.keys if key[0] not in quiet_channels}
        self._fresh: set[Key] = set()
        self._stale: set[Key] = set()
        self._ack_deadline_ns = 0
        self._last_heard_ns = self._last_data_ns = self._last_ping_ns = 0
        self._waits_for_pong = False
        self._last_key_data_ns: dict[Key, int] = {}

    def connected(self, now_ns: int, requests: Iterable[str]) -> list[Output]:
        """The handshake is done: arm the watchdogs and send the subscriptions."""
        self.state = State.CONNECTED
        self._ack_deadline_ns = now_ns + self._timing.ack_timeout_ns
        self._last_heard_ns = self._last_data_ns = self._last_ping_ns = now_ns
        self._last_key_data_ns = dict.fromkeys(self.keys, now_ns)
        return [Send(request) for request in requests]

    def awaits_data(self, key: Key) -> bool:
        """Whether this subscription has not delivered its first data yet."""
        return key in self._awaiting_data

    def acknowledged(self, keys: Iterable[Key]) -> list[Output]:
        """Subscriptions were confirmed; those already confirmed, or never made, say nothing."""
        output: list[Output] = []
        for key in keys:
            if key in self._unacked:
                self._unacked.discard(key)
                output.append(Subscribed(*key))
        if output:
            self._advance(output)
        return output

    def data_came(self, key: Key, output: list[Output]) -> None:
        """Good data of a subscription; `Ready` is appended to `output` when it was the last one awaited."""
        self._fresh.add(key)
        if self._awaiting_data:
            self._awaiting_data.discard(key)
            self._advance(output)

    def tick(self, now_ns: int) -> list[Output]:
        """Time has passed: what is overdue?"""
        if self.state in (State.STARTED, State.CLOSED):
            return []
        timing = self._timing
        self._note_time(now_ns)
        if self._unacked and now_ns >= self._ack_deadline_ns:
            missing = ", ".join(sorted(f"{channel} {pair}" for channel, pair in self._unacked))
            return self.drop("ack-timeout", f"not acknowledged: {missing}")
        if now_ns - self._last_data_ns >= timing.data_silence_ns:
            return self.drop("data-silence", f"no data for {timing.data_silence_ns // 10**9} s")
        output: list[Output] = []
        if self._waits_for_pong:
            if now_ns - self._last_ping_ns >= timing.pong_timeout_ns:
                return self.drop("pong-timeout", f"no frame within {timing.pong_timeout_ns // 10**9} s")
        elif now_ns - self._next_ping_from_ns() >= timing.ping_after_ns:
            self._waits_for_pong = True
            self._last_ping_ns = now_ns
            output.append(Send(self._ping))
        for key, last_ns in self._last_key_data_ns.items():
            if now_ns - last_ns >= timing.pair_stale_ns and key not in self._stale:
                self._stale.add(key)
                output.append(Stale(*key, (now_ns - last_ns) / 1e9))
        return output

    def drop(self, reason: str, detail: str, min_delay_s: float = 0.0) -> list[Output]:
        """End the connection; another one is worth a try."""
        self.state = State.CLOSED
        return [Reconnect(reason, detail, min_delay_s)]

    def refuse(self, code: str, message: str, remedy: str) -> list[Output]:
        """End the connection; the same request would fail again."""
        self.state = State.CLOSED
        return [Fatal(code, message, remedy)]

    def closed(self, code: int | None, reason: str) -> list[Output]:
        """The connection is gone."""
        if self.state is State.CLOSED:
            return []
        return self.drop(f"close-{code}" if code is not None else "connection-lost", reason)

    def _next_ping_from_ns(self) -> int:
        return self._last_ping_ns if self._timing.ping_always else self._last_heard_ns

    def _note_time(self, now_ns: int) -> None:
        if self.heard:
            self.heard = False
            self._last_heard_ns = now_ns
            self._waits_for_pong = False
        if self._fresh:
            self._last_data_ns = now_ns
            for key in self._fresh:
                self._last_key_data_ns[key] = now_ns
            self._stale -= self._fresh
            self._fresh.clear()

    def _advance(self, output: list[Output]) -> None:
        if self.state is State.CONNECTED and not self._unacked:
            self.state = State.SUBSCRIBED
        if self.state is State.SUBSCRIBED and not self._awaiting_data:
            self.state = State.READY
            output.append(Ready())


def text_of(data: bytes) -> str:
    """The beginning of a frame for a log line."""
    return data[:2000].decode("utf-8", "replace")


def bad_frame(data: bytes, reason: str, pair: str | None, receive_time_ns: int) -> BadFrame:
    """A frame, or one row of it, for the dead letters."""
    return BadFrame(data.decode("utf-8", "replace"), reason, pair, receive_time_ns)
