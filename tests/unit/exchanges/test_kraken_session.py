"""Kraken's own rules on a connection. What it shares with every venue is in `test_venue_contract_*`."""

import json

import pytest

from streaming.exchanges.events import BadFrame, Ready, Reconnect, Send, TickerEvent, TradeEvent
from streaming.exchanges.kraken.instruments import pair_of, rest_symbol_of, symbol_of
from streaming.exchanges.kraken.venue import KRAKEN
from tests.unit.exchanges.venues import Row
from tests.unit.exchanges.venues.kraken import FRAMES, push, wire

SECOND_NS = 1_000_000_000
PAIRS = ("BTC-USD", "ETH-USD")
# https://docs.kraken.com/api/docs/websocket-v2/trade, /ticker, /heartbeat
TRADE = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":105944.20,'
    b'"qty":0.00027625,"ord_type":"limit","trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
TICKER = (
    b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,'
    b'"ask":105944.30,"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"vwap":105904.39279,'
    b'"low":104711.00,"high":106613.10,"change":250.00,"change_pct":0.24,'
    b'"timestamp":"2022-12-25T09:30:59.123456Z"}]}'
)
HEARTBEAT = b'{"channel":"heartbeat"}'


def plan():
    (only,) = KRAKEN.connections(PAIRS)
    return only


@pytest.fixture
def session():
    machine = KRAKEN.session(plan())
    machine.connected(0)
    for ack in FRAMES.acks(plan()):
        machine.frame(ack, 7)
    return machine


def test_snapshots_are_asked_for_in_words_and_tickers_at_every_change_of_the_quotes():
    requests = [json.loads(send.text) for send in KRAKEN.session(plan()).connected(0)]
    assert requests == [
        {
            "method": "subscribe",
            "params": {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"], "snapshot": True},
            "req_id": 1,
        },
        {
            "method": "subscribe",
            "params": {
                "channel": "ticker",
                "symbol": ["BTC/USD", "ETH/USD"],
                "snapshot": True,
                "event_trigger": "bbo",
            },
            "req_id": 2,
        },
    ]


def test_the_documented_trade_keeps_the_text_of_its_numbers(session):
    (event,) = session.frame(TRADE, 7)
    assert event == TradeEvent(
        "BTC-USD", 10218208, 10218208, 1, "105944.20", "0.00027625", "sell", 1_696_613_755_440_295, 7, False
    )


def test_the_documented_ticker_has_what_kraken_sends_and_none_of_what_it_does_not(session):
    (event,) = session.frame(TICKER, 7)
    assert event == TickerEvent(
        pair="BTC-USD",
        bid_price="105944.20",
        bid_size="2.5",
        ask_price="105944.30",
        ask_size="3.2",
        last_price="105899.40",
        last_size=None,
        open_24h=None,
        high_24h="106613.10",
        low_24h="104711.00",
        base_volume_24h="163.28908096",
        quote_volume_24h=None,
        exchange_time_us=1_671_960_659_123_456,
        receive_time_ns=7,
        is_snapshot=True,
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.1", "0.1"),
        ("83753", "83753"),
        ("1.23E-5", "0.0000123"),
        ("5e-8", "0.00000005"),
        ("1.5e3", "1500"),
        ("0.30000000000000004", None),
        ("1e-400", None),
        ("1e999999999", None),
        ("1e99999999999999999", None),
    ],
)
def test_a_number_becomes_its_exact_decimal_text_or_a_dead_letter(session, number, text):
    (event,) = session.frame(push([wire(Row("BTC-USD", 5), qty=number)]), 7)
    assert (event.size if isinstance(event, TradeEvent) else None) == text


def test_a_missing_or_null_last_price_is_none(session):
    without = TICKER.replace(b'"last":105899.40,', b"")
    null = TICKER.replace(b"105899.40", b"null")
    assert [session.frame(frame, 7)[0].last_price for frame in (without, null)] == [None, None]


def test_a_snapshot_of_trades_is_sent_in_the_order_of_ids(session):
    frame = push([wire(Row("BTC-USD", i)) for i in (12, 11, 10)], "snapshot")
    events = [output for output in session.frame(frame, 7) if isinstance(output, TradeEvent)]
    assert [(event.trade_id, event.is_snapshot) for event in events] == [(10, True), (11, True), (12, True)]


def test_one_frame_may_hold_trades_of_several_pairs(session):
    frame = push([wire(Row("BTC-USD", 7)), wire(Row("ETH-USD", 9))])
    outputs = session.frame(frame, 7)
    assert [o.pair for o in outputs if isinstance(o, TradeEvent)] == ["BTC-USD", "ETH-USD"]
    assert Ready() in outputs


def test_a_ping_goes_out_every_five_seconds_and_ten_silent_ones_are_a_dead_wire(session):
    session.tick(0)
    said = [(second, output) for second in range(1, 12) for output in session.tick(second * SECOND_NS)]
    assert [(second, type(output)) for second, output in said] == [(5, Send), (10, Reconnect)]
    assert json.loads(said[0][1].text)["method"] == "ping"
    assert said[1][1].reason == "wire-silence"


def test_heartbeats_keep_the_wire_alive_but_are_no_data(session):
    for second in range(1, 60):
        assert session.frame(HEARTBEAT, 7) == []
        assert not [o for o in session.tick(second * SECOND_NS) if isinstance(o, Reconnect)]
    session.frame(HEARTBEAT, 7)
    assert [o.reason for o in session.tick(60 * SECOND_NS) if isinstance(o, Reconnect)] == ["data-silence"]


def test_a_bad_row_names_its_pair_for_the_dead_letters(session):
    (bad,) = session.frame(push([wire(Row("BTC-USD", 5), price='"cheap"')]), 7)
    assert isinstance(bad, BadFrame)
    assert bad.pair == "BTC-USD"


def test_bitcoin_and_dogecoin_have_other_names_in_rest():
    assert (symbol_of("BTC-USDT"), rest_symbol_of("BTC-USDT")) == ("BTC/USDT", "XBTUSDT")
    assert rest_symbol_of("DOGE-BTC") == "XDGXBT"
    assert pair_of("ETH/USD") == "ETH-USD"
