"""Progress and watchdogs of one connection, the same for every venue.

What belongs here: which subscriptions are acknowledged and have delivered, when a ping is due, when a
connection or a pair counts as silent, when a connection is too old, and how one ends. What does not: any
venue's messages (`streaming.exchanges.<venue>.session`) or intervals (`.specification`).

Frames only leave marks; `tick` turns them into times, so the hot path reads no clock. Only data proves that a
feed lives: heartbeats, acknowledgements and unreadable frames count as `heard`, never as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streaming.exchanges.events import Fatal, Notice, Output, Ready, Reconnect, Send, Stale, Subscribed
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan

Key = tuple[str, str]
"""(channel, pair)."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A text that keeps the connection open, or shows that it is dead.

    Args:
        text: what is sent.
        every_ns: the time between two of them.
        if_silent: only after `every_ns` without any frame; else whatever else is said.
        answer_ns: no frame for this long after a ping means a new connection; None leaves it to `wire_ns`.
    """

    text: str
    every_ns: int
    if_silent: bool = False
    answer_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """When silence or age means something, in nanoseconds.

    Args:
        ack_ns: a request unanswered for this long means a new connection.
        data_ns: no data at all for this long means a new connection.
        pair_ns: one subscription silent for this long is reported, and again after as long.
        first_ns: the same for a subscription that has not delivered anything yet.
        wire_ns: no frame of any kind for this long means a new connection; None if a living wire may be mute.
        rotate_ns: a connection of this age announces its own end; None if it may live forever.
        ping: what we say to keep it alive; None if the transport or the exchange sees to it.
    """

    ack_ns: int
    data_ns: int
    pair_ns: int
    first_ns: int
    wire_ns: int | None = None
    rotate_ns: int | None = None
    ping: Ping | None = None


class Watch:
    """State of one connection of `plan`; `data_channels` are those that bring trades and tickers."""

    def __init__(self, plan: ConnectionPlan, data_channels: Sequence[str], timing: Timing) -> None:
        self.state = State.STARTED
        self.keys = frozenset((channel, pair) for channel in data_channels for pair in plan.pairs)
        self._timing = timing
        self._unacked = {(channel, pair) for channel in plan.channels for pair in plan.pairs}
        self._unseen = set(self.keys)
        self._unseen_pairs = set(plan.pairs)
        self._ack_deadline_ns = 0
        self.heard = False
        """Whoever takes a frame of any kind sets this mark."""
        self._fresh: set[Key] = set()
        self._torn: set[Key] = set()
        self._ending = False
        self._start_ns = self._heard_ns = self._data_ns = self._pinged_ns = 0
        self._unanswered = False
        self._key_ns: dict[Key, int] = {}
        self._told_ns: dict[Key, int] = {}

    @property
    def open(self) -> bool:
        """Whether the machine still has something to say."""
        return self.state not in (State.STARTED, State.CLOSED)

    def start(self, now_ns: int) -> None:
        """The handshake is done and the first request goes out: every watchdog is armed."""
        self.state = State.CONNECTED
        self.requested(now_ns)
        self._start_ns = self._heard_ns = self._data_ns = self._pinged_ns = now_ns
        self._key_ns = dict.fromkeys(self.keys, now_ns)

    def requested(self, now_ns: int) -> None:
        """A request went out: the time to answer begins anew."""
        self._ack_deadline_ns = now_ns + self._timing.ack_ns

    def unseen(self, key: Key) -> bool:
        """Whether a subscription has not delivered yet: its next push is the first."""
        return bool(self._unseen) and key in self._unseen

    def acked(self, key: Key) -> list[Output]:
        """A subscription is acknowledged; a second time says nothing."""
        if key not in self._unacked:
            return []
        self._unacked.discard(key)
        return [Subscribed(*key), *self._advance()]

    def data(self, key: Key, output: list[Output]) -> None:
        """Good data of a subscription came; appends Ready to `output` when it was the last one needed."""
        self._fresh.add(key)
        if self._unseen and key in self._unseen:
            self._unseen.discard(key)
            self._unseen_pairs.discard(key[1])
            output += self._advance()

    def torn(self, key: Key) -> None:
        """Data of a subscription seems to be missing: the next tick reports it like a silent one."""
        self._torn.add(key)

    def notice(self, code: str, message: str) -> list[Output]:
        """The end of the connection is announced; data goes on until then."""
        self._ending = True
        return [Notice(code, message)]

    def tick(self, now_ns: int) -> list[Output]:
        """What the watchdogs have to say."""
        if not self.open:
            return []
        self._note(now_ns)
        return self._dead(now_ns) or [*self._aged(now_ns), *self._ping(now_ns), *self._silent(now_ns)]

    def drop(self, reason: str, detail: str = "", min_delay_s: float = 0.0) -> list[Output]:
        """End in the hope that a new connection fares better."""
        self.state = State.CLOSED
        return [Reconnect(reason, detail, min_delay_s)]

    def refuse(self, code: str, message: str, remedy: str) -> list[Output]:
        """End for good."""
        self.state = State.CLOSED
        return [Fatal(code, message, remedy)]

    def closed(self, code: int | None, reason: str, min_delay_s: float = 0.0) -> list[Output]:
        """The connection is gone."""
        if self.state is State.CLOSED:
            return []
        return self.drop(f"close-{code}" if code is not None else "connection-lost", reason, min_delay_s)

    def _advance(self) -> list[Output]:
        if self.state is State.CONNECTED and not self._unacked:
            self.state = State.SUBSCRIBED
        if self.state is State.SUBSCRIBED and not self._unseen_pairs:
            self.state = State.READY
            return [Ready()]
        return []

    def _note(self, now_ns: int) -> None:
        """Turn the marks of the frames since the last tick into times."""
        if self.heard:
            self.heard, self._unanswered, self._heard_ns = False, False, now_ns
        if self._fresh:
            self._data_ns = now_ns
            for key in self._fresh:
                self._key_ns[key] = now_ns
                self._told_ns.pop(key, None)
            self._fresh.clear()

    def _dead(self, now_ns: int) -> list[Output]:
        timing = self._timing
        if self._unacked and now_ns >= self._ack_deadline_ns:
            missing = ", ".join(sorted(f"{channel} {pair}" for channel, pair in self._unacked))
            return self.drop("ack-timeout", f"not acknowledged: {missing[:300]}")
        answer_ns = timing.ping.answer_ns if timing.ping is not None else None
        if self._unanswered and answer_ns is not None and now_ns - self._pinged_ns >= answer_ns:
            return self.drop("pong-timeout", f"no answer to a ping within {answer_ns // 10**9} s")
        if timing.wire_ns is not None and now_ns - self._heard_ns >= timing.wire_ns:
            return self.drop("wire-silence", f"no frame for {timing.wire_ns // 10**9} s")
        if now_ns - self._data_ns >= timing.data_ns:
            return self.drop("data-silence", f"no data for {timing.data_ns // 10**9} s")
        return []

    def _aged(self, now_ns: int) -> list[Output]:
        rotate_ns = self._timing.rotate_ns
        if self._ending or rotate_ns is None or now_ns - self._start_ns < rotate_ns:
            return []
        return self.notice("rotation", f"The connection is {rotate_ns // (3600 * 10**9)} hours old.")

    def _ping(self, now_ns: int) -> list[Output]:
        ping = self._timing.ping
        if ping is None:
            return []
        since_ns = max(self._heard_ns, self._pinged_ns) if ping.if_silent else self._pinged_ns
        if now_ns - since_ns < ping.every_ns:
            return []
        self._pinged_ns, self._unanswered = now_ns, True
        return [Send(ping.text)]

    def _silent(self, now_ns: int) -> list[Output]:
        timing = self._timing
        for key, last_ns in self._key_ns.items():
            told_ns = self._told_ns.get(key)
            if told_ns is not None:
                due_ns = told_ns + timing.pair_ns
            else:
                due_ns = last_ns + (timing.first_ns if key in self._unseen else timing.pair_ns)
            if now_ns >= due_ns:
                self._told_ns[key] = now_ns
                self._torn.add(key)
        stale = [Stale(*key, (now_ns - self._key_ns[key]) / 1e9) for key in sorted(self._torn)]
        self._torn.clear()
        return [*stale]
