"""What the engine relies on, for every venue: history, newest trade, instruments and clock over REST."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.exchanges.events import TradeEvent
from streaming.exchanges.venue import RestError, RestReply
from tests.unit.exchanges.contract import EVERY_VENUE, WITH_CONTIGUOUS_IDS
from tests.unit.exchanges.venues import TIME_US, Frames, Row


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
