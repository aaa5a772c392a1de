"""Bybit's REST side: sixty trades and no more, how far they reach, and its errors."""

import pytest

from streaming.exchanges.bybit.venue import BYBIT
from streaming.exchanges.venue import RestError, RestReply, SparseTradeHistory
from tests.unit.exchanges.venues import Row
from tests.unit.exchanges.venues.bybit import FRAMES, reply

PAIR = "BTC-USDT"


def walked(from_id, to_id, ids):
    history = BYBIT.history(PAIR, from_id, to_id)
    found = history.receive(FRAMES.rest(history.next_request(), [Row(PAIR, i) for i in ids]))
    assert history.next_request() is None
    assert isinstance(history, SparseTradeHistory)
    return history, [event.trade_id for event in found]


def test_one_page_is_all_there_is_and_says_how_far_it_reaches():
    history, ids = walked(101, 1399, range(10, 1410, 10))
    assert ids == list(range(810, 1400, 10))
    assert history.covered
    assert history.seen_from == 810


def test_a_page_that_is_not_full_reaches_back_to_the_beginning():
    history, ids = walked(101, 149, [120, 130, 150])
    assert ids == [120, 130]
    assert history.seen_from == 101


def test_nothing_is_known_before_the_answer():
    assert BYBIT.history(PAIR, 1, 2).seen_from is None


@pytest.mark.parametrize("ids", [[], [120, 130]])
def test_a_page_behind_the_feed_is_asked_for_again(ids):
    with pytest.raises(RestError) as caught:
        walked(101, 149, ids)
    assert caught.value.retryable


@pytest.mark.parametrize(("code", "retryable"), [(10001, False), (10006, True), (10016, True), (10429, True)])
def test_a_code_says_whether_to_ask_again(code, retryable):
    with pytest.raises(RestError) as caught:
        BYBIT.newest_id(reply({}, code, "params error: symbol invalid"))
    assert caught.value.retryable is retryable
    assert str(code) in str(caught.value)


def test_a_banned_address_waits_ten_minutes():
    with pytest.raises(RestError) as caught:
        BYBIT.newest_id(RestReply(403, b"", 7))
    assert (caught.value.retryable, caught.value.retry_after_s) == (True, 600.0)
