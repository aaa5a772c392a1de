"""Bybit's own rules on a connection. What it shares with every venue is in `test_venue_contract_*`."""

import json

import pytest

from streaming.exchanges.bybit.venue import BYBIT
from streaming.exchanges.events import BadFrame, Reconnect, Send, Subscribed, TickerEvent, TradeEvent
from tests.unit.exchanges.venues import Quote, Row
from tests.unit.exchanges.venues.bybit import FRAMES, book, day

SECOND_NS = 1_000_000_000
PAIRS = ("BTC-USDT", "ETH-USDT")
QUOTE = Quote("BTC-USDT")
# https://bybit-exchange.github.io/docs/v5/websocket/public/trade, with a spot id
TRADE = (
    b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,'
    b'"s":"BTCUSDT","S":"Sell","v":"0.001","p":"16578.50","L":"PlusTick","i":"2290000000061666327",'
    b'"BT":false,"RPI":false,"seq":1783284617}]}'
)


def opened(pairs=PAIRS):
    (plan,) = BYBIT.connections(pairs)
    machine = BYBIT.session(plan)
    return machine, machine.connected(0)


@pytest.fixture
def session():
    machine, _ = opened()
    for ack in FRAMES.acks(BYBIT.connections(PAIRS)[0]):
        machine.frame(ack, 7)
    return machine


def test_a_request_has_at_most_ten_topics_and_a_pairs_three_stay_together():
    pairs = [f"C{i}-USDT" for i in range(10)]
    _, sends = opened(pairs)
    requests = [json.loads(send.text) for send in sends]
    assert [len(request["args"]) for request in requests] == [9, 9, 9, 3]
    assert requests[3] == {
        "req_id": "4",
        "op": "subscribe",
        "args": ["publicTrade.C9USDT", "tickers.C9USDT", "orderbook.1.C9USDT"],
    }


def test_an_answer_acknowledges_the_request_it_names_and_no_other():
    machine, _ = opened([f"C{i}-USDT" for i in range(4)])
    answer = b'{"success":true,"ret_msg":"subscribe","conn_id":"f","req_id":"2","op":"subscribe"}'
    assert machine.frame(answer, 7) == [
        Subscribed("publicTrade", "C3-USDT"),
        Subscribed("tickers", "C3-USDT"),
    ]


def test_the_documented_trade_is_the_takers_and_never_a_snapshot(session):
    (event,) = session.frame(TRADE, 7)
    assert event == TradeEvent(
        "BTC-USDT",
        2290000000061666327,
        2290000000061666327,
        1,
        "16578.50",
        "0.001",
        "sell",
        1_672_304_486_865_000,
        7,
        False,
    )


def test_the_trades_of_a_message_are_sent_in_the_order_of_their_ids(session):
    (frame,) = FRAMES.trades([Row("BTC-USDT", i) for i in (9, 4, 6)])
    assert [event.trade_id for event in session.frame(frame, 7)] == [4, 6, 9]


def test_a_ticker_is_made_of_two_topics(session):
    (first,) = session.frame(book(QUOTE, 5), 7)
    assert first.is_snapshot
    (event,) = session.frame(day("BTC-USDT", QUOTE.time_us // 1000 + 50), 8)
    assert event == TickerEvent(
        pair="BTC-USDT",
        bid_price="83753.00",
        bid_size="5.50000000",
        ask_price="83753.10",
        ask_size="11.25000000",
        last_price="16363.78",
        last_size=None,
        open_24h="16443.66",
        high_24h="16566.64",
        low_24h="16009.19",
        base_volume_24h="5865.470182",
        quote_volume_24h="95949815.680875",
        exchange_time_us=QUOTE.time_us + 50_000,
        receive_time_ns=8,
        is_snapshot=False,
    )


def test_a_ticker_waits_for_the_quotes_because_without_them_it_would_say_that_there_are_none(session):
    assert session.frame(day("BTC-USDT"), 7) == []
    (event,) = session.frame(book(QUOTE, 5), 7)
    assert (event.bid_price, event.last_price, event.is_snapshot) == ("83753.00", "16363.78", True)


def test_a_ticker_never_goes_back_in_time_when_its_topics_overtake_each_other(session):
    session.frame(day("BTC-USDT", QUOTE.time_us // 1000 + 50), 7)
    (event,) = session.frame(book(QUOTE, 5), 8)
    assert event.exchange_time_us == QUOTE.time_us + 50_000


def test_a_repeated_quote_is_no_data(session):
    session.frame(book(QUOTE, 5), 7)
    reasons = []
    for second in range(1, 64):
        if second % 3 == 0:
            assert session.frame(book(QUOTE, 5), 7) == []
        reasons += [o.reason for o in session.tick(second * SECOND_NS) if isinstance(o, Reconnect)]
    assert reasons == ["data-silence"]


def test_a_restarted_book_counts_anew(session):
    session.frame(book(QUOTE, 5), 7)
    (event,) = session.frame(book(QUOTE, 1, b=[]), 7)
    assert (event.bid_price, event.ask_price) == (None, "83753.10")


def test_a_delta_changes_what_it_names_and_size_zero_takes_a_level_away(session):
    session.frame(book(QUOTE, 5), 7)
    (moved,) = session.frame(book(QUOTE, 6, "delta", b=[["83753.00", "0"], ["83752.00", "2"]], a=[]), 7)
    assert (moved.bid_price, moved.bid_size, moved.ask_price) == ("83752.00", "2", "83753.10")
    (emptied,) = session.frame(book(QUOTE, 7, "delta", b=[["83752.00", "0"]], a=[]), 7)
    assert (emptied.bid_price, emptied.bid_size) == (None, None)


def test_a_delta_without_a_snapshot_is_bad(session):
    (bad,) = session.frame(book(QUOTE, 5, "delta"), 7)
    assert isinstance(bad, BadFrame)
    assert bad.pair == "BTC-USDT"


def test_a_bad_row_leaves_the_ticker_as_it_was(session):
    session.frame(book(QUOTE, 5), 7)
    session.frame(day("BTC-USDT", highPrice24h="1.5", volume24h="many"), 7)
    (event,) = session.frame(book(QUOTE, 6), 7)
    assert (event.high_24h, event.base_volume_24h, event.last_price) == (None, None, None)


def test_a_ping_goes_out_every_twenty_seconds_whatever_else_is_said(session):
    pings = []
    for second in range(1, 61):
        session.frame(TRADE, 7)
        pings += [second for output in session.tick(second * SECOND_NS) if output == Send('{"op":"ping"}')]
    assert pings == [20, 40, 60]


def test_a_wire_without_any_frame_for_half_a_minute_is_dead(session):
    session.tick(0)
    outputs = [o for second in range(1, 31) for o in session.tick(second * SECOND_NS)]
    assert [o.reason for o in outputs if isinstance(o, Reconnect)] == ["wire-silence"]
