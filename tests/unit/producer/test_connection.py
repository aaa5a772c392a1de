"""One connection's thread, on a wire in memory that plays a script."""

import threading
import time

from streaming.exchanges.registry import venue
from streaming.exchanges.venue import RateLimit
from streaming.producer import connection as module
from streaming.producer.backoff import RateLimiter
from streaming.producer.connection import Connection, ExchangeRefusedError
from streaming.producer.transport import ConnectError, ConnectionClosedError

ACK = b'{"id":"1","event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}'
NOTICE = b'{"event":"notice","code":"64008","msg":"soon","connId":"a4d3ae55"}'
DOES_NOT_EXIST = b'{"event":"error","code":"60018","msg":"doesn\'t exist.","connId":"5e1f2fe5"}'


def trade(trade_id: int) -> bytes:
    return (
        b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"%d",'
        b'"px":"5","sz":"1","side":"buy","ts":"1791369376364"}]}' % trade_id
    )


class Wire:
    """Plays one list of messages per connection; an exception in it is raised. Then it is silent."""

    def __init__(self, *connections: list[bytes | Exception]) -> None:
        self.connections = list(connections)
        self.opened = 0
        self.sent: list[str] = []

    def __call__(self, url: str, timeout_s: float, poll_s: float):
        self.opened += 1
        script = self.connections.pop(0) if self.connections else []
        if script and isinstance(script[0], ConnectError):
            raise script[0]
        return _End(self, list(script))


class _End:
    def __init__(self, wire: Wire, script: list[bytes | Exception]) -> None:
        self.wire = wire
        self.script = script

    def send(self, text: str) -> None:
        self.wire.sent.append(text)

    def receive(self):
        if not self.script:
            time.sleep(0.005)
            return [], 1
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return [step], 1

    def close(self) -> None:
        self.script.clear()


class Runner:
    def __init__(self, desk, monkeypatch, wire: Wire, *, is_overlap: bool = False) -> None:
        monkeypatch.setattr(module, "Transport", wire)
        monkeypatch.setattr(module, "TICK_S", 0.01)
        self.wire = wire
        self.noticed: list[Connection] = []
        self.ready = threading.Event()
        self.refused: list[Exception] = []
        self.fatal: list[Exception] = []
        okx = venue("okx")
        self.connection = Connection(
            okx,
            okx.connections(["BTC-USDT"])[0],
            "ws://nowhere/business",
            {"BTC-USDT": desk.tape},
            RateLimiter(RateLimit("x", 1000, 1.0)),
            on_notice=self.noticed.append,
            on_ready=lambda _: self.ready.set(),
            on_stale=lambda *_: None,
            on_refused=lambda _, error: self.refused.append(error),
            on_fatal=self.fatal.append,
            on_burst=lambda: None,
            is_overlap=is_overlap,
        )

    def run_until(self, condition) -> None:
        self.connection.start()
        deadline = time.monotonic() + 5
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.connection.stop()
        assert self.connection.join(5)
        assert condition()


def test_trades_reach_the_tape_and_the_connection_becomes_ready(desk, monkeypatch):
    runner = Runner(desk, monkeypatch, Wire([ACK, trade(101), trade(102)]))
    runner.run_until(lambda: desk.ids == [101, 102] and runner.ready.is_set())
    assert runner.connection.frames == 3
    assert '"op":"subscribe"' in runner.wire.sent[0]


def test_a_lost_connection_is_opened_again_and_names_the_cause_of_the_gap(desk, monkeypatch):
    wire = Wire([ACK, trade(101), ConnectionClosedError(4005, "too slow")], [ACK, trade(104)])
    runner = Runner(desk, monkeypatch, wire)
    runner.run_until(lambda: desk.ids == [101, 104])
    assert runner.connection.reconnects == {"close-4005": 1}
    [gap] = desk.sink.gaps
    assert (gap.from_id, gap.to_id, gap.cause) == (102, 103, "close-4005")


def test_back_off_grows_without_data_and_starts_anew_after_data(desk, monkeypatch):
    down = [ConnectError("refused")]
    runner = Runner(desk, monkeypatch, Wire(down, down, [ACK, trade(101)]))
    runner.run_until(lambda: desk.ids == [101])
    assert runner.connection.reconnects == {"connect-failed": 2}
    assert runner.connection._backoff.failures == 0


def test_an_acknowledgement_alone_does_not_reset_the_back_off(desk, monkeypatch):
    wire = Wire([ACK, ConnectionClosedError(1006, "")], [ACK, ConnectionClosedError(1006, "")])
    runner = Runner(desk, monkeypatch, wire)
    runner.run_until(lambda: runner.connection.reconnects["close-1006"] == 2)
    assert runner.connection._backoff.failures >= 2


def test_a_refused_subscription_ends_the_connection_with_the_setting_named(desk, monkeypatch):
    runner = Runner(desk, monkeypatch, Wire([DOES_NOT_EXIST]))
    runner.run_until(lambda: bool(runner.refused))
    [error] = runner.refused
    assert runner.fatal == []
    assert isinstance(error, ExchangeRefusedError)
    assert "CRYPTO_PAIRS" in str(error)
    assert runner.wire.opened == 1


def test_a_defect_ends_the_process_and_not_only_the_thread(desk, monkeypatch):
    runner = Runner(desk, monkeypatch, Wire([ZeroDivisionError()]))
    runner.run_until(lambda: bool(runner.fatal))
    assert "ZeroDivisionError" in str(runner.fatal[0])


def test_a_superseded_connection_goes_on_while_it_lasts_and_is_not_opened_again(desk, monkeypatch):
    wire = Wire([ACK, trade(101), NOTICE, trade(102), ConnectionClosedError(1012, "")])
    runner = Runner(desk, monkeypatch, wire)
    runner.connection._on_notice = lambda connection: connection.supersede()
    runner.connection.start()
    assert runner.connection.join(5)
    assert desk.ids == [101, 102]
    assert wire.opened == 1


def test_the_connection_that_takes_over_does_not_send_its_snapshot(desk, monkeypatch):
    """It may be ahead of the living connection, and would open a gap that is none."""
    runner = Runner(desk, monkeypatch, Wire([ACK, trade(105), trade(101)]), is_overlap=True)
    runner.run_until(lambda: desk.ids == [101])
    assert desk.sink.gaps == []


def test_a_stalled_pair_makes_its_connection_new(desk, monkeypatch):
    runner = Runner(desk, monkeypatch, Wire([ACK, trade(101)], [ACK, trade(102)]))
    runner.connection.drop("pair-stalled")
    runner.run_until(lambda: desk.ids == [101, 102])
    assert runner.connection.reconnects == {"pair-stalled": 1}


def test_bad_frames_are_kept_and_the_connection_goes_on(desk, monkeypatch):
    runner = Runner(desk, monkeypatch, Wire([ACK, b"{", trade(101), b'{"event":"new"}', trade(102)]))
    runner.run_until(lambda: desk.ids == [101, 102])
    assert (runner.connection.bad_frames, runner.connection.unknown_events) == (1, 1)
    assert [topic for topic, _ in desk.sink.sent if "dead" in topic] == ["CryptoCurrency_dead_letters"]


def test_a_stopping_kafka_ends_the_thread_silently(desk, monkeypatch):
    desk.sink.refuse = True
    runner = Runner(desk, monkeypatch, Wire([ACK, trade(101)]))
    runner.connection.start()
    assert runner.connection.join(5)
    assert runner.fatal == []


def test_before_the_first_handshake_the_state_is_started(desk, monkeypatch):
    assert Runner(desk, monkeypatch, Wire()).connection.state.value == "started"
