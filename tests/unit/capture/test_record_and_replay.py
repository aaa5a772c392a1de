"""Recording each venue from the simulated exchange, over a cut connection, lost and repeated pushes and
malformed messages, and replaying it: the count is the exchange's truth, the recorder's own count, and always
the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from crypto_platform.capture_view import replay_json
from streaming import settings
from streaming.capture.errors import RecordingError
from streaming.capture.export import Exporter
from streaming.capture.lines import Closed, Header, Line, Opened, Received, Sent, Ticked
from streaming.capture.recorder import Limits, Progress, record
from streaming.capture.replay import Pacer, Replay, Tally, replay
from streaming.errors import ServiceUnavailableError
from streaming.exchanges.events import TickerEvent, TradeEvent
from streaming.exchanges.okx.session import subscribe_request
from streaming.exchanges.registry import venue
from streaming.producer import source as sources
from streaming.producer.connection import ExchangeRefusedError
from streaming.producer.sequencer import IdRange
from streaming.simulator.app import build
from streaming.simulator.recording import Recording, read_recordings
from tests.unit.capture.conftest import PAIRS, VENUES, Recorded, Recorder, load, trades_of
from tests.unit.simulator.conftest import Running

EVERY_VENUE = pytest.mark.parametrize("name", VENUES)
WITHOUT_HOLES = pytest.mark.parametrize("name", [name for name in VENUES if name != "BYBIT"])


class Script:
    """Does one thing after another to the exchange while it is recorded, each after more trades have come."""

    def __init__(self, *steps: Callable[[Running], object], trades_between: int = 60) -> None:
        self._steps = list(steps)
        self._trades_between = trades_between
        self._next_at = trades_between

    def __call__(self, running: Running, progress: Progress) -> bool:
        if trades_of(progress) < self._next_at:
            return False
        self._next_at = trades_of(progress) + self._trades_between
        if not self._steps:
            return True
        self._steps.pop(0)(running)
        return False


def cut(running: Running) -> None:
    running.control("drop")


@EVERY_VENUE
def test_a_replay_finds_the_trades_that_the_exchange_made(recorded: Recorder, name: str) -> None:
    recording = recorded(name)
    trades: list[TradeEvent] = []

    tally = replay(recording.read(), on_trade=trades.append)

    assert tally.complete
    assert (tally.torn, tally.differences, tally.bad_frames) == (None, 0, 0)
    assert tally.exchange == f"{name}_SIM"
    for pair in PAIRS:
        found = [trade for trade in trades if trade.pair == pair]
        truth = truth_of(recording, pair, found)
        assert len(truth) == len(found) == tally.pairs[pair].trades > 10
        for fill, trade in zip(truth, found, strict=True):
            assert (float(fill["price"]), float(fill["size"])) == (float(trade.price), float(trade.size))
            assert (fill["side"], fill["time_ms"] * 1000) == (trade.side, trade.exchange_time_us)


def truth_of(recording: Recorded, pair: str, found: list[TradeEvent]) -> list[dict[str, object]]:
    """The exchange's own list of the trades found; ids that the venue made are matched by the last trade."""
    if recording.source.venue.id_contiguous:
        return recording.truth(pair, found[0].trade_id, found[-1].trade_id)
    every = recording.truth(pair, 1, 10**9)
    last = found[-1]
    key = (last.exchange_time_us // 1000, last.side, float(last.size))
    at = [(row["time_ms"], row["side"], float(row["size"])) for row in every].index(key)
    return every[at + 1 - len(found) : at + 1]


@EVERY_VENUE
def test_a_replay_counts_what_the_recorder_counted_over_a_cut_connection(
    recorded: Recorder, name: str
) -> None:
    recording = recorded(name, Script(cut, cut))

    tally = replay(recording.read())

    counts = recording.progress.connections
    assert tally.frames == recording.progress.messages
    assert tally.connections == sum(count.lives for count in counts) >= len(counts) + 2
    assert tally.trades + sum(t.duplicates for t in tally.pairs.values()) == trades_of(recording.progress)
    assert tally.tickers == sum(count.tickers for count in counts)
    assert dict(tally.reconnects) == {
        reason: sum(count.reconnects[reason] for count in counts)
        for count in counts
        for reason in count.reconnects
    }
    assert sum(tally.reconnects.values()) >= 2
    assert tally.differences == 0


@EVERY_VENUE
def test_the_same_recording_gives_the_same_result(recorded: Recorder, name: str) -> None:
    recording = recorded(name, Script(cut))

    def result() -> tuple[bytes, list[TradeEvent], list[TickerEvent]]:
        trades: list[TradeEvent] = []
        tickers: list[TickerEvent] = []
        tally = replay(recording.read(), on_trade=trades.append, on_ticker=tickers.append)
        return msgspec.json.encode(replay_json(tally, None)), trades, tickers

    first = result()

    assert result() == first
    assert len(first[1]) > 100


@WITHOUT_HOLES
def test_lost_and_repeated_pushes_are_counted_by_pair(recorded: Recorder, name: str) -> None:
    hidden: list[int] = []

    def lose(running: Running) -> None:
        hidden.append(running.control("gap", n=30, pair="BTC-USDT")["from_id"]["BTC-USDT"])

    def repeat(running: Running) -> None:
        running.control("duplicate", n=7, pair="ETH-USDT")

    recording = recorded(name, Script(lose, repeat))

    tally = replay(recording.read())

    assert tally.pairs["BTC-USDT"].missing == (IdRange(hidden[0], hidden[0] + 29),)
    assert tally.pairs["BTC-USDT"].gaps == 1
    assert tally.pairs["ETH-USDT"].duplicates == 7
    assert tally.pairs["ETH-USDT"].missing == ()


@EVERY_VENUE
def test_malformed_messages_are_counted_and_the_rest_is_replayed(recorded: Recorder, name: str) -> None:
    recording = recorded(name, Script(lambda running: running.control("bad_frame")))

    tally = replay(recording.read())

    assert tally.bad_frames >= 8
    assert tally.bad_frame_examples
    assert tally.differences == 0
    assert tally.trades > 100


@EVERY_VENUE
def test_the_simulated_exchange_replays_a_recording_trade_by_trade(
    recorded: Recorder, name: str, tmp_path: Path
) -> None:
    recording = recorded(
        name,
        lambda _, progress: trades_of(progress) > 150 and sum(c.tickers for c in progress.connections) > 4,
    )
    trades: list[TradeEvent] = []
    exporter = Exporter(tmp_path / "parquet", contiguous=recording.source.venue.id_contiguous)

    def keep(trade: TradeEvent) -> None:
        trades.append(trade)
        exporter.trade(trade)

    replay(recording.read(), on_trade=keep, on_ticker=exporter.ticker)
    exported = {pair.pair: pair for pair in exporter.finish()}
    again = read_recordings(tmp_path / "parquet", PAIRS)

    for pair in PAIRS:
        found = [trade for trade in trades if trade.pair == pair]
        assert exported[pair].trades == len(found) > 10
        assert (exported[pair].left_out, exported[pair].renumbered) == (0, name == "BYBIT")
        assert again[pair].first_id == found[0].trade_id
        assert replayed(again[pair]) == [
            (trade.exchange_time_us // 1000, float(trade.price), float(trade.size), trade.side)
            for trade in found
        ]
        assert len(again[pair].quotes) == exported[pair].quotes > 0
    market = build(
        settings.load({}, home=tmp_path, sim_mode="replay", sim_recording=tmp_path / "parquet"), keep=False
    ).market
    assert market.desk("BTC-USDT").tape.next_id == again["BTC-USDT"].first_id


def replayed(recording: Recording) -> list[tuple[int, float, float, str]]:
    instrument = recording.instrument
    return [
        (
            fill.time_ms,
            float(instrument.price_text(fill.price)),
            float(instrument.size_text(fill.size)),
            "sell" if fill.sell else "buy",
        )
        for fill in recording.trades
    ]


def test_of_a_recording_with_a_gap_the_longest_run_is_exported(recorded: Recorder, tmp_path: Path) -> None:
    recording = recorded(
        "OKX", Script(lambda running: running.control("gap", n=5, pair="BTC-USDT"), trades_between=100)
    )
    exporter = Exporter(tmp_path / "parquet", contiguous=True)
    tally = replay(recording.read(), on_trade=exporter.trade, on_ticker=exporter.ticker)

    exported = {pair.pair: pair for pair in exporter.finish()}["BTC-USDT"]

    (gap,) = tally.pairs["BTC-USDT"].missing
    btc = tally.pairs["BTC-USDT"]
    assert btc.first_id is not None
    assert btc.last_id is not None
    runs = (gap.first - btc.first_id, btc.last_id - gap.last)
    assert (exported.trades, exported.left_out) == (max(runs), min(runs))
    assert len(read_recordings(tmp_path / "parquet", ["BTC-USDT"])["BTC-USDT"].trades) == max(runs)


def test_a_rotated_recording_is_replayed_from_its_folder_but_not_from_its_middle(recorded: Recorder) -> None:
    recording = recorded(
        "OKX",
        lambda running, progress: progress.files >= 3,
        Limits(seconds=30.0, compressed_bytes=10**9, file_bytes=4000),
    )
    files = recording.read().files

    tally = replay(recording.read())

    assert len(files) >= 3
    assert tally.frames == recording.progress.messages
    assert tally.differences == 0
    with pytest.raises(RecordingError, match="begins in the middle of the connection"):
        replay(type(recording.read())(files[1]))
    files[1].unlink()
    with pytest.raises(RecordingError, match="is not file 2"):
        replay(recording.read())


def changed(lines: Iterator[Line], change: Callable[[Line], Line | None]) -> Iterator[Line]:
    for line in lines:
        result = change(line)
        if result is not None:
            yield result


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: msgspec.structs.replace(line, text="{}") if isinstance(line, Sent) else line, "'{}'"),
        (lambda line: None if isinstance(line, Sent) else line, "recorded nothing more"),
        (
            lambda line: (
                msgspec.structs.replace(line, by="us", reason="data-silence")
                if isinstance(line, Closed)
                else line
            ),
            "recorded the end 'data-silence', now None",
        ),
    ],
)
def test_a_machine_that_decides_otherwise_than_when_it_was_recorded_is_noticed(
    recorded: Recorder, change: Callable[[Line], Line | None], said: str
) -> None:
    reader = recorded("OKX").read()

    tally: Tally = Replay(reader.header).run(changed(iter(reader), change))

    assert tally.differences == 2
    assert all(said in example for example in tally.difference_examples)


