"""What the contract's tests share: for which venues a test runs, and how it drives a protocol machine.

What belongs here: choosing venues, opening a connection, letting frames and time pass. What does not: what
must hold (`test_venue_contract_*`) and any venue's frames (`venues`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from streaming.exchanges.events import Output
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan
from tests.unit.exchanges.venues import Frames, Row, all_frames, first_data

SECOND_NS = 1_000_000_000
START_NS = 5_000 * SECOND_NS
RECEIVED_NS = 1_791_369_376_400_000_123


def venues(chosen: Callable[[Frames], object] = lambda frames: True) -> pytest.MarkDecorator:
    """Run a test for every venue that has what it is about."""
    having = [frames for frames in all_frames() if chosen(frames)]
    return pytest.mark.parametrize("frames", having, ids=lambda f: f.venue.name)


EVERY_VENUE = venues()
WITH_FIRST_TRADE = venues(lambda f: f.first_trade(Row(f.pairs[0], 1)) is not None)
WITH_ROWS = venues(
    lambda f: f.mixed([Row(f.pairs[0], 1), Row(f.pairs[0], 3)], Row(f.pairs[0], 2)) is not None
)
WITH_NOTICE = venues(lambda f: f.notice() is not None)
WITH_CONTIGUOUS_IDS = venues(lambda f: f.venue.id_contiguous)

_Event = TypeVar("_Event")


def only(kind: type[_Event], outputs: Iterable[Output]) -> list[_Event]:
    return [output for output in outputs if isinstance(output, kind)]


def feed(session: Session, frames: Iterable[bytes]) -> list[Output]:
    return [output for frame in frames for output in session.frame(frame, RECEIVED_NS)]


def opened(frames: Frames, plan: ConnectionPlan) -> Session:
    session = frames.venue.session(plan)
    session.connected(START_NS)
    return session


def ready(frames: Frames, plan: ConnectionPlan) -> Session:
    session = opened(frames, plan)
    feed(session, frames.acks(plan))
    for pair in plan.pairs:
        feed(session, first_data(frames, plan, pair))
    assert session.state is State.READY
    return session


def plans(frames: Frames) -> list[ConnectionPlan]:
    return frames.venue.connections(frames.pairs)


def silence(session: Session, seconds: int, each_second: Iterable[bytes] = ()) -> list[Output]:
    """Let time pass with nothing but these frames, until the session gives up."""
    outputs: list[Output] = []
    for second in range(1, seconds + 1):
        outputs += feed(session, each_second)
        outputs += session.tick(START_NS + second * SECOND_NS)
        if session.state is State.CLOSED:
            break
    return outputs
