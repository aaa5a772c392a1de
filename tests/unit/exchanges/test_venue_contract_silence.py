"""What the engine relies on, for every venue: silence is noticed, and only data breaks it."""

from __future__ import annotations

from streaming.exchanges.events import Output, Reconnect, Stale
from streaming.exchanges.session import State
from tests.unit.exchanges.contract import (
    EVERY_VENUE,
    SECOND_NS,
    START_NS,
    feed,
    only,
    opened,
    plans,
    ready,
    silence,
)
from tests.unit.exchanges.venues import Frames, Quote, Row, ticker_plan, trade_plan


@EVERY_VENUE
def test_nothing_is_watched_before_the_handshake(frames: Frames) -> None:
    session = frames.venue.session(trade_plan(frames))

    assert session.state is State.STARTED
    assert session.tick(START_NS) == []


@EVERY_VENUE
def test_a_connection_that_never_says_anything_is_dropped(frames: Frames) -> None:
    for plan in plans(frames):
        session = opened(frames, plan)

        reconnects = only(Reconnect, silence(session, 30))

        assert len(reconnects) == 1
        assert session.state is State.CLOSED


@EVERY_VENUE
def test_a_subscription_without_data_is_dropped_though_heartbeats_flow(frames: Frames) -> None:
    for plan in plans(frames):
        session = opened(frames, plan)
        feed(session, frames.acks(plan))

        reconnects = only(Reconnect, silence(session, 120, frames.heartbeats(plan)))

        assert len(reconnects) == 1
        assert session.state is State.CLOSED


@EVERY_VENUE
def test_a_stalled_feed_is_dropped_though_heartbeats_flow(frames: Frames) -> None:
    for plan in plans(frames):
        session = ready(frames, plan)
        session.tick(START_NS)

        reconnects = only(Reconnect, silence(session, 120, frames.heartbeats(plan)))

        assert len(reconnects) == 1


@EVERY_VENUE
def test_unreadable_frames_do_not_keep_a_stalled_feed_alive(frames: Frames) -> None:
    session = ready(frames, trade_plan(frames))
    session.tick(START_NS)

    assert len(only(Reconnect, silence(session, 120, [b"nonsense"]))) == 1


@EVERY_VENUE
def test_one_silent_pair_is_reported_once_and_not_dropped(frames: Frames) -> None:
    loud, quiet = frames.pairs
    session = ready(frames, trade_plan(frames))
    session.tick(START_NS)
    outputs: list[Output] = []
    for second in range(1, 200):
        outputs += feed(session, frames.trades([Row(loud, 100 + second)]))
        if ticker_plan(frames) == trade_plan(frames):
            outputs += feed(session, [frames.ticker(Quote(loud))])
        outputs += feed(session, frames.heartbeats(trade_plan(frames)))
        outputs += session.tick(START_NS + second * SECOND_NS)

    stale = only(Stale, outputs)
    assert {s.pair for s in stale} == {quiet}
    assert len({s.channel for s in stale}) == len(stale)
    assert not only(Reconnect, outputs)


@EVERY_VENUE
def test_a_silent_pair_is_reported_again_while_the_silence_lasts(frames: Frames) -> None:
    plan, (loud, quiet) = trade_plan(frames), frames.pairs
    session = ready(frames, plan)
    session.tick(START_NS)
    reported: list[Stale] = []
    for second in range(1, 400):
        feed(session, frames.trades([Row(loud, 100 + second)]))
        if ticker_plan(frames) == plan:
            feed(session, [frames.ticker(Quote(pair)) for pair in plan.pairs])
        feed(session, frames.heartbeats(plan))
        reported += only(Stale, session.tick(START_NS + second * SECOND_NS))

    assert {(s.channel, s.pair) for s in reported} == {(plan.channels[0], quiet)}
    assert [round(s.silent_s) for s in reported] == [120, 240, 360]


@EVERY_VENUE
def test_a_pair_that_spoke_and_falls_silent_again_is_reported_again(frames: Frames) -> None:
    plan, (loud, quiet) = trade_plan(frames), frames.pairs
    session = ready(frames, plan)
    reported: list[int] = []
    for second in range(400):
        for pair in (loud, quiet) if second in (0, 200) else (loud,):
            feed(session, frames.trades([Row(pair, 101 + second)]))
            if ticker_plan(frames) == plan:
                feed(session, [frames.ticker(Quote(pair))])
        feed(session, frames.heartbeats(plan))
        for stale in only(Stale, session.tick(START_NS + second * SECOND_NS)):
            assert stale.pair == quiet
            reported.append(second)

    assert [second for second in reported if second < 200]
    assert [second for second in reported if second > 200]


@EVERY_VENUE
def test_a_live_feed_is_never_dropped(frames: Frames) -> None:
    for plan in plans(frames):
        session = ready(frames, plan)
        outputs: list[Output] = []
        for second in range(1, 400):
            if plan.carries_trades:
                for pair in plan.pairs:
                    outputs += feed(session, frames.trades([Row(pair, 100 + second)]))
            if plan == ticker_plan(frames):
                outputs += feed(session, [frames.ticker(Quote(pair)) for pair in plan.pairs])
            outputs += feed(session, frames.heartbeats(plan))
            outputs += session.tick(START_NS + second * SECOND_NS)

        assert not only(Reconnect, outputs)
        assert not only(Stale, outputs)
        assert session.state is State.READY
