"""What the engine relies on, for every venue: no frame raises, and none is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.exchanges.events import BadFrame, Fatal, Reconnect, TickerEvent, TradeEvent
from streaming.exchanges.session import State
from tests.unit.exchanges.contract import EVERY_VENUE, RECEIVED_NS, WITH_ROWS, feed, only, plans, ready
from tests.unit.exchanges.venues import Frames, Row, trade_plan


@EVERY_VENUE
def test_an_unknown_message_changes_nothing(frames: Frames) -> None:
    for plan in plans(frames):
        session = ready(frames, plan)

        outputs = feed(session, frames.unknown())

        assert outputs
        assert not only(Reconnect, outputs) + only(Fatal, outputs)
        assert not only(TradeEvent, outputs) + only(TickerEvent, outputs)
        assert session.state is State.READY


@EVERY_VENUE
def test_a_malformed_frame_is_handed_back_whole(frames: Frames) -> None:
    session = ready(frames, trade_plan(frames))
    for frame in frames.malformed(Row(frames.pairs[0], 101)):
        outputs = session.frame(frame, RECEIVED_NS)

        assert len(outputs) == 1, frame
        assert isinstance(outputs[0], BadFrame), frame
        assert outputs[0].reason
        assert outputs[0].receive_time_ns == RECEIVED_NS
    assert session.state is State.READY


@WITH_ROWS
def test_a_bad_row_does_not_take_the_good_ones_with_it(frames: Frames) -> None:
    pair = frames.pairs[0]
    good, bad = [Row(pair, 101), Row(pair, 103)], Row(pair, 102)
    frame = frames.mixed(good, bad)
    assert frame is not None
    session = ready(frames, trade_plan(frames))

    outputs = session.frame(frame, RECEIVED_NS)

    assert [e.trade_id for e in only(TradeEvent, outputs)] == [101, 103]
    (reported,) = only(BadFrame, outputs)
    assert reported.pair == pair


@EVERY_VENUE
@settings(max_examples=100, deadline=None)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_no_bytes_whatever_raise_and_none_are_passed_over(frames: Frames, data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    for plan in plans(frames):
        outputs = ready(frames, plan).frame(data, RECEIVED_NS)
        assert outputs or raw in frames.heartbeats(plan)


@EVERY_VENUE
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"data":' + "[" * 100_000])
def test_absurd_nesting_is_a_bad_frame(frames: Frames, text: str) -> None:
    session = ready(frames, trade_plan(frames))

    assert only(BadFrame, session.frame(text, RECEIVED_NS))
