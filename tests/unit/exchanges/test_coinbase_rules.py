"""Coinbase Exchange's own rules, with literal frames from its pages. What all venues promise:
test_venue_contract_*."""

from __future__ import annotations

import json

import pytest

from streaming.exchanges.coinbase.venue import COINBASE
from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Output,
    Reconnect,
    Send,
    Stale,
    TickerEvent,
    TradeEvent,
)
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import RestError, RestReply
from tests.unit.exchanges.venues import Quote, Row, first_data, trade_plan
from tests.unit.exchanges.venues.coinbase import FRAMES, heartbeat, match

SECOND_NS = 1_000_000_000
START_NS = 9_000 * SECOND_NS
NOW_NS = 1_791_369_376_400_000_000
BTC, ETH = FRAMES.pairs


def ready() -> Session:
    plan = trade_plan(FRAMES)
    session = COINBASE.session(plan)
    session.connected(START_NS)
    for frame in FRAMES.acks(plan):
        session.frame(frame, NOW_NS)
    for pair in FRAMES.pairs:
        for frame in first_data(FRAMES, plan, pair):
            session.frame(frame, NOW_NS)
    assert session.state is State.READY
    return session


def test_the_subscription_goes_out_with_the_handshake() -> None:
    session = COINBASE.session(trade_plan(FRAMES))

    (send,) = session.connected(START_NS)

    assert isinstance(send, Send)
    assert json.loads(send.text) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channels": ["matches", "ticker", "heartbeat"],
    }


def test_the_makers_side_is_turned_round() -> None:
    frame = (
        b'{"type":"match","trade_id":280232,"maker_order_id":"a","taker_order_id":"b","side":"sell",'
        b'"size":"985","price":"0.00001305","product_id":"BTC-USD","sequence":177100030,'
        b'"time":"2021-04-17T16:43:37.089723Z"}'
    )

    (event,) = ready().frame(frame, NOW_NS)

    assert event == TradeEvent(
        BTC, 280232, 280232, 1, "0.00001305", "985", "buy", 1_618_677_817_089_723, NOW_NS, False
    )


def test_the_makers_side_is_turned_round_in_history_too() -> None:
    history = COINBASE.history(BTC, 7, 7)
    body = (
        b'[{"trade_id":7,"side":"buy","size":"1","price":"2","time":"2021-04-17T16:43:37.089723Z"},'
        b'{"trade_id":6,"side":"buy","size":"1","price":"2","time":"2021-04-17T16:43:37.089723Z"}]'
    )
    history.next_request()

    (trade,) = history.receive(RestReply(200, body, 7))

    assert (trade.trade_id, trade.side) == (7, "sell")


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2021-04-17T16:43:37Z", 1_618_677_817_000_000),
        ("2021-04-17T16:43:37.1Z", 1_618_677_817_100_000),
        ("2021-04-17T16:43:37.089723Z", 1_618_677_817_089_723),
        ("2021-04-17T16:43:37.089723999Z", 1_618_677_817_089_723),
    ],
)
def test_times_are_exact_to_the_microsecond(text: str, time_us: int) -> None:
    (event,) = ready().frame(match(Row(BTC, 101), time=text), NOW_NS)

    assert isinstance(event, TradeEvent)
    assert event.exchange_time_us == time_us


def test_a_ticker_without_a_book_has_no_prices_and_never_a_quote_volume() -> None:
    frame = (
        b'{"type":"ticker","sequence":1,"product_id":"BTC-USD","price":"1285.22","open_24h":"1310.79",'
        b'"volume_24h":"245532.79269678","best_bid":"0","best_bid_size":"0","best_ask":"",'
        b'"time":"2022-10-19T23:28:22.061769Z"}'
    )

    (event,) = ready().frame(frame, NOW_NS)

    assert isinstance(event, TickerEvent)
    assert (event.bid_price, event.bid_size, event.ask_price, event.ask_size) == (None, "0", None, None)
    assert (event.last_price, event.base_volume_24h, event.quote_volume_24h) == (
        "1285.22",
        "245532.79269678",
        None,
    )


