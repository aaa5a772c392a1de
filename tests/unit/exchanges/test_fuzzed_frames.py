"""A short run of the frame fuzzer for every venue; `tests.benchmarks.fuzz_frames` is the long one."""

from __future__ import annotations

import random

import pytest

from streaming.exchanges.events import BadFrame, TradeEvent
from tests.benchmarks.fuzz_frames import Broken, check, corpus, fuzz, mutate
from tests.unit.exchanges.venues import Frames, all_frames, frames_of, trade_plan

SHORT = 20_000


@pytest.mark.parametrize("frames", all_frames(), ids=lambda f: f.venue.name)
def test_no_damaged_frame_raises_or_passes_unseen(frames: Frames) -> None:
    result = fuzz(frames, SHORT, seed=1)

    assert result.frames == SHORT
    assert result.outputs["BadFrame"] >= result.undecodable > SHORT // 5
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
    with pytest.raises(Broken):
        check(b"nonsense", [], [])


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
