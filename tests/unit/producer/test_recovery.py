"""What a process makes of the spool of one that died."""

import pytest

from streaming import settings, topics
from streaming.producer import recovery
from streaming.producer.recovery import recover
from streaming.producer.sequencer import IdRange
from streaming.producer.sink import StoppingError
from streaming.producer.spool import Spool, SpooledRecord
from streaming.records import DeadLetter, Gap, Trade, encode

KEY = b"OKX_SIM|BTC-USDT"
RECEIVED_NS = 1_791_369_376_364_000_000


def trade(trade_id: int, source: str = "ws", pair: str = "BTC-USDT") -> SpooledRecord:
    record = Trade(
        exchange="OKX_SIM",
        pair=pair,
        first_id=trade_id,
        trade_id=trade_id,
        count=1,
        price="83753",
        size="0.1",
        side="buy",
        exchange_time_us=RECEIVED_NS // 1000,
        receive_time_ns=RECEIVED_NS + trade_id,
        producer_id="producer-1",
        producer_epoch=77,
        seq=trade_id,
        source=source,
        simulated=True,
    )
    return SpooledRecord(topics.TRADES, 0, KEY, encode(record))


def gap(first: int, last: int, status: str = "open") -> SpooledRecord:
    record = Gap(
        exchange="OKX_SIM",
        pair="BTC-USDT",
        from_id=first,
        to_id=last,
        cause="close-4005",
        detected_at_us=1,
        filled_at_us=None,
        status=status,
        simulated=True,
    )
    return SpooledRecord(topics.GAPS, 0, KEY, encode(record), barrier=True)


@pytest.fixture
def left(tmp_path):
    """Writes what a dead process left and opens it as the next one does."""

    def leave(*records: SpooledRecord) -> Spool:
        spool = Spool(tmp_path, 1 << 20)
        assert all(spool.append(record) for record in records)
        spool.close()
        return Spool(tmp_path, 1 << 20)

    return leave


def run(spool: Spool, desk) -> None:
    recover(spool, {"BTC-USDT": desk.tape}, desk.sink)


def test_spooled_trades_keep_what_was_received_and_are_numbered_as_the_new_process_s(desk, left):
    run(left(trade(101), trade(102, "snapshot")), desk)
    first, second = desk.sink.trades
    assert (first.trade_id, first.source, first.receive_time_ns) == (101, "ws", RECEIVED_NS + 101)
    assert (first.seq, first.producer_epoch) == (1, 1)
    assert (second.trade_id, second.source, second.seq) == (102, "snapshot", 2)
    assert desk.sink.gaps == []


def test_the_hole_that_the_lost_memory_left_becomes_a_gap_before_the_first_spooled_trade(desk, left):
    run(left(trade(105), trade(106)), desk)
    assert [topic for topic, _ in desk.sink.sent] == [topics.GAPS, topics.TRADES, topics.TRADES]
    [found] = desk.ledger.open_gaps()
    assert (found.from_id, found.to_id, found.cause) == (101, 104, "restart")


def test_what_kafka_has_already_is_not_sent_twice(new_desk, left):
    desk = new_desk(last_id=103)
    run(left(trade(101), trade(102), trade(103), trade(104)), desk)
    assert desk.ids == [104]


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_gap_that_was_open_in_the_spool_is_open_again_and_takes_its_late_trades(new_desk, left, contiguous):
    desk = new_desk(contiguous=contiguous)
    run(left(trade(101), gap(102, 109), trade(110), trade(103, "rest")), desk)
    assert desk.ids == [101, 110, 103]
    [found] = desk.ledger.open_gaps()
    assert (found.from_id, found.to_id) == (102, 109)
    assert [(ids.first, ids.last) for ids in desk.tape.missing(IdRange(1, 1000))] == [(102, 102), (104, 109)]


def test_a_gap_that_was_closed_in_the_spool_is_left_to_be_found_closed(desk, left):
    run(left(gap(90, 95, "filled"), trade(101)), desk)
    assert desk.sink.gaps == []
    assert desk.ids == [101]


def test_dead_letters_are_sent_as_they_are(desk, left):
    letter = DeadLetter(
        exchange="OKX_SIM", pair=None, stage="parse", reason="r", raw="x", receive_time_ns=1, producer_id="p"
    )
    run(left(SpooledRecord(topics.DEAD_LETTERS, 0, KEY, encode(letter))), desk)
    assert desk.sink.of(topics.DEAD_LETTERS, DeadLetter) == [letter]


def test_the_spool_is_deleted_only_when_kafka_has_acknowledged_its_trades(desk, left):
    spool = left(trade(101))
    desk.sink.acknowledge = False
    desk.sink.refuse_waiting = True
    with pytest.raises(StoppingError):
        run(spool, desk)
    assert list(spool.leftovers()) == [trade(101)]
    desk.sink.refuse_waiting = False
    desk.sink.acknowledge_all()
    run(spool, desk)
    assert list(spool.leftovers()) == []
    assert spool.bytes == 0
    assert desk.ids == [101]


def test_the_pairs_of_the_spool_are_known_so_that_one_no_longer_read_has_a_tape_too(left):
    letter = SpooledRecord(topics.DEAD_LETTERS, 0, KEY, b'{"pair":null}')
    spool = left(trade(7, pair="DOGE-USDT"), letter, gap(1, 2))
    assert recovery.pairs(spool) == {"DOGE-USDT", "BTC-USDT"}


def test_a_spool_is_a_folder_for_each_exchange_and_can_be_switched_off(tmp_path):
    config = settings.load({}, home=tmp_path)
    first, second = recovery.spool(config, "OKX"), recovery.spool(config, "BINANCE")
    assert (tmp_path / "spool" / "OKX").is_dir()
    first.close()
    second.close()
    assert recovery.spool(settings.load({}, home=tmp_path, producer_spool_mib=0), "OKX") is None
