"""What the engine relies on, for every venue: the life of a connection, from its plan to its end.

A venue's own rules are tested beside it (`test_<venue>_*`); here stands what all of them promise.
"""

from __future__ import annotations

import pytest

from streaming.exchanges.events import Fatal, Notice, Ready, Reconnect, Subscribed, TradeEvent
from streaming.exchanges.session import State
from tests.unit.exchanges.contract import (
    EVERY_VENUE,
    RECEIVED_NS,
    SECOND_NS,
    START_NS,
    WITH_NOTICE,
    feed,
    only,
    opened,
    plans,
    ready,
)
from tests.unit.exchanges.venues import Frames, Row, first_data, ticker_plan, trade_plan


@EVERY_VENUE
def test_plans_cover_every_pair_once_and_have_stable_unique_names(frames: Frames) -> None:
    first, second = plans(frames), plans(frames)

    assert [p.name for p in first] == [p.name for p in second]
    assert len({p.name for p in first}) == len(first)
    carried = [pair for plan in first if plan.carries_trades for pair in plan.pairs]
    assert sorted(carried) == sorted(frames.pairs)
    assert ticker_plan(frames).pairs == frames.pairs


@EVERY_VENUE
def test_each_subscription_is_acknowledged_once(frames: Frames) -> None:
    for plan in plans(frames):
        session = opened(frames, plan)

        acknowledged = only(Subscribed, feed(session, frames.acks(plan) * 2))

        expected = {(channel, pair) for channel in plan.channels for pair in plan.pairs}
        assert {(a.channel, a.pair) for a in acknowledged} == expected
        assert len(acknowledged) == len(expected)
        assert session.state is State.SUBSCRIBED


@EVERY_VENUE
def test_ready_needs_the_first_data_of_every_pair(frames: Frames) -> None:
    for plan in plans(frames):
        session = opened(frames, plan)
        outputs = feed(session, frames.acks(plan))
        outputs += feed(session, first_data(frames, plan, plan.pairs[0]))
        assert session.state is State.SUBSCRIBED
        assert not only(Ready, outputs)

        outputs = feed(session, first_data(frames, plan, plan.pairs[1]))
        outputs += feed(session, first_data(frames, plan, plan.pairs[1]))

        assert session.state is State.READY
        assert len(only(Ready, outputs)) == 1


@EVERY_VENUE
def test_data_before_the_acknowledgement_does_not_make_ready(frames: Frames) -> None:
    for plan in plans(frames):
        session = opened(frames, plan)
        for pair in plan.pairs:
            feed(session, first_data(frames, plan, pair))
        assert session.state is State.CONNECTED

        assert len(only(Ready, feed(session, frames.acks(plan)))) == 1
        assert session.state is State.READY


@EVERY_VENUE
def test_a_closed_machine_answers_nothing(frames: Frames) -> None:
    plan = trade_plan(frames)
    session = ready(frames, plan)
    assert only(Reconnect, session.closed(1006, "gone"))

    assert session.state is State.CLOSED
    assert feed(session, frames.trades([Row(frames.pairs[0], 101)])) == []
    assert session.tick(START_NS + 1000 * SECOND_NS) == []
    assert session.closed(1000, "") == []


@EVERY_VENUE
@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1009, 1012, 4004, 4005])
def test_a_lost_connection_is_opened_anew(frames: Frames, code: int | None) -> None:
    session = ready(frames, trade_plan(frames))

    (output,) = session.closed(code, "because")

    assert isinstance(output, Reconnect)
    assert output.reason
    assert " " not in output.reason


@EVERY_VENUE
def test_a_refusal_is_fatal_and_names_a_remedy(frames: Frames) -> None:
    for frame in frames.fatal():
        session = opened(frames, trade_plan(frames))

        (fatal,) = session.frame(frame, RECEIVED_NS)

        assert isinstance(fatal, Fatal)
        assert fatal.message
        assert "CRYPTO_" in fatal.remedy
        assert session.state is State.CLOSED


@EVERY_VENUE
def test_other_errors_lead_to_a_new_connection(frames: Frames) -> None:
    for frame in frames.retryable():
        session = opened(frames, trade_plan(frames))

        (reconnect,) = session.frame(frame, RECEIVED_NS)

        assert isinstance(reconnect, Reconnect)
        assert " " not in reconnect.reason


@WITH_NOTICE
def test_an_announced_end_is_passed_on_and_data_goes_on(frames: Frames) -> None:
    notice = frames.notice()
    assert notice is not None
    session = ready(frames, trade_plan(frames))

    assert len(only(Notice, session.frame(notice, RECEIVED_NS))) == 1

    assert len(only(TradeEvent, feed(session, frames.trades([Row(frames.pairs[0], 101)])))) == 1
    assert session.state is State.READY
