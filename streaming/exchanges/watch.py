"""Progress and watchdogs of one connection, for venues whose rules about them are the common ones.

What belongs here: which subscriptions are acknowledged and have delivered, when a connection or a pair counts
as silent, and how a connection ends. What does not: any venue's messages
(`streaming.exchanges.<venue>.session`).

Frames only leave marks; `tick` turns them into times, so the hot path reads no clock. Only data proves that a
feed lives: heartbeats, acknowledgements and unreadable frames count as `heard`, never as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streaming.exchanges.events import Fatal, Output, Ready, Reconnect, Stale, Subscribed
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan

Key = tuple[str, str]
"""(channel, pair)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When silence means something, in nanoseconds.

    Args:
        ack_ns: a request unanswered for this long means a new connection.
        data_ns: no data at all for this long means a new connection.
        pair_ns: one subscription silent for this long is reported.
        first_ns: the same for a subscription that has not delivered anything yet.
        wire_ns: no frame of any kind for this long means a new connection; None if a living wire may be mute.
    """

    ack_ns: int
    data_ns: int
    pair_ns: int
    first_ns: int
    wire_ns: int | None = None


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
        self._heard = False
        self._fresh: set[Key] = set()
        self._heard_ns = 0
        self._data_ns = 0
        self._key_ns: dict[Key, int] = {}
        self._stale: set[Key] = set()

    @property
    def open(self) -> bool:
        """Whether the machine still has something to say."""
        return self.state not in (State.STARTED, State.CLOSED)

    def start(self, now_ns: int) -> None:
        """The handshake is done and the first request goes out."""
        self.state = State.CONNECTED
        self.requested(now_ns)
        self._heard_ns = self._data_ns = now_ns
        self._key_ns = dict.fromkeys(self.keys, now_ns)

    def requested(self, now_ns: int) -> None:
        """A request went out: the time to answer begins anew."""
        self._ack_deadline_ns = now_ns + self._timing.ack_ns

    def heard(self) -> None:
        """A frame of any kind came."""
        self._heard = True

    def unseen(self, key: Key) -> bool:
        """Whether a subscription has not delivered yet: its next push is the first."""
        return key in self._unseen

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

    def silent_s(self, key: Key, now_ns: int) -> float:
        """For how long a subscription has brought nothing."""
        return (now_ns - self._key_ns[key]) / 1e9

    def tick(self, now_ns: int) -> list[Output]:
        """What the watchdogs have to say."""
        if not self.open:
            return []
        if self._heard:
            self._heard, self._heard_ns = False, now_ns
        if self._fresh:
            self._data_ns = now_ns
            self._key_ns.update(dict.fromkeys(self._fresh, now_ns))
            self._stale -= self._fresh
            self._fresh.clear()
        timing = self._timing
        if self._unacked and now_ns >= self._ack_deadline_ns:
            missing = ", ".join(sorted(f"{channel} {pair}" for channel, pair in self._unacked))
            return self.drop("ack-timeout", f"not acknowledged: {missing[:300]}")
        if timing.wire_ns is not None and now_ns - self._heard_ns >= timing.wire_ns:
            return self.drop("wire-silence", f"no frame for {timing.wire_ns // 10**9} s")
        if now_ns - self._data_ns >= timing.data_ns:
            return self.drop("data-silence", f"no data for {timing.data_ns // 10**9} s")
        output: list[Output] = []
        for key, last_ns in self._key_ns.items():
            limit_ns = timing.first_ns if key in self._unseen else timing.pair_ns
            if now_ns - last_ns >= limit_ns and key not in self._stale:
                self._stale.add(key)
                output.append(Stale(*key, self.silent_s(key, now_ns)))
        return output

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


class TailCheck:
    """Compares the newest trade id that the exchange itself reports with the newest one it has sent.

    Reports and trades travel in no promised order, so one report ahead means nothing; a second one that finds
    the tape still short of the first one's id means that trades are missing behind its end, where no gap in
    the ids can show them.
    """

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._reported: dict[str, int] = {}

    def sent(self, pair: str, trade_id: int) -> None:
        """A trade came."""
        if trade_id > self._sent.get(pair, -1):
            self._sent[pair] = trade_id

    def short(self, pair: str, newest_id: int) -> bool:
        """Whether the tape has missed trades, now that the exchange reports `newest_id`. True once a miss."""
        sent, before = self._sent.get(pair), self._reported.pop(pair, None)
        if sent is None or newest_id <= sent:
            return False
        if before is not None and before > sent:
            self._sent[pair] = newest_id
            return True
        self._reported[pair] = newest_id
        return False
