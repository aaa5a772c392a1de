"""A seeded market for one pair: trades that are a pure function of seed, pair and index.

What belongs here: prices, sizes, sides, taker orders and relative times by index, and their pacing. What does
not: ids of what was really traded, faults (`market`) and any wall clock (the caller passes the time).

The price is not accumulated step by step but read from fractal value noise: at each of several octaves,
seeded random levels at lattice points, joined smoothly (K. Perlin, "An Image Synthesizer", SIGGRAPH 1985, in
one dimension). It wanders like a market over seconds and hours, stays near its level for ever, and any index
can be computed without its predecessors, so a restarted exchange carries on where it was.

Floats live only here; what leaves is whole ticks and lots.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streaming.simulator.events import Quote, RawFill
from streaming.simulator.instruments import Instrument

BLOCK = 512
"""Trades computed at once."""
OCTAVES = 15
"""Octave k has lattice points 64 * 2^k trades apart: from seconds to half a day at the default rate."""
FINEST_PERIOD = 64
FINEST_AMPLITUDE = 0.00008
"""Relative size of the finest octave; each coarser one is sqrt(2) larger, as in a random walk."""
NEW_ORDER_SHARE = 0.72
"""Share of fills that begin a new taker order; the rest continue the order before them."""
FIRST_ID = 100_000_001


@dataclass(frozen=True, slots=True)
class Block:
    """`BLOCK` trades. Times are in mean gaps since the block's beginning, in [0, BLOCK)."""

    time: list[float]
    price: list[int]
    size: list[int]
    sell: list[bool]
    continues: list[bool]
    bid: list[int]
    ask: list[int]


def _rng(seed: int, pair: str, kind: str, index: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox([seed % 2**64, zlib.crc32(f"{pair}/{kind}".encode()), index]))


def _level(seed: int, pair: str, octave: int, point: int) -> float:
    return float(_rng(seed, pair, f"level{octave}", point).uniform(-1.0, 1.0))


def _path(seed: int, pair: str, block: int) -> npt.NDArray[np.float64]:
    """Logarithm of the price, relative to the base price, at each index of the block."""
    index = np.arange(block * BLOCK, (block + 1) * BLOCK)
    total = np.zeros(BLOCK)
    for octave in range(OCTAVES):
        position = index / (FINEST_PERIOD << octave)
        first, last = int(position[0]), int(position[-1]) + 1
        levels = np.array([_level(seed, pair, octave, point) for point in range(first, last + 1)])
        cell = position.astype(np.int64) - first
        within = position - position.astype(np.int64)
        smooth = within * within * (3.0 - 2.0 * within)
        amplitude = FINEST_AMPLITUDE * 2.0 ** (octave / 2)
        total += amplitude * (levels[cell] * (1.0 - smooth) + levels[cell + 1] * smooth)
    return total


def make_block(seed: int, instrument: Instrument, block: int) -> Block:
    """The trades with index `block * BLOCK` and up: a pure function of its arguments."""
    rng = _rng(seed, instrument.pair, "trades", block)
    new_order = rng.random(BLOCK) < NEW_ORDER_SHARE
    new_order[0] = True
    order = np.cumsum(new_order) - 1
    starts = np.flatnonzero(new_order)

    gaps = np.where(new_order, rng.exponential(size=BLOCK), 0.0)
    time = np.cumsum(gaps)
    time *= (BLOCK - 0.001) / time[-1]

    # Takers arrive in runs of one side, as they do where orders are split.
    flips = rng.random(BLOCK) < 0.35
    sell = (np.cumsum(flips) % 2 == 1)[starts][order]

    scale = 10.0**instrument.price_decimals
    mid = instrument.base_price * np.exp(_path(seed, instrument.pair, block)) * scale
    half = instrument.spread_ticks / 2
    bid = np.maximum(np.floor(mid - half), 1).astype(np.int64)[starts][order]
    ask = bid + instrument.spread_ticks
    # An order that eats through a level takes the next one.
    levels = np.cumsum(~new_order & (rng.random(BLOCK) < 0.5))
    deeper = levels - levels[starts][order]
    price = np.maximum(np.where(sell, bid - deeper, ask + deeper), 1)

    lots = instrument.typical_size * 10.0**instrument.size_decimals
    size = np.maximum(np.rint(lots * np.exp(1.3 * rng.standard_normal(BLOCK))), 1).astype(np.int64)
    return Block(
        time.tolist(),
        price.tolist(),
        size.tolist(),
        sell.tolist(),
        (~new_order).tolist(),
        bid.tolist(),
        ask.tolist(),
    )


