"""What the engine relies on, for every venue: trades and tickers are what the exchange said."""

from __future__ import annotations

from collections.abc import Iterable

from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.producer.sequencer import TradeSequencer
from tests.unit.exchanges.contract import (
    EVERY_VENUE,
    RECEIVED_NS,
    WITH_FIRST_TRADE,
    feed,
    only,
    opened,
    ready,
)
from tests.unit.exchanges.venues import TIME_US, Frames, Quote, Row, ticker_plan, trade_plan


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
def test_text_frames_and_binary_frames_mean_the_same(frames: Frames) -> None:
    (frame,) = frames.trades([Row(frames.pairs[0], 101)])
    plan = trade_plan(frames)

    as_bytes = ready(frames, plan).frame(frame, RECEIVED_NS)
    as_text = ready(frames, plan).frame(frame.decode(), RECEIVED_NS)

    assert as_bytes == as_text
