"""One pair's way into Kafka."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import topics
from streaming.exchanges.events import BadFrame, TickerEvent
from streaming.producer.sequencer import IdRange
from streaming.producer.sink import StoppingError
from streaming.producer.tape import RAW_MAX, TapeRestartedError
from streaming.records import DeadLetter


def ticker(time_us: int, last: str = "1") -> TickerEvent:
    return TickerEvent(
        "BTC-USDT", None, None, None, None, last, *([None] * 6), time_us, time_us * 1000, False
    )


def test_trades_are_numbered_without_a_gap_and_duplicates_are_counted(desk):
    desk.live(101, 102, 102, 101, 103)
    assert desk.ids == [101, 102, 103]
    assert [record.seq for record in desk.sink.trades] == [1, 2, 3]
    assert desk.tape.duplicates == 2
    assert desk.sink.trades[0].simulated
    assert desk.sink.trades[0].source == "ws"


def test_kafka_has_the_gap_before_the_trade_after_it(desk):
    desk.tape.interrupted("close-4005")
    desk.live(105)
    assert [topic for topic, _ in desk.sink.sent] == [topics.GAPS, topics.TRADES]
    [gap] = desk.sink.gaps
    assert (gap.from_id, gap.to_id, gap.status, gap.cause) == (101, 104, "open", "close-4005")


def test_when_a_gap_cannot_be_written_the_trade_after_it_is_not_sent_and_none_ever_is(desk):
    desk.sink.refuse = True
    with pytest.raises(StoppingError):
        desk.live(105)
    desk.sink.refuse = False
    with pytest.raises(StoppingError):
        desk.live(106)
    assert desk.sink.sent == []


def test_a_trade_that_could_not_be_sent_is_not_jumped_over(desk):
    desk.live(101)
    desk.sink.refuse = True
    with pytest.raises(StoppingError):
        desk.live(102)
    desk.sink.refuse = False
    with pytest.raises(StoppingError):
        desk.live(103)
    assert desk.ids == [101]


def test_the_snapshot_at_first_contact_is_the_first_trade_of_the_tape(new_desk):
    desk = new_desk(last_id=None)
    desk.tape.trade(desk.trade(7, is_snapshot=True), "snapshot")
    desk.live(8)
    assert desk.ids == [7, 8]
    assert [trade.source for trade in desk.sink.trades] == ["snapshot", "ws"]
    assert desk.sink.gaps == []


def test_after_a_restart_the_snapshot_reveals_what_was_missed(desk):
    desk.tape.trade(desk.trade(104, is_snapshot=True), "snapshot")
    assert [(gap.from_id, gap.to_id, gap.cause) for gap in desk.sink.gaps] == [(101, 103, "restart")]
    assert desk.sink.trades[0].source == "snapshot"


def test_an_exchange_that_numbers_anew_stops_the_process_instead_of_looking_like_duplicates(new_desk):
    desk = new_desk(last_id=100, last_time_us=1_000_000_000_000_000)
    with pytest.raises(TapeRestartedError, match="purge"):
        desk.tape.trade(desk.trade(5, time_us=1_000_000_100_000_000), "ws")


def test_waiting_for_acknowledgements_returns_when_kafka_has_all(desk):
    desk.sink.acknowledge = False
    desk.live(101, 102)
    assert desk.tape.trades_acked == 0
    desk.sink.acknowledge_all()
    desk.tape.wait_acked()
    assert desk.tape.trades_acked == 2
    assert sum(desk.tape.receive_to_acked.counts) == 2


def test_waiting_for_acknowledgements_ends_with_the_process(desk):
    desk.sink.acknowledge = False
    desk.live(101)
    desk.sink.refuse = True
    with pytest.raises(StoppingError):
        desk.tape.wait_acked()


def test_tickers_without_room_are_conflated_to_the_latest_and_counted(desk):
    desk.sink.room = False
    for time_us in (1, 2, 3):
        desk.tape.ticker(ticker(time_us), "ws")
    assert desk.sink.tickers == []
    desk.sink.room = True
    desk.tape.retry_ticker()
    desk.tape.retry_ticker()
    assert [record.exchange_time_us for record in desk.sink.tickers] == [3]
    assert [record.seq for record in desk.sink.tickers] == [1]
    assert desk.tape.tickers_conflated == 2


def test_tickers_never_go_back_in_time_nor_repeat(desk):
    for event in (ticker(5), ticker(5), ticker(4), ticker(5, last="2"), ticker(6)):
        desk.tape.ticker(event, "ws")
    assert [(r.exchange_time_us, r.last_price) for r in desk.sink.tickers] == [(5, "1"), (5, "2"), (6, "1")]


def test_a_dead_letter_keeps_the_raw_text_within_bounds(desk):
    desk.tape.dead_letter(BadFrame("x" * 100_000, "too long", "BTC-USDT", 5))
    [letter] = desk.sink.of(topics.DEAD_LETTERS, DeadLetter)
    assert len(letter.raw) == RAW_MAX
    assert (letter.stage, letter.reason, letter.receive_time_ns) == ("parse", "too long", 5)


def test_the_ledger_cuts_a_gap_where_trades_do_not_exist(desk):
    desk.live(110)
    [gap] = desk.ledger.open_gaps()
    desk.ledger.close(gap, [IdRange(103, 104), IdRange(109, 109)])
    latest = {record.from_id: (record.to_id, record.status) for record in desk.sink.gaps}
    assert latest == {
        101: (102, "filled"),
        103: (104, "unrecoverable"),
        105: (108, "filled"),
        109: (109, "unrecoverable"),
    }
    assert desk.sink.gaps[-1].from_id == 101, "the original is closed last"
    assert desk.ledger.open_gaps() == []


def test_a_closed_gap_keeps_when_it_was_found_and_says_when_it_was_filled(desk):
    desk.live(103)
    [gap] = desk.ledger.open_gaps()
    desk.ledger.close(gap)
    closed = desk.sink.gaps[-1]
    assert closed.detected_at_us == gap.detected_at_us
    assert closed.filled_at_us >= gap.detected_at_us
    assert msgspec.structs.replace(closed, status="open", filled_at_us=None) == gap


def test_trades_of_one_read_ask_for_one_acknowledgement_that_counts_for_all(desk):
    desk.sink.acknowledge = False
    assert desk.tape.trades([desk.trade(i) for i in (101, 102, 103)]) == 3
    assert [delivered is None for delivered in desk.sink.waiting] == [True, True, False]
    assert desk.tape.trades_acked == 0
    desk.sink.acknowledge_all()
    assert desk.tape.trades_acked == 3
    assert sum(desk.tape.receive_to_acked.counts) == 3


def test_when_one_of_a_read_cannot_be_sent_none_after_it_is(desk, monkeypatch):
    send = desk.sink.send

    def send_until_103(topic, partition, key, value, delivered):
        if b'"trade_id":103' in value:
            raise StoppingError
        send(topic, partition, key, value, delivered)

    monkeypatch.setattr(desk.sink, "send", send_until_103)
    with pytest.raises(StoppingError):
        desk.tape.trades([desk.trade(i) for i in (101, 102, 103, 104)])
    assert desk.ids == [101, 102]
    with pytest.raises(StoppingError):
        desk.live(105)


def test_a_gap_within_one_read_is_in_kafka_before_the_trade_after_it(desk):
    desk.tape.trades([desk.trade(i) for i in (101, 102, 105, 106)])
    assert [topic for topic, _ in desk.sink.sent] == [*[topics.TRADES] * 2, topics.GAPS, *[topics.TRADES] * 2]
    assert [(gap.from_id, gap.to_id, gap.cause) for gap in desk.sink.gaps] == [(103, 104, "skipped")]


@given(
    first=st.integers(1, 5),
    reads=st.lists(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=8), max_size=5),
    contiguous=st.booleans(),
)
def test_reads_of_any_size_leave_what_trade_after_trade_would(new_desk, first, reads, contiguous):
    together, single = (new_desk(last_id=first, contiguous=contiguous) for _ in range(2))
    for ids in reads:
        events = [together.trade(trade_id, is_snapshot=old) for trade_id, old in ids]
        sent = together.tape.trades(events)
        assert sent == sum(single.tape.trade(e, "snapshot" if e.is_snapshot else "ws") for e in events)

    def left(desk):
        gaps = [msgspec.structs.replace(gap, detected_at_us=0) for gap in desk.sink.gaps]
        topic_order = [topic for topic, _ in desk.sink.sent]
        return desk.sink.trades, gaps, topic_order, desk.tape.duplicates, desk.tape.trades_acked

    assert left(together) == left(single)
    assert together.tape.trades_by_source == single.tape.trades_by_source


def test_the_way_from_the_exchange_is_measured_for_live_trades_only(desk):
    now_us = time.time_ns() // 1000
    desk.tape.trade(desk.trade(101, time_us=now_us - 30_000_000), "rest")
    desk.tape.trades(
        [
            desk.trade(102, time_us=now_us - 20_000_000, is_snapshot=True),
            desk.trade(103, time_us=now_us - 15_000),
            desk.trade(104, time_us=now_us + 60_000_000),
        ]
    )
    latency = desk.tape.exchange_to_receive
    assert sum(latency.counts) == 2
    assert latency.counts[0] == 1, "a clock that is ahead counts as no time"
    assert latency.negative == 1
    assert 15_000_000 <= latency.sum_ns < 1_000_000_000
