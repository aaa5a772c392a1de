"""Each venue's adapter reads the simulated exchange that speaks its protocol: through real sockets, over lost
pushes and a cut connection, until its tape equals what was really traded.

The two sides share no code, so what one misreads the other does not confirm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streaming.exchanges.events import (
    BadFrame,
    Fatal,
    Notice,
    Output,
    Reconnect,
    Send,
    Stale,
    TickerEvent,
    TradeEvent,
)
from streaming.exchanges.registry import venue
from streaming.exchanges.session import Session, State
from streaming.exchanges.venue import ConnectionPlan, RestRequest, SparseTradeHistory, Venue
from streaming.pairs import PairChoice
from streaming.producer.preflight import choose_pairs
from streaming.producer.rest_client import RestClient
from streaming.producer.sequencer import IdRange, TradeSequencer
from streaming.producer.transport import Transport
from tests.unit.simulator.conftest import Running

PAIRS = ("BTC-USDT", "ETH-USDT")
BASES = {
    "OKX": ("/ws/v5", ""),
    "BINANCE": ("/binance", "/binance"),
    "BYBIT": ("/bybit", "/bybit"),
    "COINBASE": ("/coinbase", "/coinbase"),
    "KRAKEN": ("/kraken", "/kraken"),
}
PATIENCE_S = 20.0

EVERY_SIMULATED_VENUE = pytest.mark.parametrize("name", sorted(BASES))
EVERY_VENUE_WITHOUT_HOLES = pytest.mark.parametrize("name", sorted(BASES.keys() - {"BYBIT"}))


class Reader:
    """One venue's adapter with just enough of an engine around it."""

    def __init__(self, running: Running, name: str) -> None:
        self.venue: Venue = venue(name)
        ws_base, rest_base = BASES[name]
        self._ws_url = f"ws://127.0.0.1:{running.port}{ws_base}"
        self._client = RestClient(f"http://127.0.0.1:{running.port}{rest_base}", threading.Event())
        self.tapes = {pair: TradeSequencer(contiguous=self.venue.id_contiguous) for pair in PAIRS}
        self.trades: dict[str, dict[int, TradeEvent]] = {pair: {} for pair in PAIRS}
        self.tickers: list[TickerEvent] = []
        self.outputs: list[Output] = []

    def get(self, request: RestRequest) -> Any:
        return self._client.get(request)

    def plan(self) -> ConnectionPlan:
        return next(plan for plan in self.venue.connections(PAIRS) if plan.carries_trades)

    def read(self, until: Callable[[Session], bool]) -> Session:
        """Live through one connection until the condition holds or the session ends."""
        plan = self.plan()
        session = self.venue.session(plan)
        transport = Transport(self._ws_url + plan.path, 5.0, 0.05)
        try:
            self._obey(session.connected(time.monotonic_ns()), transport)
            end = time.monotonic() + PATIENCE_S
            while not until(session) and session.state is not State.CLOSED:
                assert time.monotonic() < end, f"{self.venue.name} did not get there: {session.state}"
                messages, now_ns = transport.receive()
                for message in messages:
                    self._obey(session.frame(message, now_ns), transport)
                self._obey(session.tick(time.monotonic_ns()), transport)
        finally:
            transport.close()
        return session

    def fill(self) -> None:
        """Fetch what is missing."""
        for pair, tape in self.tapes.items():
            for part in tape.missing.ranges():
                history = self.venue.history(pair, part.first, part.last)
                while (request := history.next_request()) is not None:
                    self._obey(history.receive(self.get(request)), None)

    def newest(self, pair: str) -> int:
        found = self.venue.newest_id(self.get(self.venue.newest_request(pair)))
        assert found is not None
        return found

    def of(self, kind: type[Output]) -> list[Output]:
        return [output for output in self.outputs if isinstance(output, kind)]

    def close(self) -> None:
        self._client.close()

    def _obey(self, outputs: Sequence[Output], transport: Transport | None) -> None:
        for output in outputs:
            match output:
                case TradeEvent():
                    verdict = self.tapes[output.pair].offer(output.first_id, output.trade_id)
                    if verdict.take:
                        assert output.trade_id not in self.trades[output.pair]
                        self.trades[output.pair][output.trade_id] = output
                case TickerEvent():
                    self.tickers.append(output)
                case Send():
                    assert transport is not None
                    transport.send(output.text)
                case _:
                    self.outputs.append(output)


