"""Kraken's REST side: finding ids in a history that can only be asked for by time; errors; exact times."""

import random

import pytest

from streaming.exchanges.kraken.venue import KRAKEN
from streaming.exchanges.venue import RestError, RestReply
from tests.unit.exchanges.venues import Row
from tests.unit.exchanges.venues.kraken import FRAMES, reply

PAIR = "BTC-USD"
START_US = 1_700_000_000_000_000


def tape(gaps_us, first_id=5000):
    """A trade after each gap."""
    rows, time_us = [], START_US
    for offset, gap_us in enumerate(gaps_us):
        time_us += gap_us
        rows.append(Row(PAIR, first_id + offset, time_us=time_us))
    return rows


def walk(rows, from_id, to_id, most_requests):
    history = KRAKEN.history(PAIR, from_id, to_id)
    found = []
    requests = 0
    while (request := history.next_request()) is not None:
        requests += 1
        assert requests <= most_requests, "the search does not end"
        found += history.receive(FRAMES.rest(request, rows))
    return sorted({event.trade_id for event in found}), history.covered, requests


def test_a_recent_gap_needs_one_request():
    rows = tape([1000] * 5000)
    assert walk(rows, 9500, 9600, 1) == (list(range(9500, 9601)), True, 1)


def test_a_steady_market_is_searched_in_few_requests():
    rows = tape([1000] * 20_000)
    ids, covered, requests = walk(rows, 6000, 6100, 5)
    assert ids == list(range(6000, 6101))
    assert covered
    assert requests <= 3


@pytest.mark.parametrize("seed", range(6))
def test_a_market_that_sleeps_and_bursts_is_searched_to_the_end(seed):
    rng = random.Random(seed)
    gaps = [rng.choice((0, 0, 1, 50, 20_000, 60_000_000)) for _ in range(8_000)]
    rows = tape(gaps)
    from_id = rng.randrange(5000, 12_000)
    to_id = min(from_id + rng.randrange(3000), 12_999)
    ids, covered, _ = walk(rows, from_id, to_id, 60)
    assert ids == list(range(from_id, to_id + 1))
    assert covered


MONTH_US = 30 * 86_400_000_000


@pytest.mark.parametrize(
    ("gaps_us", "from_id", "most_requests"),
    [
        pytest.param([1000] * 4000 + [MONTH_US] + [1000] * 4000, 8500, 20, id="before a sleep"),
        pytest.param([1000] * 4000 + [MONTH_US] + [1000] * 4000, 5500, 20, id="long before a sleep"),
        pytest.param([1] * 6000 + [10_000_000] * 6000, 8000, 8, id="in a burst, then calm"),
        pytest.param([10_000_000] * 6000 + [1] * 6000, 8000, 20, id="in calm, then a burst"),
        pytest.param([int(1.003**i) for i in range(8000)], 7000, 8, id="ever slower"),
        pytest.param([int(1.003 ** (8000 - i)) for i in range(8000)], 9500, 12, id="ever faster"),
        pytest.param(
            [60_000_000] * 9000 + [1] * 9000 + [60_000_000] * 2000, 20_000, 30, id="in a burst between calms"
        ),
    ],
)
def test_a_search_ends_soon_however_uneven_the_market(gaps_us, from_id, most_requests):
    ids, covered, _ = walk(tape(gaps_us), from_id, from_id + 50, most_requests)
    assert ids == list(range(from_id, from_id + 51))
    assert covered


def test_ids_that_the_exchange_skipped_do_not_hold_the_search_up():
    rows = [row for row in tape([1000] * 9000) if not 6900 <= row.trade_id < 7100]
    ids, covered, _ = walk(rows, 6950, 7120, 20)
    assert ids == list(range(7100, 7121))
    assert covered


def test_fills_of_one_order_that_share_their_time_survive_the_edge_of_a_page():
    rows = tape([1_000_000] * 700 + [0] * 600 + [1_000_000] * 2000)
    ids, covered, _ = walk(rows, 5100, 7000, 20)
    assert ids == list(range(5100, 7001))
    assert covered


def test_what_is_older_than_the_exchange_does_not_exist():
    rows = tape([1000] * 3000, first_id=1)
    ids, covered, _ = walk(rows, 0, 50, 40)
    assert ids == list(range(1, 51))
    assert covered


def test_a_float_never_touches_a_time():
    body = (
        b'{"error":[],"result":{"XXBTZUSD":[["105433.60000","0.00027625",1762795433.9717445,"b","l","",7],'
        b'["105433.60000","0.00027625",1762795433.971744999,"s","m","",8]],"last":"1762795433971744999"}}'
    )
    history = KRAKEN.history(PAIR, 7, 8)
    first, second = history.receive(RestReply(200, body, 9))
    assert first.exchange_time_us == second.exchange_time_us == 1_762_795_433_971_744
    assert (first.side, second.side, first.price) == ("buy", "sell", "105433.60000")


@pytest.mark.parametrize("time", ["176279543", "17627954330", "1e400", "1762795433971.7"])
def test_a_time_of_another_unit_is_refused(time):
    body = f'{{"error":[],"result":{{"XXBTZUSD":[["1","1",{time},"b","l","",7]],"last":"1"}}}}'
    with pytest.raises(RestError):
        KRAKEN.history(PAIR, 7, 7).receive(RestReply(200, body.encode(), 9))


@pytest.mark.parametrize(
    ("error", "retryable", "delay_s"),
    [
        ("EGeneral:Too many requests", True, 5.0),
        ("EAPI:Rate limit exceeded", True, 5.0),
        ("EService:Unavailable", True, 5.0),
        ("EQuery:Unknown asset pair", False, 0.0),
    ],
)
def test_an_error_says_whether_to_ask_again(error, retryable, delay_s):
    with pytest.raises(RestError) as caught:
        KRAKEN.newest_id(reply({}, [error]))
    assert (caught.value.retryable, caught.value.retry_after_s) == (retryable, delay_s)
    assert error in str(caught.value)


def test_old_names_of_currencies_are_translated_in_the_list_of_markets():
    rows = {"XDGUSD": {"wsname": "XDG/USD", "status": "limit_only"}, "X": {"status": "online"}}
    first, second = KRAKEN.instruments(reply(rows))
    assert (first.pair, first.live) == ("DOGE-USD", True)
    assert second.pair == ""
