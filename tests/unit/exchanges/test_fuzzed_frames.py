"""A short run of the frame fuzzer for every venue; `tests.benchmarks.fuzz_frames` is the long one."""

from __future__ import annotations

import random
import threading

import pytest

from streaming.errors import PlatformError
from streaming.exchanges.events import BadFrame, Output, TradeEvent, Unknown
from streaming.exchanges.venue import RateLimit
from streaming.producer import connection
from streaming.producer.backoff import RateLimiter
from tests.benchmarks.fuzz_frames import (
    Broken,
    LetterBox,
    check,
    corpus,
    fuzz,
    mutate,
    post,
    tape_of,
)
from tests.unit.exchanges.venues import Frames, all_frames, frames_of, trade_plan

SHORT = 20_000


class Wire:
    """Plays its messages, one a read, and says when the last one has been dealt with."""

    def __init__(self, messages: list[bytes]) -> None:
        self._messages = messages
        self.played = threading.Event()
        self.failed: list[PlatformError] = []

    def send(self, text: str) -> None:
        """Our requests; the answers are among the messages."""

    def receive(self) -> tuple[list[bytes], int]:
        if not self._messages:
            self.played.set()
            return [], 1
        return [self._messages.pop(0)], 1

    def close(self) -> None:
        self._messages.clear()


@pytest.mark.parametrize("frames", all_frames(), ids=lambda f: f.venue.name)
def test_no_damaged_frame_raises_or_passes_unseen(frames: Frames) -> None:
    result = fuzz(frames, SHORT, seed=1)

    assert result.frames == SHORT
    assert result.letters == result.outputs["BadFrame"] >= result.unreadable > SHORT // 5
    assert result.outputs["TradeEvent"] > SHORT // 100


def test_the_same_seed_damages_the_same_way() -> None:
    frames = frames_of("OKX")
    originals = corpus(frames, trade_plan(frames))

    def run(seed: int) -> list[bytes]:
        rng = random.Random(seed)
        return [mutate(rng, rng.choice(originals), originals) for _ in range(50)]

    assert run(1) == run(1) != run(2)


def test_the_fuzzer_notices_a_frame_that_was_passed_over() -> None:
    assert not check(b"{}", [], [])
    assert check(b"nonsense", [BadFrame("nonsense", "why", None, 1)], [])
    cut_short = BadFrame("nonsens", "why", None, 1)
    twice: list[Output] = [BadFrame("nonsense", "why", None, 1)] * 2
    wrong: list[list[Output]] = [
        [],
        [cut_short],
        twice,
        [BadFrame("nonsense", "", None, 1)],
        [Unknown("nonsense")],
    ]
    for outputs in wrong:
        with pytest.raises(Broken):
            check(b"nonsense", outputs, [])
    with pytest.raises(Broken):
        check(b'{"a":1}', [BadFrame("something else", "why", None, 1)], [])


def test_the_fuzzer_notices_a_dead_letter_that_is_missing_or_says_something_else() -> None:
    bad = BadFrame("nonsense", "why", "BTC-USDT", 1)
    box = LetterBox()
    post(bad, tape_of("OKX", "BTC-USDT", box), box)
    assert box.count == 1

    with pytest.raises(Broken):
        post(bad, tape_of("OKX", "BTC-USDT", LetterBox()), box)


@pytest.mark.parametrize("frames", all_frames(), ids=lambda f: f.venue.name)
def test_a_connection_counts_every_damaged_frame_and_keeps_it(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = trade_plan(frames)
    damaged = [b"nonsense %d" % number for number in range(50)]
    wire = Wire([*frames.acks(plan), *damaged])
    monkeypatch.setattr(connection, "Transport", lambda *_: wire)
    box = LetterBox()
    tapes = {pair: tape_of(frames.venue.name, pair, box) for pair in plan.pairs}
    made = connection.Connection(
        frames.venue,
        plan,
        "ws://nowhere",
        tapes,
        RateLimiter(RateLimit("test", 1000, 1.0)),
        on_notice=lambda _: None,
        on_ready=lambda _: None,
        on_stale=lambda *_: None,
        on_refused=lambda _, error: wire.failed.append(error),
        on_fatal=wire.failed.append,
        on_burst=lambda: None,
    )

    made.start()
    assert wire.played.wait(10)
    made.stop()

    assert made.join(10)
    assert wire.failed == []
    assert made.bad_frames == box.count == len(damaged)


def test_the_fuzzer_notices_a_trade_that_breaks_the_contract() -> None:
    trade = TradeEvent("BTC-USDT", 5, 5, 1, "1", "1", "buy", 1_791_369_376_364_000, 1, False)
    check(b"{}", [trade], [])
    for bad in (
        TradeEvent("BTC-USDT", 5, 5, 1, "0", "1", "buy", 1_791_369_376_364_000, 1, False),
        TradeEvent("BTC-USDT", 5, 4, 0, "1", "1", "buy", 1_791_369_376_364_000, 1, False),
        TradeEvent("BTC-USDT", 5, 5, 1, "1", "1", "buy", 1_791_369_376, 1, False),
    ):
        with pytest.raises(Broken):
            check(b"{}", [bad], [])
