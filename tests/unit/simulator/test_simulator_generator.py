"""The generator: a pure function of seed, pair and index, at the pace it is told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streaming.simulator.events import RawFill
from streaming.simulator.generator import BLOCK, GeneratedSource, make_block
from streaming.simulator.instruments import SEED_INSTRUMENTS, instrument_of

BTC = instrument_of("BTC-USDT")
START_US = 1_800_000_000_000_000


def take(source: GeneratedSource, start_us: int, seconds: float, steps: int = 1) -> list[RawFill]:
    source.start(start_us)
    fills: list[RawFill] = []
    for step in range(1, steps + 1):
        fills += source.take(start_us + int(seconds * 1e6 * step / steps))
    return fills


def relative(fills: list[RawFill], start_us: int) -> list[tuple[object, ...]]:
    return [(f.time_ms - start_us // 1000, *f[1:]) for f in fills]


def test_two_runs_with_one_seed_trade_the_same_whenever_they_start_and_however_often_they_are_asked() -> None:
    later = START_US + 86_400_000_000
    once = take(GeneratedSource(7, BTC, 200.0), START_US, 20.0)
    often = take(GeneratedSource(7, BTC, 200.0), later, 20.0, steps=777)
    assert len(once) > 3500
    assert relative(once, START_US) == relative(often, later)


@pytest.mark.parametrize(("seed", "pair"), [(8, "BTC-USDT"), (7, "ETH-USDT")])
def test_another_seed_or_pair_is_another_market(seed: int, pair: str) -> None:
    ours = make_block(7, BTC, 0)
    other = make_block(seed, instrument_of(pair), 0)
    assert ours.price != other.price
    assert ours.size != other.size
    assert ours.sell != other.sell


@hypothesis_settings(max_examples=25, deadline=None)
@given(index=st.integers(0, 3 * BLOCK), seed=st.integers(-(2**63), 2**63 - 1))
def test_a_generator_that_starts_at_an_index_goes_on_as_the_one_that_began_at_zero(
    index: int, seed: int
) -> None:
    blocks = [make_block(seed, BTC, i) for i in range(5)]
    whole = [
        (price, size, sell) for b in blocks for price, size, sell in zip(b.price, b.size, b.sell, strict=True)
    ]
    resumed = take(GeneratedSource(seed, BTC, 100.0, index), START_US, 3.0)
    assert [(f.price, f.size, f.sell) for f in resumed] == whole[index : index + len(resumed)]
    assert len(resumed) > 100


@pytest.mark.parametrize("rate", [5.0, 75.0, 20_000.0])
def test_it_trades_at_the_rate_it_is_told(rate: float) -> None:
    seconds = 4 * BLOCK / rate
    fills = take(GeneratedSource(7, BTC, rate), START_US, seconds, steps=50)
    assert abs(len(fills) - 4 * BLOCK) <= 1


def test_a_new_rate_holds_from_then_on() -> None:
    source = GeneratedSource(7, BTC, 100.0)
    first = take(source, START_US, 10.0)
    source.set_rate(400.0, START_US + 10_000_000)
    second = list(source.take(START_US + 20_000_000))
    assert len(first) == pytest.approx(1000, rel=0.2)
    assert len(second) == pytest.approx(4000, rel=0.1)
    assert second[0].time_ms >= first[-1].time_ms


def test_nothing_is_due_before_the_start_and_times_never_pass_the_clock() -> None:
    source = GeneratedSource(7, BTC, 50.0)
    assert source.next_due_us() is None
    assert list(source.take(START_US)) == []
    source.start(START_US)
    now = START_US
    for _ in range(200):
        due = source.next_due_us()
        assert due is not None
        assert due >= now
        now = due
        fills = source.take(now)
        assert fills
        assert all(START_US // 1000 <= f.time_ms <= now // 1000 for f in fills)


@pytest.mark.parametrize("instrument", SEED_INSTRUMENTS, ids=lambda i: i.pair)
def test_prices_stay_near_their_level_move_and_respect_the_spread(instrument: object) -> None:
    from streaming.simulator.instruments import Instrument

    assert isinstance(instrument, Instrument)
    level = instrument.base_price * 10**instrument.price_decimals
    seen: list[int] = []
    for number in (0, 1, 500, 40_000, 2_000_000):
        block = make_block(3, instrument, number)
        seen += block.price
        for i in range(BLOCK):
            assert 0 < block.bid[i] < block.ask[i]
            assert block.size[i] >= 1
            if not block.continues[i]:
                assert block.price[i] == (block.bid[i] if block.sell[i] else block.ask[i])
            else:
                assert block.sell[i] == block.sell[i - 1]
                assert block.time[i] == block.time[i - 1]
        assert list(block.time) == sorted(block.time)
        assert block.time[0] >= 0
        assert block.time[-1] < BLOCK
    assert 0.85 * level < min(seen)
    assert max(seen) < 1.15 * level
    assert math.log(max(seen) / min(seen)) > 0.001


def test_both_sides_trade_and_some_taker_orders_have_several_fills() -> None:
    block = make_block(7, BTC, 0)
    assert 0.2 < sum(block.sell) / BLOCK < 0.8
    assert 0.15 < sum(block.continues) / BLOCK < 0.4
