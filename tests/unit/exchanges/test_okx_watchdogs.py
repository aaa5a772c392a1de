"""OKX's protocol machine and time: silence, pings, age."""

import pytest

from streaming.exchanges.events import Notice, Output, Reconnect, Send, Stale
from streaming.exchanges.okx.session import OkxSession
from streaming.exchanges.session import State
from tests.unit.exchanges.okx_literals import NOTICE, RECEIVED_NS, TICKER, TRADE, S, ack, connected, kinds


def test_a_missing_acknowledgement_ends_the_connection_after_five_seconds():
    session = connected("BTC-USDT", "ETH-USDT")
    session.frame(ack(), 1)
    assert session.tick(int(4.9 * S)) == []
    [reconnect] = session.tick(5 * S)
    assert reconnect.reason == "ack-timeout"
    assert "ETH-USDT" in reconnect.detail
    assert "BTC-USDT" not in reconnect.detail


def ready() -> OkxSession:
    session = connected()
    session.frame(ack(), 1)
    session.frame(TRADE, 1)
    assert session.tick(0) == []
    return session


def test_after_twenty_silent_seconds_a_text_ping_goes_out_once():
    session = ready()
    assert session.tick(19 * S) == []
    assert session.tick(20 * S) == [Send("ping")]
    assert session.tick(21 * S) == []


def test_a_pong_in_time_keeps_the_connection():
    session = ready()
    session.tick(20 * S)
    session.frame("pong", 1)
    assert session.tick(29 * S) == []
    assert session.tick(49 * S) == [Send("ping")]


def test_without_a_pong_the_connection_is_dead_within_thirty_seconds():
    session = ready()
    session.tick(20 * S)
    [reconnect] = session.tick(29 * S)
    assert reconnect.reason == "pong-timeout"


def test_pongs_and_bad_frames_do_not_count_as_data():
    session = ready()
    reasons = []
    for second in range(1, 70):
        session.frame("pong", 1)
        session.frame(TRADE.replace("83753", "x"), 1)
        reasons += [output.reason for output in session.tick(second * S) if isinstance(output, Reconnect)]
    assert reasons == ["data-silence"]


def test_the_data_watchdog_is_armed_before_any_data_came():
    session = connected()
    session.frame(ack(), 1)
    outputs = []
    for second in range(1, 70):
        session.frame("pong", 1)
        outputs += session.tick(second * S)
    assert [output.reason for output in outputs] == ["data-silence"]


def test_a_silent_pair_is_reported_again_and_again_while_the_others_flow():
    session = connected("BTC-USDT", "ETH-USDT")
    session.frame(ack(), 1)
    session.frame(ack(pair="ETH-USDT"), 1)
    stale = []
    for second in range(1, 250):
        session.frame(TRADE, 1)
        stale += [(second, output.pair) for output in session.tick(second * S) if isinstance(output, Stale)]
    assert stale == [(120, "ETH-USDT"), (240, "ETH-USDT")]


def test_a_step_of_the_wall_clock_trips_no_watchdog():
    session = ready()
    session.frame(TRADE, RECEIVED_NS + 10**15)
    assert session.tick(S) == []
    session.frame(TRADE, 5)
    assert session.tick(2 * S) == []


def test_every_watchdog_is_armed_at_the_handshake():
    session = connected("BTC-USDT", "ETH-USDT")
    session.frame(ack(), 1)
    session.frame(ack(pair="ETH-USDT"), 1)
    session.tick(0)
    assert session.tick(20 * S) == [Send("ping")]
    [reconnect] = session.tick(29 * S)
    assert reconnect.reason == "pong-timeout"


def test_an_acknowledgement_does_not_silence_the_watchdog_of_the_others():
    session = connected("BTC-USDT", "ETH-USDT")
    session.frame(TRADE, 1)
    session.frame(ack(), 1)
    assert [output.reason for output in session.tick(5 * S)] == ["ack-timeout"]


def test_pings_of_ours_and_pongs_of_theirs_leave_a_pair_silent():
    session = connected("BTC-USDT", "ETH-USDT")
    session.frame(ack(), 1)
    session.frame(ack(pair="ETH-USDT"), 1)
    silent = []
    for second in range(1, 121):
        session.frame("pong", 1)
        session.frame(TRADE, 1)
        silent += [output.silent_s for output in session.tick(second * S) if isinstance(output, Stale)]
    assert silent == [120.0]


HOUR = 3600 * S


def live(session: OkxSession, begin_ns: int, end_ns: int, frame: str) -> list[Output]:
    """What a healthy connection says by itself from one time to another."""
    found: list[Output] = []
    for now_ns in range(begin_ns, end_ns, 10 * S):
        session.frame(frame, 1)
        found += session.tick(now_ns)
    return found


@pytest.mark.parametrize(("channel", "frame"), [("trades-all", TRADE), ("tickers", TICKER)])
def test_a_connection_of_23_hours_announces_its_own_end_once_and_goes_on(channel, frame):
    session = connected(channel=channel)
    session.frame(ack(channel), 1)
    assert live(session, 0, 23 * HOUR, frame) == []
    [notice] = live(session, 23 * HOUR, 24 * HOUR, frame)
    assert live(session, 24 * HOUR, 48 * HOUR, frame) == []
    assert isinstance(notice, Notice)
    assert notice.code == "rotation"
    assert session.state is State.READY


def test_a_connection_whose_end_the_exchange_has_announced_does_not_announce_it_again():
    session = ready()
    assert kinds(session.frame(NOTICE, 1)) == [Notice]
    assert live(session, S, 30 * HOUR, TRADE) == []