@pytest.fixture
def reading(start: Callable[..., Running], name: str) -> Any:
    running = start(sim_trades_per_second=400.0)
    running.until(lambda: all(running.get("/truth/trades", pair=pair, limit=1)["trades"] for pair in PAIRS))
    reader = Reader(running, name)
    yield running, reader
    reader.close()


def assert_tape_is_true(running: Running, reader: Reader) -> None:
    for pair, found in reader.trades.items():
        first, last = min(found), max(found)
        truth = running.get("/truth/trades", pair=pair, from_id=first, to_id=last, limit=10_000)["trades"]
        assert sorted(found) == list(range(first, last + 1)), pair
        assert [(fill["id"], fill["side"]) for fill in truth] == [(i, found[i].side) for i in sorted(found)]
        for fill in truth:
            event = found[fill["id"]]
            assert float(event.price) == float(fill["price"])
            assert float(event.size) == float(fill["size"])
            assert event.exchange_time_us == fill["time_ms"] * 1000


@EVERY_SIMULATED_VENUE
def test_the_start_up_check_finds_its_markets_and_the_clock(reading: tuple[Running, Reader]) -> None:
    _, reader = reading
    venue = reader.venue

    markets = venue.instruments(reader.get(venue.instruments_request()))

    assert choose_pairs(venue.name, PairChoice(dict.fromkeys(PAIRS)), markets) == (PAIRS, {})
    assert abs(venue.time_us(reader.get(venue.time_request())) / 1e6 - time.time()) < 5


@EVERY_VENUE_WITHOUT_HOLES
def test_lost_pushes_and_a_cut_connection_leave_no_hole(reading: tuple[Running, Reader]) -> None:
    running, reader = reading
    tape = reader.trades["BTC-USDT"]
    reader.read(lambda session: session.state is State.READY and len(tape) > 50)
    running.control("gap", n=30, pair="BTC-USDT")
    seen = len(tape)
    # Meanwhile nobody listens: what is traded now is missing, and the 30 hidden trades are among it or after.
    reader.read(lambda session: len(tape) > seen + 60)

    reader.fill()

    assert not any(t.missing for t in reader.tapes.values())
    assert_tape_is_true(running, reader)
    assert not reader.of(BadFrame) + reader.of(Fatal)


@EVERY_VENUE_WITHOUT_HOLES
def test_a_long_gap_is_walked_through_the_whole_history(reading: tuple[Running, Reader]) -> None:
    running, reader = reading
    running.control("rate", trades_per_second=4000)
    first = reader.newest("BTC-USDT") + 1
    running.until(lambda: reader.newest("BTC-USDT") > first + 2500)
    running.control("pause")
    gap = IdRange(first, first + 2400)
    reader.tapes["BTC-USDT"].last_id = gap.last
    reader.tapes["BTC-USDT"].missing.add(gap)

    reader.fill()

    assert not reader.tapes["BTC-USDT"].missing
    assert sorted(reader.trades["BTC-USDT"]) == list(range(gap.first, gap.last + 1))


@EVERY_SIMULATED_VENUE
def test_malformed_messages_are_reported_and_the_tape_goes_on(reading: tuple[Running, Reader]) -> None:
    running, reader = reading
    tape = reader.trades["BTC-USDT"]
    sent: list[int] = []

    def break_then_go_on(session: Session) -> bool:
        if session.state is State.READY and not sent:
            running.control("bad_frame", path=reader.plan().path or "/coinbase")
            sent.append(len(tape))
        return bool(sent) and len(tape) > sent[0] + 50 and len(reader.of(BadFrame)) >= 8

    session = reader.read(break_then_go_on)

    assert session.state is State.READY
    assert not reader.of(Reconnect)