class GeneratedSource:
    """Paces the generator's trades; see `events.Source`.

    Args:
        seed: of the whole market.
        instrument: the pair.
        per_second: trades a second.
        next_index: where to go on; 0 is the first trade ever.
    """

    quotes_move_alone = True
    first_id = FIRST_ID

    def __init__(self, seed: int, instrument: Instrument, per_second: float, next_index: int = 0) -> None:
        self._seed = seed
        self._instrument = instrument
        self._per_second = per_second
        self._index = next_index
        self._block = make_block(seed, instrument, next_index // BLOCK)
        self._last = self._peek_quote(next_index % BLOCK)
        self._sizes = _rng(seed, instrument.pair, "quotes", next_index)
        self._anchor_us: int | None = None
        self._anchor_units = self._units(next_index % BLOCK)

    def start(self, now_us: int) -> None:
        if self._anchor_us is None:
            self._anchor_us = now_us
            self._anchor_units = self._units(self._index % BLOCK)

    def shift(self, by_us: int) -> None:
        if self._anchor_us is not None:
            self._anchor_us += by_us

    def set_rate(self, per_second: float, now_us: int) -> None:
        if self._anchor_us is not None:
            passed = (now_us - self._anchor_us) * self._per_second / 1e6
            self._anchor_units += max(passed, 0.0)
            self._anchor_us = max(now_us, self._anchor_us)
        self._per_second = per_second

    def take(self, now_us: int) -> Sequence[RawFill]:
        if self._anchor_us is None:
            return ()
        fills: list[RawFill] = []
        now_units = self._anchor_units + (now_us - self._anchor_us) * self._per_second / 1e6
        while True:
            block = self._block
            base_units = self._index - self._index % BLOCK
            begin = self._index - base_units
            end = max(begin, bisect_right(block.time, now_units - base_units))
            for i in range(begin, end):
                fills.append(
                    RawFill(
                        self._due_us(base_units + block.time[i]) // 1000,
                        block.price[i],
                        block.size[i],
                        block.sell[i],
                        block.continues[i],
                    )
                )
            if end > begin:
                self._last = (block.bid[end - 1], block.ask[end - 1])
                self._index = base_units + end
            if end < BLOCK:
                return fills
            self._block = make_block(self._seed, self._instrument, self._index // BLOCK)

    def quote(self, now_us: int) -> Quote | None:
        bid, ask = self._last
        scale = self._instrument.typical_size * 10.0**self._instrument.size_decimals
        draws = self._sizes.exponential(12.0, 2)
        return Quote(now_us // 1000, bid, 1 + int(draws[0] * scale), ask, 1 + int(draws[1] * scale))

    def next_due_us(self) -> int | None:
        if self._anchor_us is None:
            return None
        return self._due_us(self._units(self._index % BLOCK))

    def finished(self) -> bool:
        return False

    def _units(self, position: int) -> float:
        return self._index - self._index % BLOCK + self._block.time[position]

    def _due_us(self, units: float) -> int:
        assert self._anchor_us is not None
        return self._anchor_us + int((units - self._anchor_units) * 1e6 / self._per_second) + 1

    def _peek_quote(self, position: int) -> tuple[int, int]:
        return self._block.bid[position], self._block.ask[position]