def test_a_ticker_without_a_time_is_bad() -> None:
    (bad,) = ready().frame(b'{"type":"ticker","product_id":"BTC-USD","price":"1285.22"}', NOW_NS)

    assert isinstance(bad, BadFrame)


def test_two_heartbeats_ahead_of_the_tape_show_trades_lost_behind_its_end() -> None:
    session = ready()
    session.frame(match(Row(BTC, 200)), NOW_NS)

    assert session.frame(heartbeat(BTC, 203), NOW_NS) == []
    assert session.tick(START_NS + SECOND_NS) == []
    session.frame(heartbeat(BTC, 203), NOW_NS)
    (stale,) = session.tick(START_NS + 2 * SECOND_NS)

    assert isinstance(stale, Stale)
    assert (stale.channel, stale.pair) == ("matches", BTC)


@pytest.mark.parametrize("last_id", [0, 5, 200])
def test_a_heartbeat_with_nothing_newer_shows_nothing(last_id: int) -> None:
    session = ready()
    session.frame(match(Row(BTC, 200)), NOW_NS)
    for second in range(1, 5):
        assert session.frame(heartbeat(BTC, last_id), NOW_NS) == []
        assert session.tick(START_NS + second * SECOND_NS) == []


def test_heartbeats_that_a_trade_catches_up_with_show_nothing() -> None:
    session = ready()
    for trade_id in range(201, 240):
        session.frame(heartbeat(BTC, trade_id), NOW_NS)
        session.frame(match(Row(BTC, trade_id)), NOW_NS)
        assert session.tick(START_NS + SECOND_NS) == []


def test_a_wire_without_heartbeats_is_dead_long_before_the_data_watchdog() -> None:
    session = ready()
    session.tick(START_NS)

    (reconnect,) = session.tick(START_NS + 10 * SECOND_NS)

    assert isinstance(reconnect, Reconnect)
    assert reconnect.reason == "wire-silence"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"type":"error","message":"Failed to subscribe","reason":"weather is not a valid channel"}', Fatal),
        ('{"type":"error","message":"Failed to subscribe","reason":"product_ids are required"}', Fatal),
        ('{"type":"error","message":"ErrSlowConsume"}', Reconnect),
        ('{"type":"error","message":"ErrSlowRead","reason":7}', Reconnect),
        ('{"type":"error"}', Reconnect),
    ],
)
def test_errors_about_the_request_are_fatal_and_others_are_not(text: str, kind: type[Output]) -> None:
    (output,) = ready().frame(text, NOW_NS)

    assert isinstance(output, kind)


def test_products_are_spread_over_connections() -> None:
    plans = COINBASE.connections([f"C{i}-USD" for i in range(120)])

    assert [len(plan.pairs) for plan in plans] == [50, 50, 20]
    assert [plan.name for plan in plans] == ["market-1", "market-2", "market-3"]


def test_a_gap_far_back_is_walked_from_its_upper_end() -> None:
    history = COINBASE.history(BTC, 100, 1500)
    tape = [Row(BTC, i) for i in range(1, 9000)]
    asked = []
    while (request := history.next_request()) is not None:
        asked.append(request.params.get("after"))
        history.receive(FRAMES.rest(request, tape))

    assert asked == [None, "1501", "501"]
    assert history.covered


def test_an_unknown_product_is_refused_for_good() -> None:
    with pytest.raises(RestError, match="NotFound") as caught:
        COINBASE.newest_id(RestReply(404, b'{"message":"NotFound"}', 7))

    assert not caught.value.retryable


def test_a_clock_that_is_no_time_is_an_error() -> None:
    with pytest.raises(RestError):
        COINBASE.time_us(RestReply(200, b'{"iso":"yesterday","epoch":1}', 7))


def test_a_ticker_keeps_apart_what_a_match_says() -> None:
    session = ready()

    (event,) = session.frame(FRAMES.ticker(Quote(ETH)), NOW_NS)

    assert isinstance(event, TickerEvent)
    assert event.pair == ETH
    assert not event.is_snapshot
