"""OKX's protocol machine, fed with literal frames of the exchange's pages and of recordings.

Time is in `test_okx_watchdogs`.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Ready,
    Reconnect,
    Subscribed,
    TickerEvent,
    TradeEvent,
    Unknown,
)
from streaming.exchanges.okx import specification as spec
from streaming.exchanges.okx.session import OkxSession
from streaming.exchanges.session import State
from tests.unit.exchanges.okx_literals import (
    AGGREGATED,
    NOTICE,
    RECEIVED_NS,
    TICKER,
    TRADE,
    S,
    ack,
    connected,
    error,
    kinds,
    plan,
)


def test_all_subscriptions_go_out_in_one_request_with_an_id():
    [sent] = OkxSession(plan("BTC-USDT", "ETH-USDT")).connected(0)
    request = json.loads(sent.text)
    assert request["op"] == "subscribe"
    assert request["id"].isalnum()
    assert len(request["id"]) <= 32
    assert request["args"] == [
        {"channel": "trades-all", "instId": "BTC-USDT"},
        {"channel": "trades-all", "instId": "ETH-USDT"},
    ]


def test_readiness_needs_every_acknowledgement_and_first_data_of_every_pair():
    session = OkxSession(plan("BTC-USDT", "ETH-USDT"))
    assert session.state is State.STARTED
    session.connected(0)
    assert session.state is State.CONNECTED
    assert session.frame(ack(), 1) == [Subscribed("trades-all", "BTC-USDT")]
    assert session.state is State.CONNECTED
    session.frame(ack(pair="ETH-USDT"), 1)
    assert session.state is State.SUBSCRIBED
    assert kinds(session.frame(TRADE, 1)) == [TradeEvent]
    assert kinds(session.frame(TRADE.replace("BTC", "ETH"), 1)) == [TradeEvent, Ready]
    assert session.state is State.READY
    assert kinds(session.frame(TRADE, 1)) == [TradeEvent]


def test_data_may_come_before_the_acknowledgement():
    session = connected()
    assert kinds(session.frame(TRADE, 1)) == [TradeEvent]
    assert kinds(session.frame(ack(), 1)) == [Subscribed, Ready]


def test_a_trade_keeps_the_exchanges_text_and_both_times():
    [event] = connected().frame(TRADE.encode(), RECEIVED_NS)
    assert event == TradeEvent(
        "BTC-USDT",
        1067468269,
        1067468269,
        1,
        "83753",
        "0.000011",
        "sell",
        1791369376364000,
        RECEIVED_NS,
        True,
    )


def test_an_aggregated_row_covers_its_range_of_ids_and_a_huge_seq_id_does_no_harm():
    [event] = connected(channel="trades").frame(AGGREGATED, 1)
    assert (event.first_id, event.trade_id, event.count) == (121, 123, 3)


def test_the_first_push_of_each_subscription_is_a_snapshot():
    session = connected("BTC-USDT", "ETH-USDT")
    flags = [
        session.frame(frame, 1)[0].is_snapshot
        for frame in (TRADE, TRADE, TRADE.replace("BTC", "ETH"), TRADE.replace("BTC", "ETH"))
    ]
    assert flags == [True, False, True, False]


def test_keys_in_another_order_are_read_all_the_same():
    frame = json.loads(TRADE)
    reordered = json.dumps({"data": frame["data"], "arg": frame["arg"]})
    assert connected().frame(reordered, 1) == connected().frame(TRADE, 1)


def test_a_ticker_maps_every_field():
    [event] = connected(channel="tickers").frame(TICKER, RECEIVED_NS)
    assert event == TickerEvent(
        pair="BTC-USDT",
        bid_price="8888.88",
        bid_size="5",
        ask_price="9999.99",
        ask_size="11",
        last_price="9999.99",
        last_size="0.1",
        open_24h="9000",
        high_24h="10000",
        low_24h="8888.88",
        base_volume_24h="2222",
        quote_volume_24h="2222",
        exchange_time_us=1597026383085000,
        receive_time_ns=RECEIVED_NS,
        is_snapshot=True,
    )


def test_base_and_quote_volume_are_not_swapped():
    frame = TICKER.replace('"volCcy24h":"2222"', '"volCcy24h":"99"')
    [event] = connected(channel="tickers").frame(frame, 1)
    assert (event.base_volume_24h, event.quote_volume_24h) == ("2222", "99")


def test_the_first_ticker_is_a_snapshot_and_the_next_is_not():
    session = connected(channel="tickers")
    assert [session.frame(TICKER, 1)[0].is_snapshot for _ in range(2)] == [True, False]


def test_a_market_that_has_nothing_yet_has_no_values():
    frame = (
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT",'
        '"last":"","lastSz":"","askPx":"","askSz":"","bidPx":"","bidSz":"","open24h":"","high24h":"",'
        '"low24h":"","volCcy24h":"","vol24h":"","sodUtc0":"","sodUtc8":"","ts":"1597026383085"}]}'
    )
    [event] = connected(channel="tickers").frame(frame, 1)
    values = [
        getattr(event, name) for name in event.__struct_fields__ if name.endswith(("price", "size", "24h"))
    ]
    assert values == [None] * 11


def test_empty_values_are_none_and_zero_stays_zero():
    frame = TICKER.replace('"askPx":"9999.99"', '"askPx":""').replace('"lastSz":"0.1"', '"lastSz":"0"')
    [event] = connected(channel="tickers").frame(frame, 1)
    assert event.ask_price is None
    assert event.last_size == "0"


def test_a_price_of_zero_is_no_price():
    [event] = connected(channel="tickers").frame(TICKER.replace('"last":"9999.99"', '"last":"0"'), 1)
    assert event.last_price is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"px":"83753"', '"px":"8375e1"'),
        ('"px":"83753"', '"px":""'),
        ('"px":"83753"', '"px":"-1"'),
        ('"px":"83753"', '"px":83753'),
        ('"px":"83753"', '"px":"83753.00000000001"'),
        ('"px":"83753"', '"px":"NaN"'),
        ('"sz":"0.000011"', '"sz":"0"'),
        ('"sz":"0.000011",', ""),
        ('"side":"sell"', '"side":"SELL"'),
        ('"tradeId":"1067468269"', '"tradeId":"abc"'),
        ('"tradeId":"1067468269"', '"tradeId":"-5"'),
        ('"tradeId":"1067468269"', '"tradeId":"9223372036854775808"'),
        ('"tradeId":"1067468269"', '"tradeId":"١٢٣"'),
        ('"ts":"1791369376364"', '"ts":"1791369376"'),
        ('"ts":"1791369376364"', '"ts":""'),
        ('"instId":"BTC-USDT","tradeId"', '"instId":"ETH-USDT","tradeId"'),
    ],
)
def test_a_bad_row_is_reported_and_never_becomes_a_trade(old, new):
    assert old in TRADE
    [bad] = connected().frame(TRADE.replace(old, new), RECEIVED_NS)
    assert isinstance(bad, BadFrame)
    assert bad.reason
    assert (bad.pair, bad.receive_time_ns) == ("BTC-USDT", RECEIVED_NS)


def test_one_bad_row_does_not_spoil_the_others():
    frame = json.loads(TRADE)
    good = frame["data"][0]
    frame["data"] = [good, {**good, "px": 5}, {**good, "tradeId": "1067468270"}, {**good, "sz": "x"}]
    outputs = connected().frame(json.dumps(frame), 1)
    assert kinds(outputs) == [TradeEvent, BadFrame, TradeEvent, BadFrame]
    assert json.loads(outputs[1].raw)["px"] == 5


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "null", "5", '{"a":1}', '{"arg":1,"data":[]}', "ping", "\ud800", "[" * 100_000]
)
def test_what_is_no_message_at_all_is_reported_with_its_text(frame):
    [bad] = connected().frame(frame, 1)
    assert isinstance(bad, BadFrame)
    assert len(bad.raw) >= len(frame)


def test_data_of_a_subscription_that_was_never_made_is_reported():
    assert kinds(connected().frame(TRADE.replace("BTC", "DOGE"), 1)) == [BadFrame]
    assert kinds(connected().frame(TICKER, 1)) == [BadFrame]


def test_the_text_pong_is_no_error():
    assert connected().frame("pong", 1) == []


@pytest.mark.parametrize(
    "frame",
    [
        '{"event":"channel-conn-count","channel":"trades-all","connCount":"2","connId":"abcd1234"}',
        '{"event":"something-new","x":{"y":[1,2]}}',
        '{"event":"notice","code":"1","msg":"hello"}',
        '{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[]}',
    ],
)
def test_unknown_events_are_named_and_have_no_effect(frame):
    session = connected()
    assert kinds(session.frame(frame, 1)) == [Unknown]
    assert session.state is State.CONNECTED


@pytest.mark.parametrize("code", sorted(spec.FATAL_CODES))
def test_configuration_errors_are_fatal_and_name_the_setting(code):
    session = connected()
    [fatal] = session.frame(error(code), 1)
    assert isinstance(fatal, Fatal)
    assert fatal.code == code
    assert "CRYPTO_PAIRS" in fatal.remedy
    assert "CRYPTO_OKX_WS_URL" in fatal.remedy
    assert session.state is State.CLOSED


def test_a_refused_subscription_is_named():
    frame = (
        '{"event":"error","msg":"Wrong URL or channel:trades-all,instId:NOPE-USDT doesn\'t exist.",'
        '"code":"60018","connId":"5e1f2fe5","id":"subscribe1"}'
    )
    [fatal] = connected("BTC-USDT", "NOPE-USDT").frame(frame, 1)
    assert isinstance(fatal, Fatal)
    assert "NOPE-USDT" in fatal.message
    assert "trades-all" in fatal.message


def test_the_codes_that_the_pages_call_configuration_errors_are_all_known():
    assert {"60012", "60013", "60018", "60019", "64000", "64001", "64002", "64003", "64004"} <= set(
        spec.FATAL_CODES
    )


@pytest.mark.parametrize(
    ("code", "delay_s"), [("60014", 5.0), ("64007", 0.0), ("63999", 0.0), ("60005", 0.0), ("99999", 0.0)]
)
def test_other_errors_are_reasons_to_connect_again(code, delay_s):
    [reconnect] = connected().frame(error(code), 1)
    assert reconnect == Reconnect(f"error-{code}", "refused", delay_s)


@pytest.mark.parametrize("code", ["", "a word", "1" * 40])
def test_an_error_without_a_proper_code_makes_no_label_of_it(code):
    [reconnect] = connected().frame(error(code), 1)
    assert reconnect == Reconnect("error", "refused")


@pytest.mark.parametrize(
    ("code", "meaning"), [(1009, "too long"), (4004, "30 seconds"), (4005, "too slowly"), (4006, "abnormal")]
)
def test_a_close_with_a_meaning_is_retried_and_explained(code, meaning):
    [reconnect] = connected().closed(code, "why")
    assert reconnect.reason == f"close-{code}"
    assert meaning in reconnect.detail
    assert reconnect.detail.endswith(": why")
    assert connected().closed(code, "")[0].detail == spec.CLOSES[code]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012])
def test_closes_are_reasons_to_connect_again(code):
    assert connected().closed(code, "why") == [Reconnect(f"close-{code}", "why")]


def test_a_lost_connection_without_close_frame_has_its_own_reason():
    assert connected().closed(None, "reset") == [Reconnect("connection-lost", "reset")]


@pytest.mark.parametrize("code", [4001, 4002])
def test_a_close_that_would_repeat_itself_is_fatal(code):
    session = connected()
    assert kinds(session.closed(code, "")) == [Fatal]
    assert session.closed(code, "") == []


def test_an_upgrade_notice_announces_the_end_but_data_goes_on():
    session = connected()
    assert kinds(session.frame(NOTICE, 1)) == [Notice]
    assert kinds(session.frame(TRADE, 1)) == [TradeEvent]


def test_after_the_end_the_machine_is_silent():
    session = connected()
    session.closed(1000, "")
    assert session.frame(TRADE, 1) == []
    assert session.tick(100 * S) == []
    assert session.closed(1000, "") == []


MARKET_DATA = (TRADE, TICKER, AGGREGATED, NOTICE, ack(), error("60014"))


@given(st.sampled_from(MARKET_DATA), st.data())
def test_no_mutation_of_a_frame_raises_or_vanishes(frame, data):
    raw = bytearray(frame.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 20))]
            case "insert":
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=5))
        if not raw:
            break
    session = connected()
    outputs = session.frame(bytes(raw), 1)
    assert outputs, "a frame that is not a pong always leaves a trace"
    for output in outputs:
        if isinstance(output, TradeEvent):
            assert output.first_id <= output.trade_id
            assert output.count == output.trade_id - output.first_id + 1


@given(st.binary(max_size=200).filter(lambda raw: raw != b"pong"))
def test_any_bytes_are_reported(raw):
    outputs = connected().frame(raw, 1)
    assert all(isinstance(output, BadFrame | Unknown) for output in outputs)
    assert outputs
