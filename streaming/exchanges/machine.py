"""What every venue's protocol machine does the same way.

What belongs here: the life of a connection (`watch` keeps it), what becomes of a closed one's frames, and
rows that are read one by one. What does not: any message (`streaming.exchanges.<venue>.session`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import UNREADABLE, bad_frame, unknown
from streaming.exchanges.events import Output, Send, TickerEvent, TradeEvent
from streaming.exchanges.session import State
from streaming.exchanges.watch import Watch


class Machine(ABC):
    """The base of a venue's `streaming.exchanges.session.Session`."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    @property
    def state(self) -> State:
        return self._watch.state

    def connected(self, now_ns: int) -> list[Output]:
        self._watch.start(now_ns)
        return [Send(request) for request in self._requests()]

    def frame(self, data: bytes | str, receive_time_ns: int) -> list[Output]:
        watch = self._watch
        if watch.state is State.CLOSED:
            return []
        watch.heard = True
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        return self._message(data, receive_time_ns)

    def tick(self, now_ns: int) -> list[Output]:
        return self._watch.tick(now_ns)

    def closed(self, code: int | None, reason: str) -> list[Output]:
        return self._watch.closed(code, reason)

    @abstractmethod
    def _requests(self) -> list[str]:
        """The texts that go out with the handshake and subscribe everything."""

    @abstractmethod
    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        """The answer to one message of a living connection.

        The hot path: a push of good trades comes first, in one pass and a plain loop (a comprehension costs a
        call on Python 3.11). It marks nothing before its last row is read, so that whatever is wrong with it
        can be left to the slow path, which reads the frame anew, row by row.
        """

    def _rows(
        self,
        channel: str,
        rows: Iterable[msgspec.Raw],
        event: Callable[[msgspec.Raw], TradeEvent | TickerEvent],
        pair_of: Callable[[bytes], str | None],
        data: bytes,
        receive_time_ns: int,
    ) -> list[Output]:
        """The rows of a push, each for itself, so that a bad one does not spoil the others.

        `event` reads a row and raises RecordError or what decoding raises; `pair_of` names a bad row's pair.
        A push without rows is Unknown. Rare, so clarity comes before speed.
        """
        output: list[Output] = []
        for row in rows:
            try:
                output.append(event(row))
            except (RecordError, *UNREADABLE) as error:
                raw = bytes(row)
                output.append(bad_frame(raw, str(error), pair_of(raw), receive_time_ns))
        if not output:
            return [unknown(data)]
        self._came(channel, output)
        return output

    def _came(self, channel: str, output: list[Output]) -> None:
        """Mark the subscriptions whose data is in `output` as alive."""
        pairs = {event.pair for event in output if isinstance(event, TradeEvent | TickerEvent)}
        for pair in sorted(pairs):
            self._watch.data((channel, pair), output)


def in_order_of_ids(output: list[Output]) -> list[Output]:
    """The trades by rising id, then everything else."""
    if len(output) > 1:
        output.sort(key=_order)
    return output


def _order(output: Output) -> tuple[bool, int]:
    return (False, output.trade_id) if isinstance(output, TradeEvent) else (True, 0)
