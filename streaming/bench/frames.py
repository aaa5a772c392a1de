"""Frames of OKX's `trades-all`, made by the thousand: bytes prepared once, ids and times written over them.

What belongs here: the bytes of one WebSocket message a trade. What does not: sockets and pace (`feed`).

A block holds `BLOCK` whole frames in a row in one array. Prices (a random walk), sizes, sides and the order
of pairs are drawn once and repeat with every block; ids, which never repeat, and times are written as digits
at known places, for all frames of a block at once. So a frame costs a fraction of a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 4_000
FIRST_ID: Final = 1_000_000_000
_ID_DIGITS: Final = 10
_TIME_DIGITS: Final = 13
_SEED: Final = 7
_STEP: Final = 0.0001
START_PRICES: Final[Mapping[str, float]] = {
    "BTC-USDT": 83_000.0,
    "ETH-USDT": 2_900.0,
    "SOL-USDT": 140.0,
    "BNB-USDT": 860.0,
    "XRP-USDT": 2.1,
}
"""Where each pair's walk begins; it only has to look like a price."""
_OTHER_PRICE: Final = 10.0

FRAME_SHAPE: Final = "one trade per WebSocket text frame, as OKX's trades-all sends it"


class TradeFrames:
    """An endless tape: `take(n)` is the next `n` frames. Every pair gets an equal share, in a shuffled order.

    Args:
        pairs: their names at the exchange.
        first_ids: the id each pair begins with, ten digits; default `FIRST_ID`.
    """

    def __init__(self, pairs: Sequence[str], first_ids: Mapping[str, int] | None = None) -> None:
        self.pairs = tuple(pairs)
        self._first = np.array([(first_ids or {}).get(pair, FIRST_ID) for pair in pairs], dtype=np.int64)
        generator = np.random.default_rng(_SEED)
        self._pair_of = np.resize(np.arange(len(pairs)), BLOCK)
        generator.shuffle(self._pair_of)
        frames, id_places, time_places = self._template(generator)
        lengths = np.array([len(frame) for frame in frames])
        self._begins = np.concatenate(([0], np.cumsum(lengths)))
        starts = self._begins[:-1, None]
        self._bytes: NDArray[np.uint8] = np.frombuffer(b"".join(frames), dtype=np.uint8).copy()
        self._id_places = np.array(id_places)[:, None] + np.arange(_ID_DIGITS) + starts
        self._time_places = np.array(time_places)[:, None] + np.arange(_TIME_DIGITS) + starts
        # How many trades of its own pair stand before each frame of the block.
        self._rank = np.zeros(BLOCK, dtype=np.int64)
        for index in range(len(pairs)):
            mine = self._pair_of == index
            self._rank[mine] = np.arange(mine.sum())
        self._per_block = np.bincount(self._pair_of, minlength=len(pairs)).astype(np.int64)
        self._powers = 10 ** np.arange(_ID_DIGITS - 1, -1, -1, dtype=np.int64)
        self._cursor = 0
        self._done_before = np.zeros(len(pairs), dtype=np.int64)

    def _template(self, generator: np.random.Generator) -> tuple[list[bytes], list[int], list[int]]:
        prices = {pair: START_PRICES.get(pair, _OTHER_PRICE) for pair in self.pairs}
        frames: list[bytes] = []
        id_places: list[int] = []
        time_places: list[int] = []
        for index in self._pair_of:
            pair = self.pairs[index]
            prices[pair] *= 1 + _STEP * generator.standard_normal()
            size = f"{generator.lognormal(-4, 1.5) + 1e-8:.8f}".rstrip("0").rstrip(".")
            side = "sell" if generator.random() < 0.5 else "buy"
            head = f'{{"arg":{{"channel":"trades-all","instId":"{pair}"}},"data":[{{"instId":"{pair}",'
            head += '"tradeId":"'
            middle = f'","px":"{prices[pair]:.4f}","sz":"{size}","side":"{side}","source":"0","ts":"'
            text = f'{head}{"0" * _ID_DIGITS}{middle}{"0" * _TIME_DIGITS}"}}]}}'.encode()
            prefix = b"\x81" + (
                bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
            )
            frames.append(prefix + text)
            id_places.append(len(prefix) + len(head))
            time_places.append(id_places[-1] + _ID_DIGITS + len(middle))
        return frames, id_places, time_places

    def take(self, count: int, time_ms: int) -> tuple[memoryview, int]:
        """Up to `count` frames, as far as the block reaches, and how many they are.

        The bytes are valid until the next call.
        """
        begin = self._cursor
        end = min(begin + count, BLOCK)
        pairs = self._pair_of[begin:end]
        ids = self._first[pairs] + self._done_before[pairs] + self._rank[begin:end]
        digits = ids[:, None] // self._powers % 10 + ord("0")
        self._bytes[self._id_places[begin:end]] = digits
        self._bytes[self._time_places[begin:end]] = np.frombuffer(b"%013d" % time_ms, dtype=np.uint8)
        self._cursor = end
        if end == BLOCK:
            self._cursor = 0
            self._done_before += self._per_block
        return self._bytes[self._begins[begin] : self._begins[end]].data, end - begin

    def ranges(self) -> dict[str, tuple[int, int]]:
        """For each pair the first id and the id after the last that was taken."""
        taken = self._done_before + np.bincount(self._pair_of[: self._cursor], minlength=len(self.pairs))
        return {
            pair: (int(first), int(first + count))
            for pair, first, count in zip(self.pairs, self._first, taken, strict=True)
        }
