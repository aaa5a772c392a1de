"""Which fault strikes when, and for how long: a pure function of a seed.

What belongs here: the kinds of faults, how many of each a run of some length has, and placing them in time.
What does not: carrying them out (`faults`) and judging what came of it (`outcome`).

Silent faults of the trades' connection get time of their own, in which nothing else ends that connection or
needs it: otherwise the watchdog that they are meant for would rarely come into play. Producers are not killed
faster than they start, and a broker is not killed while another may still be catching up, because two lost
brokers of three are more than the platform promises to bear. Everything else falls where chance puts it, also
into each other.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FULL_S: Final = 600.0
SCALED_FROM_S: Final = 180.0
"""A shorter run has the `SHORT` mix instead of a share of the `FULL` one."""
LEAD_S: Final = 1.0
TAIL_S: Final = 2.0


class Kind(StrEnum):
    """What goes wrong. `.value` is the name in the printed table."""

    CUT = "cut"
    """A socket ends without a closing handshake (1006)."""
    CLOSE_4004 = "close-4004"
    CLOSE_4005 = "close-4005"
    CLOSE_1009 = "close-1009"
    NOTICE = "notice-64008"
    """The exchange announces the end of connections, and ends them after `seconds`."""
    STALL = "stall"
    """No data; pings are answered."""
    MUTE = "stall-mute"
    """No data and no pongs on a socket that stays open."""
    HALF_OPEN = "half-open"
    """The other side is gone, and nobody says so."""
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    HIDE = "hide"
    """Trades happen and are not pushed."""
    BAD_FRAMES = "bad-frames"
    REST_TOO_MANY = "rest-50011"
    REST_UNAVAILABLE = "rest-503"
    REST_HANG = "rest-hang"
    REST_LAG = "rest-lag"
    TICKER_STORM = "ticker-storm"
    SIGSTOP = "sigstop"
    KILL = "kill-9"
    BROKER_KILL = "broker-kill-9"


SILENT: Final = frozenset({Kind.STALL, Kind.MUTE, Kind.HALF_OPEN})
"""They last as long as the producer keeps the connection."""
ENDS_CONNECTIONS: Final = frozenset(
    {Kind.CUT, Kind.CLOSE_4004, Kind.CLOSE_4005, Kind.CLOSE_1009, Kind.NOTICE}
)
CHANGES_FEED: Final = frozenset({Kind.DUPLICATE, Kind.REORDER, Kind.HIDE, Kind.BAD_FRAMES})
"""Without effect on a connection that is silent."""

FULL: Final[Mapping[Kind, int]] = {
    Kind.CUT: 12,
    Kind.CLOSE_4004: 4,
    Kind.CLOSE_4005: 4,
    Kind.CLOSE_1009: 4,
    Kind.NOTICE: 3,
    Kind.STALL: 2,
    Kind.MUTE: 2,
    Kind.HALF_OPEN: 2,
    Kind.DUPLICATE: 12,
    Kind.REORDER: 10,
    Kind.HIDE: 8,
    Kind.BAD_FRAMES: 4,
    Kind.REST_TOO_MANY: 3,
    Kind.REST_UNAVAILABLE: 3,
    Kind.REST_HANG: 3,
    Kind.REST_LAG: 3,
    Kind.TICKER_STORM: 3,
    Kind.SIGSTOP: 4,
    Kind.KILL: 5,
    Kind.BROKER_KILL: 2,
}
SHORT: Final[Mapping[Kind, int]] = {
    Kind.CUT: 3,
    Kind.CLOSE_4004: 1,
    Kind.NOTICE: 1,
    Kind.MUTE: 1,
    Kind.DUPLICATE: 2,
    Kind.REORDER: 2,
    Kind.HIDE: 2,
    Kind.BAD_FRAMES: 1,
    Kind.REST_TOO_MANY: 1,
    Kind.REST_LAG: 1,
    Kind.TICKER_STORM: 1,
    Kind.SIGSTOP: 1,
    Kind.KILL: 1,
    Kind.BROKER_KILL: 1,
}

LASTS_S: Final[Mapping[Kind, tuple[float, float]]] = {
    Kind.NOTICE: (3.0, 8.0),
    Kind.STALL: (66.0, 68.0),
    Kind.MUTE: (33.0, 35.0),
    Kind.HALF_OPEN: (33.0, 35.0),
    Kind.REORDER: (2.0, 6.0),
    Kind.REST_TOO_MANY: (4.0, 12.0),
    Kind.REST_UNAVAILABLE: (4.0, 12.0),
    Kind.REST_HANG: (4.0, 14.0),
    Kind.REST_LAG: (5.0, 15.0),
    Kind.TICKER_STORM: (3.0, 6.0),
    Kind.SIGSTOP: (2.0, 6.0),
    Kind.KILL: (0.0, 3.0),
}
"""Shortest and longest duration; other kinds strike in a moment. The silent ones outlast what the producer
waits: 20 s to its ping and 9 s for the pong, or 60 s without data. A killed producer stays away that long; a
killed broker starts again at once."""
AMOUNTS: Final[Mapping[Kind, tuple[int, int]]] = {
    Kind.DUPLICATE: (1, 300),
    Kind.HIDE: (1, 120),
    Kind.REORDER: (50, 500),
    Kind.REST_LAG: (1, 4),
    Kind.TICKER_STORM: (100, 500),
}
"""Trades of each pair (duplicate, hide), milliseconds of a window (reorder), seconds behind (rest-lag),
tickers a second and pair (ticker-storm)."""
SPACE_S: Final[Mapping[Kind, float]] = {Kind.KILL: 12.0, Kind.SIGSTOP: 10.0, Kind.BROKER_KILL: 60.0}
"""Time that one of a kind gets before the next of its kind may come."""
TRADES, TICKERS, BOTH = "business", "public", "both"
"""Targets: the WebSocket connection of the trades, of the tickers, or each."""


class ScheduleError(ValueError):
    """The faults do not fit into the time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at_s` counts from the beginning of the run; see `LASTS_S` and `AMOUNTS` for the rest."""

    at_s: float
    kind: Kind
    target: str
    seconds: float
    amount: int

    @property
    def stops_trades(self) -> bool:
        """Whether no trade can come from the exchange while it lasts, so that no progress is promised."""
        return self.kind in (Kind.KILL, Kind.SIGSTOP) or (self.kind in SILENT and self.target != TICKERS)


def mix(seconds: float) -> dict[Kind, int]:
    """How many faults of each kind a run of that length has."""
    if seconds < SCALED_FROM_S:
        return dict(SHORT)
    share = min(seconds / FULL_S, 1.0)
    return {kind: max(round(count * share), 1) for kind, count in FULL.items()}


def plan(seed: int, seconds: float, counts: Mapping[Kind, int] | None = None) -> tuple[Fault, ...]:
    """The faults of a run, in the order of their time.

    Args:
        seed: the same one gives the same faults.
        seconds: within which all of them begin.
        counts: how many of each kind; `mix(seconds)` by default.

    Raises:
        ScheduleError: there is not enough time for them.
    """
    rng = random.Random(f"{seed}/{seconds}")
    wanted = mix(seconds) if counts is None else counts
    begin, end = LEAD_S, seconds - TAIL_S
    drafts = [_draft(rng, kind, index) for kind in Kind for index in range(wanted.get(kind, 0))]
    alone = [d for d in drafts if d.kind is Kind.KILL or (d.kind in SILENT and d.target != TICKERS)]
    rng.shuffle(alone)
    placed = _in_turn(rng, alone, begin, end)
    quiet = [(fault.at_s, fault.at_s + fault.seconds) for fault in placed if fault.kind in SILENT]
    for kind in (Kind.SIGSTOP, Kind.BROKER_KILL):
        placed += _in_turn(rng, [d for d in drafts if d.kind is kind], begin, end)
    for draft in drafts:
        if draft in alone or draft.kind in SPACE_S:
            continue
        intervals = (
            _without(quiet, begin, end) if draft.kind in ENDS_CONNECTIONS | CHANGES_FEED else [(begin, end)]
        )
        placed.append(_at(draft, _somewhere(rng, intervals)))
    return tuple(sorted(placed, key=lambda fault: (fault.at_s, fault.kind)))


def _draft(rng: random.Random, kind: Kind, index: int) -> Fault:
    """A fault without its time."""
    return Fault(
        0.0,
        kind,
        _target(rng, kind, index),
        round(rng.uniform(*LASTS_S.get(kind, (0.0, 0.0))), 1),
        rng.randint(*AMOUNTS.get(kind, (0, 0))),
    )


def _target(rng: random.Random, kind: Kind, index: int) -> str:
    if kind is Kind.KILL or kind is Kind.SIGSTOP:
        return "producer"
    if kind is Kind.BROKER_KILL:
        return f"kafka-{rng.randint(1, 3)}"
    if kind in (Kind.REST_TOO_MANY, Kind.REST_UNAVAILABLE, Kind.REST_HANG, Kind.REST_LAG):
        return "rest"
    if kind is Kind.TICKER_STORM:
        return TICKERS
    if kind in SILENT:
        return TRADES if index == 0 else rng.choice((TRADES, TICKERS))
    if kind in ENDS_CONNECTIONS or kind is Kind.BAD_FRAMES:
        return TRADES if index == 0 else rng.choice((TRADES, TICKERS, BOTH))
    return TRADES


def _in_turn(rng: random.Random, drafts: Sequence[Fault], begin: float, end: float) -> list[Fault]:
    """Place faults one after the other, each with the time it needs, and chance in between.

    The last one may have less: nothing of its kind follows.
    """
    needs = [SPACE_S.get(draft.kind, draft.seconds) for draft in drafts]
    needed = sum(needs[:-1])
    slack = end - begin - needed - (drafts[-1].seconds if drafts else 0.0)
    if slack < 0:
        kinds = ", ".join(draft.kind for draft in drafts)
        raise ScheduleError(f"{end - begin:.0f} s are too short for {kinds}, which need {needed:.0f} s.")
    offsets = sorted(rng.uniform(0.0, slack) for _ in drafts)
    starts = [begin + offset + sum(needs[:i]) for i, offset in enumerate(offsets)]
    return [_at(draft, start) for draft, start in zip(drafts, starts, strict=True)]


def _at(draft: Fault, at_s: float) -> Fault:
    return Fault(round(at_s, 2), draft.kind, draft.target, draft.seconds, draft.amount)


def _without(taken: Sequence[tuple[float, float]], begin: float, end: float) -> list[tuple[float, float]]:
    """The parts of [begin, end] outside of the intervals in `taken`, which do not overlap."""
    free: list[tuple[float, float]] = []
    for start, stop in sorted(taken):
        if start > begin:
            free.append((begin, start))
        begin = max(begin, stop)
    if begin < end:
        free.append((begin, end))
    return free


def _somewhere(rng: random.Random, intervals: Sequence[tuple[float, float]]) -> float:
    """A moment, every one being as likely as another."""
    if not intervals:
        raise ScheduleError("Silent faults take all the time, so that connections cannot be ended.")
    start, stop = rng.choices(intervals, [stop - start for start, stop in intervals])[0]
    return rng.uniform(start, stop)
