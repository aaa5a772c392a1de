"""What the engine relies on, for every venue in the registry.

A venue's own rules are tested beside it (`test_<venue>_*`); here stands what all of them promise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Output,
    Ready,
    Reconnect,
    Stale,
    Subscribed,
    TickerEvent,
    TradeEvent,
)
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan, RestError, RestReply
from streaming.producer.sequencer import TradeSequencer
from tests.unit.exchanges.venues import (
    TIME_US,
    Frames,
    Quote,
    Row,
    all_frames,
    first_data,
    ticker_plan,
    trade_plan,
)

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
def test_a_trade_keeps_its_text_its_taker_side_and_its_time(frames: Frames) -> None:
    pair = frames.pairs[0]
    session = ready(frames, trade_plan(frames))
    rows = [
        Row(pair, 101, "83753.10", "0.00125000", "buy", TIME_US),
        Row(pair, 102, "0.00001230", "12345678.00000001", "sell", TIME_US + 1000),
    ]

    events = only(TradeEvent, feed(session, frames.trades(rows)))

    for row, event in zip(rows, events, strict=True):
        assert (event.pair, event.first_id, event.trade_id, event.count) == (
            pair,
            row.trade_id,
            row.trade_id,
            1,
        )
        assert (event.price, event.size, event.side) == (row.price, row.size, row.side)
        assert event.exchange_time_us == row.time_us
        assert event.receive_time_ns == RECEIVED_NS
        assert not event.is_snapshot


@WITH_FIRST_TRADE
def test_the_push_after_a_subscription_is_a_snapshot(frames: Frames) -> None:
    plan, pair = trade_plan(frames), frames.pairs[0]
    first = frames.first_trade(Row(pair, 100))
    assert first is not None
    session = opened(frames, plan)
    feed(session, frames.acks(plan))

    (snapshot,) = only(TradeEvent, session.frame(first, RECEIVED_NS))
    (live,) = only(TradeEvent, feed(session, frames.trades([Row(pair, 101)])))

    assert (snapshot.trade_id, snapshot.is_snapshot) == (100, True)
    assert not live.is_snapshot


@EVERY_VENUE
def test_a_ticker_keeps_its_text_and_the_exchanges_time(frames: Frames) -> None:
    plan, quote = ticker_plan(frames), Quote(frames.pairs[0])
    session = ready(frames, plan)

    (event,) = only(TickerEvent, session.frame(frames.ticker(quote), RECEIVED_NS))

    assert event.pair == quote.pair
    assert event.exchange_time_us == quote.time_us
    assert event.receive_time_ns == RECEIVED_NS
    for field in ("bid_price", "bid_size", "ask_price", "ask_size", "last_price"):
        expected = getattr(quote, field) if field in frames.quoted else None
        assert getattr(event, field) == expected, field


@EVERY_VENUE
def test_duplicates_and_gaps_show_in_the_ids(frames: Frames) -> None:
    plan, pair = trade_plan(frames), frames.pairs[0]
    session = opened(frames, plan)
    feed(session, frames.acks(plan))
    sequencer = TradeSequencer(contiguous=frames.venue.id_contiguous)

    def verdicts(ids: Iterable[int]) -> list[str]:
        events = only(TradeEvent, feed(session, frames.trades([Row(pair, i) for i in ids])))
        return [sequencer.offer(e.first_id, e.trade_id).reason for e in events]

    assert verdicts([10, 11, 12]) == ["new", "new", "new"]
    assert verdicts([11, 12]) == ["duplicate", "duplicate"]
    assert verdicts([12, 15]) == ["duplicate", "new"]
    missing = [(r.first, r.last) for r in sequencer.missing.ranges()]
    assert missing == ([(13, 14)] if frames.venue.id_contiguous else [])


@EVERY_VENUE
def test_a_second_connection_that_overlaps_adds_nothing_twice(frames: Frames) -> None:
    plan, pair = trade_plan(frames), frames.pairs[0]
    old, new = ready(frames, plan), ready(frames, plan)
    sequencer = TradeSequencer(contiguous=frames.venue.id_contiguous)
    taken: list[int] = []
    for session, ids in ((old, [101, 102]), (new, [102, 103]), (old, [103, 104]), (new, [104, 105])):
        for event in only(TradeEvent, feed(session, frames.trades([Row(pair, i) for i in ids]))):
            if sequencer.offer(event.first_id, event.trade_id).take:
                taken.append(event.trade_id)

    assert taken == [101, 102, 103, 104, 105]


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


@EVERY_VENUE
def test_text_frames_and_binary_frames_mean_the_same(frames: Frames) -> None:
    (frame,) = frames.trades([Row(frames.pairs[0], 101)])
    plan = trade_plan(frames)

    as_bytes = ready(frames, plan).frame(frame, RECEIVED_NS)
    as_text = ready(frames, plan).frame(frame.decode(), RECEIVED_NS)

    assert as_bytes == as_text


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


def walk(frames: Frames, from_id: int, to_id: int, tape: list[Row]) -> tuple[list[TradeEvent], bool, int]:
    """All that a walk over `from_id..to_id` finds, whether it was complete, and its number of requests."""
    history = frames.venue.history(frames.pairs[0], from_id, to_id)
    found: list[TradeEvent] = []
    requests = 0
    while (request := history.next_request()) is not None:
        requests += 1
        assert requests < 100
        found += history.receive(frames.rest(request, tape))
    return found, history.covered, requests


def reach(frames: Frames) -> int:
    """How far back the tests may ask."""
    return 3000 if frames.history_depth is None else frames.history_depth


@EVERY_VENUE
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_walk_through_history_finds_exactly_what_was_asked(frames: Frames, data: st.DataObject) -> None:
    size = reach(frames)
    tape = [Row(frames.pairs[0], 5000 + i, time_us=TIME_US + i * 1000) for i in range(size)]
    from_id = data.draw(st.integers(5000, 5000 + size - 1), "from_id")
    to_id = data.draw(st.integers(from_id, 5000 + size - 1), "to_id")

    found, covered, _ = walk(frames, from_id, to_id, tape)

    assert sorted({event.trade_id for event in found}) == list(range(from_id, to_id + 1))
    assert covered
    sample = found[0]
    original = tape[sample.trade_id - 5000]
    assert (sample.price, sample.size, sample.side) == (original.price, original.size, original.side)
    assert sample.exchange_time_us == original.time_us
    assert not sample.is_snapshot


@EVERY_VENUE
def test_no_trade_falls_between_two_pages_of_history(frames: Frames) -> None:
    size = reach(frames)
    tape = [Row(frames.pairs[0], 5000 + i, time_us=TIME_US + i * 1000) for i in range(size)]
    last_id = tape[-1].trade_id
    edges = [page + by for page in (60, 100, 500, 600, 1000, 1100, 2000) for by in (-1, 0, 1)]
    for length in (edge for edge in edges if edge <= size):
        for to_id in (last_id, last_id - size // 3):
            from_id = max(to_id - length + 1, tape[0].trade_id)

            found, covered, _ = walk(frames, from_id, to_id, tape)

            assert sorted({event.trade_id for event in found}) == list(range(from_id, to_id + 1))
            assert covered


@EVERY_VENUE
def test_a_history_page_is_oldest_first(frames: Frames) -> None:
    tape = [Row(frames.pairs[0], i, time_us=TIME_US + i * 1000) for i in range(5000, 5020)]
    history = frames.venue.history(frames.pairs[0], 5000, 5019)
    request = history.next_request()
    assert request is not None

    ids = [event.trade_id for event in history.receive(frames.rest(request, tape))]

    assert ids == sorted(ids)
    assert ids


@EVERY_VENUE
def test_a_walk_ends_where_the_history_ends(frames: Frames) -> None:
    tape = [Row(frames.pairs[0], i) for i in range(5000, 5010)]

    found, covered, requests = walk(frames, 4000, 5009, tape)

    assert {event.trade_id for event in found} == set(range(5000, 5010))
    assert covered or frames.history_depth is not None
    assert requests < 5


@WITH_CONTIGUOUS_IDS
def test_a_history_behind_the_feed_is_asked_again_later(frames: Frames) -> None:
    tape = [Row(frames.pairs[0], i) for i in range(5000, 5010)]

    with pytest.raises(RestError) as caught:
        walk(frames, 5005, 5012, tape)

    assert caught.value.retryable


@EVERY_VENUE
def test_one_request_too_many_is_retried_when_the_exchange_says(frames: Frames) -> None:
    history = frames.venue.history(frames.pairs[0], 1, 2)
    history.next_request()

    with pytest.raises(RestError) as caught:
        history.receive(frames.too_many_requests(7))

    assert caught.value.retryable
    assert caught.value.retry_after_s == 7.0


@EVERY_VENUE
@pytest.mark.parametrize("status", [200, 500, 502, 503])
def test_an_unreadable_answer_is_retried(frames: Frames, status: int) -> None:
    venue = frames.venue
    reply = RestReply(status, b"<html>sorry</html>", 7)
    for read in (venue.newest_id, venue.instruments, venue.time_us, venue.history("A-B", 1, 2).receive):
        with pytest.raises(RestError) as caught:
            read(reply)
        assert caught.value.retryable


@EVERY_VENUE
@settings(max_examples=50, deadline=None)
@given(
    body=st.one_of(st.binary(max_size=80), st.sampled_from([b"[]", b"{}", b"null", b"1", b"[[]]", b"[{}]"]))
)
def test_no_rest_body_raises_anything_but_a_rest_error(frames: Frames, body: bytes) -> None:
    venue = frames.venue
    reply = RestReply(200, body, 7)
    for read in (venue.newest_id, venue.instruments, venue.time_us, venue.history("A-B", 1, 2).receive):
        with contextlib.suppress(RestError):
            read(reply)


@EVERY_VENUE
def test_the_newest_trade_can_be_asked_for(frames: Frames) -> None:
    pair = frames.pairs[0]
    request = frames.venue.newest_request(pair)

    assert frames.venue.newest_id(frames.rest(request, [Row(pair, i) for i in range(41, 44)])) == 43
    assert frames.venue.newest_id(frames.rest(request, [])) is None


@EVERY_VENUE
def test_instruments_and_the_clock_can_be_asked_for(frames: Frames) -> None:
    venue = frames.venue
    assert venue.instruments_request().path.startswith("/")
    assert venue.time_request().path.startswith("/")

    markets = {i.pair: i for i in venue.instruments(frames.instruments(*frames.pairs))}

    assert markets[frames.pairs[0]].live
    assert not markets[frames.pairs[1]].live
    assert markets[frames.pairs[1]].state
    # The middle of a second: a venue whose clock shows whole seconds answers with that.
    middle_us = TIME_US - TIME_US % 1_000_000 + 500_000
    assert venue.time_us(frames.time(middle_us)) == middle_us