def test_a_replay_keeps_the_recorded_pace_times_its_speed(recorded: Recorder) -> None:
    reader = recorded("OKX").read()
    lines = [line for line in reader if isinstance(line, Opened | Received)]
    slept: list[float] = []
    pacer = Pacer(4.0, slept.append)

    for line in lines:
        pacer.wait_for(line.monotonic_ns)

    # The fake sleep takes no time, so the last wait is the whole way.
    assert slept[-1] == pytest.approx((lines[-1].monotonic_ns - lines[0].monotonic_ns) / 4e9, abs=0.1)


def test_ticks_are_recorded_at_least_twice_a_second(recorded: Recorder) -> None:
    reader = recorded("OKX", Script(lambda running: None, lambda running: None, trades_between=120)).read()

    times: dict[str, list[int]] = {}
    for line in reader:
        if isinstance(line, Opened | Ticked):
            times.setdefault(line.connection, []).append(line.monotonic_ns)

    assert set(times) == {"trades", "tickers"}
    for ticks in times.values():
        assert len(ticks) > 2
        assert max(later - earlier for earlier, later in pairwise(ticks)) < 500_000_000


@pytest.mark.parametrize(("seconds", "differences", "reason"), [(6, 0, "ack-timeout"), (4, 1, "ack-timeout")])
def test_the_recorded_clock_decides_when_a_watchdog_bites(
    seconds: int, differences: int, reason: str
) -> None:
    plan = venue("OKX").connections(["BTC-USDT"])[0]
    header = Header(
        exchange="OKX",
        venue="OKX",
        simulated=False,
        pairs=("BTC-USDT",),
        plans=(plan,),
        file=1,
        wall_ns=10**18,
        monotonic_ns=0,
    )
    request = subscribe_request("subscribe1", [(plan.channels[0], "BTC-USDT")])
    now_ns = seconds * 10**9
    lines: list[Line] = [
        Opened(connection=plan.name, life=1, wall_ns=10**18, monotonic_ns=0, url="ws://127.0.0.1"),
        Sent(connection=plan.name, life=1, wall_ns=10**18, monotonic_ns=1, text=request),
        Ticked(connection=plan.name, life=1, wall_ns=10**18, monotonic_ns=now_ns),
        Closed(
            connection=plan.name,
            life=1,
            wall_ns=10**18,
            monotonic_ns=now_ns + 1,
            by="us",
            code=None,
            reason="ack-timeout",
        ),
    ]

    tally = Replay(header).run(lines)

    assert dict(tally.reconnects) == {reason: 1}
    assert tally.differences == differences