@pytest.mark.parametrize("name", ["BINANCE", "COINBASE"])
def test_trades_lost_behind_the_end_of_the_tape_are_noticed(reading: tuple[Running, Reader]) -> None:
    running, reader = reading
    hidden: list[int] = []

    def lose_everything(session: Session) -> bool:
        if session.state is State.READY and len(reader.trades["BTC-USDT"]) > 5 and not hidden:
            running.control("gap", n=100_000, pair="BTC-USDT")
            hidden.append(1)
        return bool(reader.of(Stale))

    reader.read(lose_everything)

    stale = reader.of(Stale)[0]
    assert isinstance(stale, Stale)
    assert stale.pair == "BTC-USDT"
    assert stale.silent_s < 10
    assert reader.newest("BTC-USDT") > max(reader.trades["BTC-USDT"])


@pytest.mark.parametrize("name", ["OKX", "BINANCE"])
def test_an_announced_end_is_understood(reading: tuple[Running, Reader]) -> None:
    running, reader = reading
    told: list[int] = []

    def announce(session: Session) -> bool:
        if session.state is State.READY and not told:
            running.control("notice", path=reader.plan().path, seconds=60)
            told.append(1)
        return bool(reader.of(Notice))

    assert reader.read(announce).state is State.READY


@pytest.mark.parametrize("name", ["BINANCE", "BYBIT", "COINBASE", "KRAKEN"])
def test_tickers_carry_the_simulated_market(reading: tuple[Running, Reader]) -> None:
    _, reader = reading

    reader.read(lambda session: session.state is State.READY and len(reader.tickers) > 4)

    for ticker in reader.tickers:
        assert ticker.bid_price is not None
        assert ticker.ask_price is not None
        assert 0 < float(ticker.bid_price) < float(ticker.ask_price)
        assert abs(ticker.exchange_time_us / 1e6 - time.time()) < 60


@pytest.mark.parametrize("name", ["BYBIT"])
@pytest.mark.parametrize("missed", [20, 200])
def test_ids_with_holes_show_after_a_cut_what_can_be_had_and_what_cannot(
    reading: tuple[Running, Reader], missed: int
) -> None:
    running, reader = reading
    tape, trades = reader.tapes["BTC-USDT"], reader.trades["BTC-USDT"]

    def newest() -> int:
        return int(running.get("/truth/summary")["pairs"]["BTC-USDT"]["last_id"])

    reader.read(lambda session: session.state is State.READY and len(trades) > 50)
    cut_at = newest()
    running.until(lambda: newest() > cut_at + missed)
    running.control("pause")
    reader.tapes["BTC-USDT"].interrupted()
    resume_after = len(trades)

    def go_on(session: Session) -> bool:
        if session.state is State.READY:
            running.control("resume")
        return len(trades) > resume_after

    reader.read(go_on)
    running.control("pause")
    (gap,) = tape.missing.ranges()
    history = reader.venue.history("BTC-USDT", gap.first, gap.last)
    request = history.next_request()
    assert request is not None
    found = history.receive(reader.get(request))

    assert isinstance(history, SparseTradeHistory)
    assert history.covered
    assert history.seen_from is not None
    assert found
    assert (history.seen_from <= gap.first) is (missed == 20)
    trades.update((event.trade_id, event) for event in found)
    known = [trades[i] for i in sorted(trades) if i >= history.seen_from]
    truth = running.get("/truth/trades", pair="BTC-USDT", from_id=1, limit=10_000)["trades"]
    expected = [(fill["time_ms"] * 1000, fill["side"], float(fill["size"])) for fill in truth]
    seen = [(event.exchange_time_us, event.side, float(event.size)) for event in known]
    at = expected.index(seen[0])
    assert expected[at : at + len(seen)] == seen
