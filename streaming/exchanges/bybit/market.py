"""One pair's ticker, put together from two topics: the statistics of a day and the best quotes.

What belongs here: the merge, on one connection. What does not: the frames around the rows (`session`).

Sources: https://bybit-exchange.github.io/docs/v5/websocket/public/ticker (spot: snapshots only, no quotes)
and /orderbook (level 1: a snapshot is repeated with the same `u` when three seconds bring no change; `u` 1 is
a snapshot after a restart of the service; in a delta, size 0 takes a level away).
"""

from __future__ import annotations

from streaming.errors import RecordError
from streaming.exchanges.bybit.messages import BookRow, TickerRow
from streaming.exchanges.decoding import price_or_none, quantity_or_none
from streaming.exchanges.events import TickerEvent

Level = tuple[str | None, str | None]
"""Price and size."""
_EMPTY: Level = (None, None)


class Market:
    """What is known of one pair since the connection began. A row that raises RecordError changes nothing."""

    def __init__(self, pair: str) -> None:
        self._pair = pair
        self._bid = self._ask = _EMPTY
        self._update_id: int | None = None
        self._prices: tuple[str | None, ...] = (None,) * 4
        self._volumes: tuple[str | None, ...] = (None,) * 2
        self._time_us = 0

    @property
    def quoted(self) -> bool:
        """Whether the quotes are known; until then an event would say that there are none."""
        return self._update_id is not None

    def ticker(self, row: TickerRow, time_us: int) -> None:
        """Take the statistics of a day."""
        prices = tuple(
            price_or_none(text, field)
            for text, field in (
                (row.last_price, "lastPrice"),
                (row.prev_price, "prevPrice24h"),
                (row.high_price, "highPrice24h"),
                (row.low_price, "lowPrice24h"),
            )
        )
        self._volumes = (
            quantity_or_none(row.volume, "volume24h"),
            quantity_or_none(row.turnover, "turnover24h"),
        )
        self._prices = prices
        self._time_us = max(self._time_us, time_us)

    def quotes(self, row: BookRow, time_us: int, *, is_delta: bool) -> bool:
        """Take the best quotes; False if they only repeat what is known."""
        if is_delta and self._update_id is None:
            raise RecordError("The book begins with a delta.")
        if row.update_id == self._update_id:
            return False
        bid = _best(row.bids, self._bid if is_delta else _EMPTY, "bid")
        ask = _best(row.asks, self._ask if is_delta else _EMPTY, "ask")
        self._bid, self._ask, self._update_id = bid, ask, row.update_id
        self._time_us = max(self._time_us, time_us)
        return True

    def event(self, receive_time_ns: int, *, is_snapshot: bool) -> TickerEvent:
        """The state now. Statistics that have not come yet are None."""
        last, opened, high, low = self._prices
        base_volume, quote_volume = self._volumes
        return TickerEvent(
            pair=self._pair,
            bid_price=self._bid[0],
            bid_size=self._bid[1],
            ask_price=self._ask[0],
            ask_size=self._ask[1],
            last_price=last,
            last_size=None,
            open_24h=opened,
            high_24h=high,
            low_24h=low,
            base_volume_24h=base_volume,
            quote_volume_24h=quote_volume,
            exchange_time_us=self._time_us,
            receive_time_ns=receive_time_ns,
            is_snapshot=is_snapshot,
        )


def _best(levels: list[tuple[str, str]], known: Level, side: str) -> Level:
    """The best level after a row: the last one that is there, the known one unless it was taken away."""
    best = known
    for price, size in levels:
        level = (price_or_none(price, f"{side} price"), quantity_or_none(size, f"{side} size"))
        if size.strip("0."):
            best = level
        elif price == best[0]:
            best = _EMPTY
    return best