def test_receive_times_are_those_of_the_recording(recorded: Recorder) -> None:
    reader = recorded("KRAKEN").read()
    times = {line.wall_ns for line in reader if isinstance(line, Received)}
    trades: list[TradeEvent] = []

    replay(reader, on_trade=trades.append)

    assert {trade.receive_time_ns for trade in trades} <= times


def test_an_exchange_that_refuses_ends_the_recording(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start()
    source = sources.exchange(load(running), "okx")

    with pytest.raises(ExchangeRefusedError, match="60018"):
        record(source, ["NOPE-USDT"], tmp_path / "r", Limits(10.0, 10**9), stop=threading.Event())


def test_an_address_where_nobody_listens_is_named_with_its_setting(tmp_path: Path) -> None:
    loaded = settings.load({"CRYPTO_OKX_WS_URL": "ws://127.0.0.1:1/ws/v5"})

    with pytest.raises(ServiceUnavailableError, match=r"127.0.0.1:1.*CRYPTO_OKX_WS_URL"):
        record(
            sources.exchange(loaded, "okx"),
            ["BTC-USDT"],
            tmp_path / "r",
            Limits(0.5, 10**9),
            stop=threading.Event(),
        )


def test_a_recording_ends_at_its_size(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start(sim_trades_per_second=2000.0)

    progress = record(
        sources.exchange(load(running), "okx"),
        PAIRS,
        tmp_path / "r",
        Limits(30.0, 20_000),
        stop=threading.Event(),
    )

    assert progress.compressed_bytes >= 20_000
    assert progress.seconds < 25
