"""Messages for measuring Flink: trades and tickers that cost a microsecond each.

What belongs here: their bytes. What does not: sending and timing them (`flink_line`).

The text of each message is a template made once by the record's own encoder; ids and times are written into
it in place of numbers of the same length. Prices wander by a tick around a quote that moves along, so that
every rule has work and none has anything to say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from streaming import records
from streaming.records import Ticker, Trade

EXCHANGE: Final = "BENCH" + records.SIMULATED_SUFFIX
FIRST_ID: Final = 1_000_000_000
TICKER_EVERY: Final = 5
"""One message in five is a ticker."""
_SHAPES: Final = 512
_ID: Final = str(FIRST_ID).encode()
_TIME_US: Final = 1_111_111_111_111_111
_TIME_NS: Final = 2_222_222_222_222_222_222


class Messages:
    """An endless line of messages over the given pairs; every pair has its own ids and sequence numbers."""

    def __init__(self, pairs: Sequence[str], seed: int = 5) -> None:
        chance = random.Random(seed)
        self._shapes = [(pair, [self._template(pair, n, chance) for n in range(_SHAPES)]) for pair in pairs]
        self._count = 0

    def _template(self, pair: str, n: int, chance: random.Random) -> tuple[bool, tuple[bytes, ...]]:
        """Whether the n-th message of a pair is a ticker, and its bytes around id, time, time and
        sequence."""
        ticks = 5_000_000 + 40 * abs(n - _SHAPES // 2) // 8
        is_ticker = n % TICKER_EVERY == 0
        origin: dict[str, Any] = {
            "exchange": EXCHANGE,
            "pair": pair,
            "exchange_time_us": _TIME_US,
            "receive_time_ns": _TIME_NS,
            "producer_id": "bench",
            "producer_epoch": 1,
            "seq": FIRST_ID,
            "source": "ws",
            "simulated": True,
        }
        if is_ticker:
            text = records.encode(
                Ticker(
                    **origin,
                    bid_price=f"{(ticks - 1) / 100:.2f}",
                    bid_size="1.25",
                    ask_price=f"{(ticks + 1) / 100:.2f}",
                    ask_size="0.75",
                    last_price=f"{ticks / 100:.2f}",
                    last_size="0.01",
                    open_24h="49000.00",
                    high_24h="51000.00",
                    low_24h="48000.00",
                    base_volume_24h="12345.678",
                    quote_volume_24h="617283900.12",
                )
            )
        else:
            text = records.encode(
                Trade(
                    **origin,
                    first_id=FIRST_ID,
                    trade_id=FIRST_ID,
                    count=1,
                    price=f"{(ticks + chance.randint(-1, 1)) / 100:.2f}",
                    size=f"{chance.randint(1, 99_999) / 100_000:.5f}",
                    side=chance.choice(("buy", "sell")),
                )
            )
        marks = (str(_TIME_US).encode(), str(_TIME_NS).encode())
        before, _, rest = text.partition(marks[0])
        middle, _, after = rest.partition(marks[1])
        return is_ticker, (before, middle, after)

    def next(self, exchange_time_us: int, receive_time_ns: int) -> tuple[bool, str, bytes]:
        """The next message: whether it is a ticker, its pair, its bytes."""
        turn, which = divmod(self._count, len(self._shapes))
        self._count += 1
        pair, shapes = self._shapes[which]
        is_ticker, (before, middle, after) = shapes[turn % _SHAPES]
        number = b"%d" % (FIRST_ID + turn)
        times = b"%s%d%s%d%s" % (before, exchange_time_us, middle, receive_time_ns, after)
        return is_ticker, pair, times.replace(_ID, number)
