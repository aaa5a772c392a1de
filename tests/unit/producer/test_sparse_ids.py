"""A venue whose ids have holes: what an interruption may have cost, and what of it can be fetched (Bybit)."""

import threading

import httpx
import pytest

from streaming.exchanges.registry import venue
from streaming.producer import filler as filler_module
from streaming.producer.filler import Filler
from streaming.producer.rest_client import RestClient
from streaming.producer.sequencer import NEW, IdRange, TradeSequencer

PAIR = "BTC-USDT"


def test_a_jump_without_an_interruption_is_no_gap():
    sequencer = TradeSequencer(contiguous=False)
    assert [sequencer.offer(i, i) for i in (10, 17, 40)] == [NEW, NEW, NEW]
    assert not sequencer.missing


def test_the_first_jump_after_an_interruption_is_a_suspected_gap_and_the_next_is_none():
    sequencer = TradeSequencer(contiguous=False)
    sequencer.offer(10, 10)
    sequencer.interrupted()
    assert sequencer.offer(17, 17).gap == IdRange(11, 16)
    assert sequencer.offer(40, 40) is NEW


def test_a_neighbouring_id_after_an_interruption_shows_that_nothing_was_missed():
    sequencer = TradeSequencer(contiguous=False)
    sequencer.offer(10, 10)
    sequencer.interrupted()
    assert sequencer.offer(11, 11) is NEW
    assert sequencer.offer(40, 40) is NEW
    assert not sequencer.missing


def test_a_restarted_process_suspects_a_gap():
    assert TradeSequencer(10, contiguous=False).offer(17, 17).gap == IdRange(11, 16)


def test_an_interruption_before_the_first_trade_ever_means_nothing():
    sequencer = TradeSequencer(contiguous=False)
    sequencer.interrupted()
    assert sequencer.offer(17, 17) is NEW
    assert sequencer.offer(40, 40) is NEW


def test_an_expected_trade_that_has_not_come_is_a_gap_once():
    sequencer = TradeSequencer(10, contiguous=False)
    assert sequencer.expect(10) is None
    assert sequencer.expect(30) == IdRange(11, 30)
    assert sequencer.expect(30) is None
    assert sequencer.offer(50, 50) is NEW
    assert sequencer.offer(30, 30).reason == "late"


class Bybit:
    """Answers with the newest 60 of its trades."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v5/market/recent-trade"
        rows = [
            {
                "execId": str(i),
                "symbol": "BTCUSDT",
                "price": "5",
                "size": "1",
                "side": "Sell",
                "time": "1791369376364",
            }
            for i in sorted(self.ids, reverse=True)[:60]
        ]
        return httpx.Response(200, json={"retCode": 0, "retMsg": "OK", "result": {"list": rows}})


class Bench:
    """A tape that stands at id 1000 after a restart, and its filler."""

    def __init__(self, desk, ids: list[int]) -> None:
        self.desk = desk
        self.stalled: list[str] = []
        self.exchange = Bybit(ids)
        self.filler = Filler(
            venue("bybit"),
            RestClient("http://127.0.0.1:1", threading.Event(), httpx.MockTransport(self.exchange)),
            {PAIR: desk.tape},
            desk.ledger,
            desk.stop,
            on_stalled=self.stalled.append,
            on_fatal=pytest.fail,
        )

    def closed_gaps(self) -> list[tuple[int, int, str]]:
        for _ in range(20):
            if not self.desk.ledger.open_gaps():
                return [(g.from_id, g.to_id, g.status) for g in self.desk.sink.gaps if g.status != "open"]
            self.filler.work()
        return pytest.fail("the gap is still open")


@pytest.fixture
def desk(new_desk):
    return new_desk(1000, contiguous=False)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(filler_module, "RETRY_BASE_S", 0.0)


def test_a_gap_within_the_venues_reach_is_filled_whole_and_its_holes_are_not_lost_trades(desk):
    bench = Bench(desk, [*range(0, 1001, 10), 1007, 1021, 1033, 1050])
    desk.live(1050)
    assert bench.closed_gaps() == [(1001, 1049, "filled")]
    assert sorted(desk.ids) == [1007, 1021, 1033, 1050]


def test_what_the_venue_no_longer_shows_is_on_record_as_unrecoverable(desk):
    ids = list(range(1010, 3010, 20))
    bench = Bench(desk, ids)
    desk.live(ids[-1])
    oldest_shown = ids[-60]
    lost, filled = sorted(bench.closed_gaps())
    assert lost == (1001, oldest_shown - 1, "unrecoverable")
    assert filled == (oldest_shown, ids[-1] - 1, "filled")
    assert sorted(desk.ids) == ids[-60:]


def test_the_ledger_says_that_the_count_is_unknown(desk):
    Bench(desk, [1007, 1050])
    desk.tape.interrupted("close-1006")
    desk.live(1050)
    (gap,) = desk.sink.gaps
    assert gap.cause == "close-1006, ids with holes"


def test_a_quiet_pairs_missed_trades_are_fetched_though_no_later_trade_shows_them(desk):
    bench = Bench(desk, [*range(500, 1001, 20), 1007, 1021])
    bench.filler.check(PAIR)
    bench.filler.work()
    assert bench.stalled == [PAIR]
    assert bench.closed_gaps() == [(1001, 1021, "filled")]
    assert desk.ids == [1007, 1021]


def test_a_quiet_pair_is_not_reconnected_again_for_trades_that_were_fetched(desk):
    bench = Bench(desk, [*range(500, 1001, 20), 1007, 1021])
    for _ in range(3):
        bench.filler.check(PAIR)
        bench.filler.work()
    assert bench.stalled == [PAIR]
