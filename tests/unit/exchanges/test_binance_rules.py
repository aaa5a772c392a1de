"""Binance's own rules, with literal frames from its pages. What all venues promise: test_venue_contract_*."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from streaming.exchanges.binance import specification as spec
from streaming.exchanges.binance.venue import BINANCE
from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Output,
    Ready,
    Reconnect,
    Send,
    Stale,
    Subscribed,
    TickerEvent,
    TradeEvent,
)
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import RestError, RestReply
from tests.unit.exchanges.venues import TIME_US, Quote, Row
from tests.unit.exchanges.venues.binance import FRAMES, history_row, ticker, trade

SECOND_NS = 1_000_000_000
START_NS = 9_000 * SECOND_NS
NOW_NS = 1_791_369_376_400_000_000
BTC, ETH = FRAMES.pairs


def connect(pairs: tuple[str, ...] = FRAMES.pairs) -> tuple[Session, list[Output]]:
    (plan,) = BINANCE.connections(pairs)
    session = BINANCE.session(plan)
    return session, session.connected(START_NS)


def ready() -> Session:
    session, _ = connect()
    session.frame(b'{"result":null,"id":1}', NOW_NS)
    for pair in FRAMES.pairs:
        session.frame(ticker(Quote(pair)), NOW_NS)
    assert session.state is State.READY
    return session


def test_trades_and_tickers_are_subscribed_in_lower_case_in_one_request() -> None:
    _, (send,) = connect()

    assert isinstance(send, Send)
    assert json.loads(send.text) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@trade", "ethusdt@trade", "btcusdt@ticker", "ethusdt@ticker"],
        "id": 1,
    }


def test_many_streams_go_out_in_requests_below_the_message_limit() -> None:
    session, outputs = connect(tuple(f"C{i}-USDT" for i in range(240)))
    times = [0.0]
    for tenth in range(1, 60):
        sent = [o for o in session.tick(START_NS + tenth * SECOND_NS // 10) if isinstance(o, Send)]
        outputs += sent
        times += [tenth / 10] * len(sent)

    requests = [json.loads(o.text) for o in outputs if isinstance(o, Send)]
    assert [len(request["params"]) for request in requests] == [100, 100, 100, 100, 80]
    assert [request["id"] for request in requests] == [1, 2, 3, 4, 5]
    assert all(after - before >= 0.5 for before, after in pairwise(times))
    for request_id in range(1, 6):
        acks = session.frame(f'{{"result":null,"id":{request_id}}}', NOW_NS)
        assert len([a for a in acks if isinstance(a, Subscribed)]) == len(requests[request_id - 1]["params"])
    assert session.state is State.SUBSCRIBED


def test_each_connection_stays_below_1024_streams() -> None:
    plans = BINANCE.connections([f"C{i}-USDT" for i in range(1200)])

    assert [len(plan.pairs) * len(plan.channels) for plan in plans] == [1024, 1024, 352]


def test_a_ticker_alone_proves_a_quiet_symbol() -> None:
    session, _ = connect()
    session.frame(b'{"result":null,"id":1}', NOW_NS)

    session.frame(ticker(Quote(BTC)), NOW_NS)
    outputs = session.frame(ticker(Quote(ETH)), NOW_NS)

    assert isinstance(outputs[-1], Ready)


def test_a_symbol_that_is_accepted_but_never_delivers_is_reported_early() -> None:
    session, _ = connect()
    session.frame(b'{"result":null,"id":1}', NOW_NS)
    outputs: list[Output] = []
    for second in range(1, 40):
        session.frame(ticker(Quote(BTC)), NOW_NS)
        session.frame(trade(Row(BTC, 100 + second)), NOW_NS)
        outputs += session.tick(START_NS + second * SECOND_NS)

    assert {(o.channel, o.pair) for o in outputs if isinstance(o, Stale)} == {("trade", ETH), ("ticker", ETH)}
    assert session.state is State.SUBSCRIBED


def test_the_buyer_as_maker_means_that_the_taker_sold() -> None:
    frame = (
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,'
        b'"p":"0.001","q":"100","b":88,"a":50,"T":1672515782135,"m":true,"M":true}}'
    )

    (event,) = ready().frame(frame, NOW_NS)

    assert event == TradeEvent(
        BTC, 12345, 12345, 1, "0.001", "100", "sell", 1_672_515_782_135_000, NOW_NS, False
    )


def test_a_ticker_has_the_exchanges_time_and_every_value_of_24_hours() -> None:
    (event,) = ready().frame(ticker(Quote(BTC)), NOW_NS)

    assert isinstance(event, TickerEvent)
    assert event.exchange_time_us == TIME_US
    assert (event.last_size, event.open_24h, event.high_24h, event.low_24h) == (
        "10",
        "0.0010",
        "0.0025",
        "0.0010",
    )
    assert (event.base_volume_24h, event.quote_volume_24h) == ("10000", "18")


def test_a_price_of_zero_is_no_price() -> None:
    zero = "0.00000000"

    (event,) = ready().frame(ticker(Quote(BTC, bid_price=zero, bid_size=zero, last_price=zero)), NOW_NS)

    assert isinstance(event, TickerEvent)
    assert (event.bid_price, event.bid_size, event.last_price) == (None, zero, None)
    assert event.ask_price == "83753.10"


def test_the_first_ticker_is_a_snapshot_and_no_trade_is() -> None:
    session, _ = connect()

    (first,) = session.frame(ticker(Quote(BTC)), NOW_NS)
    (second,) = session.frame(ticker(Quote(BTC)), NOW_NS)
    (tape,) = session.frame(trade(Row(BTC, 1)), NOW_NS)

    assert isinstance(first, TickerEvent)
    assert isinstance(second, TickerEvent)
    assert isinstance(tape, TradeEvent)
    assert (first.is_snapshot, second.is_snapshot, tape.is_snapshot) == (True, False, False)


def test_two_tickers_ahead_of_the_tape_show_trades_lost_behind_its_end() -> None:
    session = ready()
    session.frame(trade(Row(BTC, 200)), NOW_NS)

    session.frame(ticker(Quote(BTC), L=203), NOW_NS)
    assert session.tick(START_NS + SECOND_NS) == []
    session.frame(ticker(Quote(BTC), L=204), NOW_NS)
    (stale,) = session.tick(START_NS + 2 * SECOND_NS)

    assert isinstance(stale, Stale)
    assert (stale.channel, stale.pair) == ("trade", BTC)
    session.frame(ticker(Quote(BTC), L=204), NOW_NS)
    assert session.tick(START_NS + 3 * SECOND_NS) == []


def test_a_ticker_that_overtook_a_trade_shows_nothing() -> None:
    session = ready()
    session.frame(trade(Row(BTC, 200)), NOW_NS)
    for last_id in range(201, 220):
        session.frame(ticker(Quote(BTC), L=last_id), NOW_NS)
        session.frame(trade(Row(BTC, last_id)), NOW_NS)
        assert session.tick(START_NS + SECOND_NS) == []


def test_a_connection_announces_its_own_end_before_its_24_hours_are_over() -> None:
    session = ready()
    hour = 3600 * SECOND_NS

    def live_until(end_ns: int, start_ns: int) -> list[Output]:
        found: list[Output] = []
        for now_ns in range(start_ns, end_ns, 20 * SECOND_NS):
            for pair in FRAMES.pairs:
                session.frame(ticker(Quote(pair)), NOW_NS)
                session.frame(trade(Row(pair, 101)), NOW_NS)
            found += session.tick(now_ns)
        return found

    assert live_until(START_NS + 22 * hour, START_NS) == []
    (notice,) = live_until(START_NS + 24 * hour, START_NS + 22 * hour)

    assert isinstance(notice, Notice)
    assert notice.code == "rotation"
    assert session.state is State.READY


def test_a_shutdown_outside_the_streams_is_an_announcement_too() -> None:
    (notice,) = ready().frame(b'{"e":"serverShutdown","E":1770123456789}', NOW_NS)

    assert isinstance(notice, Notice)


@pytest.mark.parametrize("code", sorted(spec.FATAL_CODES))
def test_every_documented_error_is_fatal(code: int) -> None:
    session, _ = connect()

    (fatal,) = session.frame(f'{{"code":{code},"msg":"Invalid request: unknown variant"}}', NOW_NS)

    assert isinstance(fatal, Fatal)
    assert fatal.code == str(code)


def test_who_sent_too_much_waits_before_connecting_again() -> None:
    (reconnect,) = ready().closed(1008, "Too many requests")

    assert isinstance(reconnect, Reconnect)
    assert reconnect.min_delay_s >= 10


def test_an_answer_to_a_request_that_was_never_made_acknowledges_nothing() -> None:
    for text in ('{"result":null,"id":2}', '{"result":null,"id":0}', '{"result":null,"id":null}', '{"id":1}'):
        session, _ = connect()
        outputs = session.frame(text, NOW_NS)
        assert not [o for o in outputs if isinstance(o, Subscribed)], text
        assert session.state is State.CONNECTED


def test_a_stream_that_names_another_symbol_than_its_row_is_bad() -> None:
    session = ready()

    (bad,) = session.frame(trade(Row(BTC, 101), s="ETHUSDT"), NOW_NS)

    assert isinstance(bad, BadFrame)
    assert bad.pair == BTC


def test_one_request_fills_a_small_gap_and_a_large_one_is_walked_upwards() -> None:
    history = BINANCE.history(BTC, 5, 3500)
    tape = [Row(BTC, i) for i in range(5000)]
    asked = []
    while (request := history.next_request()) is not None:
        asked.append((request.path, request.params.get("fromId")))
        history.receive(FRAMES.rest(request, tape))

    past = "/api/v3/historicalTrades"
    assert asked == [("/api/v3/trades", None), *((past, str(i)) for i in (5, 1005, 2005, 3005))]
    small = BINANCE.history(BTC, 4500, 4600)
    request = small.next_request()
    assert request is not None
    small.receive(FRAMES.rest(request, tape))
    assert small.next_request() is None


def test_the_pages_from_below_meet_the_newest_ones() -> None:
    tape = [Row(BTC, i) for i in range(5000)]
    for from_id in (2999, 3000, 3001):
        history = BINANCE.history(BTC, from_id, 4100)
        found = []
        while (request := history.next_request()) is not None:
            found += history.receive(FRAMES.rest(request, tape))
        assert {trade.trade_id for trade in found} == set(range(from_id, 4101))


def test_a_page_without_progress_ends_the_walk() -> None:
    history = BINANCE.history(BTC, 1, 2)
    newest = json.dumps([history_row(Row(BTC, i)) for i in (8, 9)]).encode()
    history.next_request()
    history.receive(RestReply(200, newest, 7))
    assert history.next_request() is not None

    assert history.receive(RestReply(200, b"[]", 7)) == []

    assert history.covered
    assert history.next_request() is None


@pytest.mark.parametrize(("status", "retryable"), [(418, True), (429, True), (403, False), (451, False)])
def test_bans_are_waited_out_and_regions_are_not(status: int, retryable: bool) -> None:
    reply = RestReply(status, b'{"code":-1003,"msg":"banned"}', 7, {"retry-after": "120"})

    with pytest.raises(RestError) as caught:
        BINANCE.time_us(reply)

    assert caught.value.retryable is retryable
    assert caught.value.retry_after_s == 120.0
    assert ("region" in str(caught.value)) is (status in (403, 451))


def test_an_unknown_symbol_is_refused_with_the_exchanges_words() -> None:
    with pytest.raises(RestError, match=r"Invalid symbol") as caught:
        BINANCE.newest_id(RestReply(400, b'{"code":-1121,"msg":"Invalid symbol."}', 7))

    assert not caught.value.retryable
