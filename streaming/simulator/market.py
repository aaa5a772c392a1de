"""The market core: numbers what its sources trade, keeps it, and tells one listener about it.

What belongs here: ids, tapes, tickers, pausing, and the faults that change what is traded or quoted (spike,
crossed, injected trades). What does not: sockets and faults of the wire (`hub`), any venue's text, and the
clock (`engine` passes the time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from streaming.simulator.candles import DAY_MINUTES, MINUTE_MS, Candle
from streaming.simulator.events import Fill, Quote, RawFill, Source
from streaming.simulator.instruments import Instrument
from streaming.simulator.journal import Journal
from streaming.simulator.tape import Tape

HISTORY_LIMIT = 5_000_000
"""Most trades kept, over all pairs."""
SUSPENDED_US = 1_000_000
"""A source this late was suspended with its process: the market stood still and goes on from now."""
UTC_PLUS_8_MS = 8 * 3_600_000
DAY_MS = DAY_MINUTES * MINUTE_MS


class ControlError(ValueError):
    """A control request cannot be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """The state of a pair: last trade, best quote, and the last 24 hours."""

    instrument: Instrument
    last: Fill
    quote: Quote | None
    day: Candle
    open_utc: int
    """First price since 00:00 UTC, ticks."""
    open_utc8: int
    """First price since 00:00 UTC+8, ticks."""
    time_ms: int


class Listener(Protocol):
    """Who is told what happens."""

    def on_fills(self, pair: str, fills: list[Fill]) -> None:
        """Consecutive fills, oldest first, already on the tape."""

    def on_ticker(self, pair: str, ticker: Ticker) -> None:
        """The ticker has changed; it has a quote."""


class Desk:
    """One pair: its source, its tape, its quote and the faults waiting for it."""

    def __init__(self, instrument: Instrument, source: Source, tape: Tape) -> None:
        self.instrument = instrument
        self.source = source
        self.tape = tape
        self.quote: Quote | None = None
        self.changed = False
        self.ticker_due_us = 0
        self.spikes = 0
        self.spike_factor = 1.0
        self.crossed = 0

    def number(self, raw: RawFill) -> Fill:
        """Give a raw fill its id and, during a spike, its price."""
        price = raw.price
        if self.spikes:
            self.spikes -= 1
            price = max(round(price * self.spike_factor), 1)
        return Fill(self.tape.next_id, raw.time_ms, price, raw.size, raw.sell, raw.continues)

    def refresh_quote(self, now_us: int) -> None:
        """Take the source's newest quote; during a `crossed` fault bid and ask change places."""
        quote = self.source.quote(now_us)
        if quote is None:
            return
        if self.crossed:
            self.crossed -= 1
            quote = Quote(quote.time_ms, quote.ask, quote.ask_size, quote.bid, quote.bid_size)
        self.quote = quote
        self.changed = True

    def ticker(self) -> Ticker | None:
        """The current state; None before the first trade."""
        last = self.tape.last
        if last is None:
            return None
        newest = max(last.time_ms, self.quote.time_ms) if self.quote else last.time_ms
        candles = self.tape.candles
        day = candles.last_day(newest)
        if day is None:
            return None
        utc = newest - newest % DAY_MS
        utc8 = newest - (newest + UTC_PLUS_8_MS) % DAY_MS
        return Ticker(
            self.instrument,
            last,
            self.quote,
            day,
            candles.open_since(utc, newest) or day.open,
            candles.open_since(utc8, newest) or day.open,
            newest,
        )


class Market:
    """All pairs.

    Args:
        instruments: by pair.
        sources: by pair.
        tickers_per_second: most tickers a second and pair; 0 for none.
        start_on_demand: sources start when a pair is first watched (replay) instead of at once.
        journal: where fills are kept across restarts; None for nowhere.
        history_limit: most trades kept in memory over all pairs.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        sources: Mapping[str, Source],
        *,
        tickers_per_second: float,
        start_on_demand: bool = False,
        journal: Journal | None = None,
        restored: Mapping[str, list[Fill]] | None = None,
        history_limit: int = HISTORY_LIMIT,
    ) -> None:
        self._start_on_demand = start_on_demand
        self._ticker_gap_us = round(1e6 / tickers_per_second) if tickers_per_second else None
        self._journal = journal
        self._paused_since_us: int | None = None
        self.listener: Listener | None = None
        self.desks: dict[str, Desk] = {}
        per_pair = max(history_limit // len(instruments), 1)
        for pair, instrument in instruments.items():
            old = (restored or {}).get(pair) or []
            tape = Tape(pair, old[0].trade_id if old else sources[pair].first_id, per_pair)
            tape.evicted = tape.first_id - sources[pair].first_id
            tape.extend(old)
            self.desks[pair] = Desk(instrument, sources[pair], tape)

    @property
    def paused(self) -> bool:
        return self._paused_since_us is not None

    @property
    def finished(self) -> bool:
        """Whether every source has ended, as a replay does."""
        return all(desk.source.finished() for desk in self.desks.values())

    def desk(self, pair: str) -> Desk:
        """The desk of a pair.

        Raises:
            ControlError: there is no such pair.
        """
        if pair not in self.desks:
            raise ControlError(f"There is no pair {pair!r}; there are {', '.join(self.desks)}.")
        return self.desks[pair]

    def open(self, now_us: int) -> None:
        """Start trading; in a replay each pair waits for `watch` instead."""
        if not self._start_on_demand:
            for desk in self.desks.values():
                desk.source.start(now_us)

    def watch(self, pair: str, now_us: int) -> None:
        """Somebody watches the trades of a pair from now on."""
        self.desks[pair].source.start(now_us if self._paused_since_us is None else self._paused_since_us)

    def advance(self, now_us: int) -> None:
        """Trade and quote everything that is due."""
        if self.paused:
            return
        for pair, desk in self.desks.items():
            due = desk.source.next_due_us()
            if due is not None and now_us - due > SUSPENDED_US:
                desk.source.shift(now_us - due)
            fills = []
            for raw in desk.source.take(now_us):
                fill = desk.number(raw)
                desk.tape.append(fill)
                fills.append(fill)
            self._traded(pair, desk, fills)
            self._tick(pair, desk, now_us)

    def next_due_us(self) -> int | None:
        """When `advance` has something to do again; None if only an outside event can change that."""
        if self.paused:
            return None
        nearest: int | None = None
        for desk in self.desks.values():
            due = desk.source.next_due_us()
            if self._ticker_gap_us and (desk.changed or (desk.source.quotes_move_alone and due is not None)):
                due = min(due, desk.ticker_due_us) if due is not None else desk.ticker_due_us
            if due is not None and (nearest is None or due < nearest):
                nearest = due
        return nearest

    def inject(self, pair: str, raw: RawFill) -> Fill:
        """Trade once outside the source's sequence, at once.

        Raises:
            ControlError: the pair's replay has not ended, so the recorded ids are still to come.
        """
        desk = self.desk(pair)
        if self._start_on_demand and not desk.source.finished():
            raise ControlError(f"The replay of {pair} has not ended; its recorded ids are still to come.")
        fill = Fill(desk.tape.next_id, *raw)
        desk.tape.append(fill)
        self._traded(pair, desk, [fill])
        return fill

    def pause(self, now_us: int) -> None:
        """Stop trading and quoting; time that passes until `resume` does not count."""
        if self._paused_since_us is None:
            self._paused_since_us = now_us

    def resume(self, now_us: int) -> None:
        if self._paused_since_us is not None:
            for desk in self.desks.values():
                desk.source.shift(now_us - self._paused_since_us)
            self._paused_since_us = None

    def set_rate(self, per_second: float, now_us: int) -> None:
        """Trade that often from now on, over all pairs, split by their weights."""
        total = sum(desk.instrument.weight for desk in self.desks.values())
        for desk in self.desks.values():
            desk.source.set_rate(per_second * desk.instrument.weight / total, now_us)

    @property
    def tickers_per_second(self) -> float:
        """Most tickers a second and pair."""
        return 1e6 / self._ticker_gap_us if self._ticker_gap_us else 0.0

    def set_tickers(self, per_second: float) -> None:
        """At most that many tickers a second and pair from now on; 0 for none."""
        self._ticker_gap_us = round(1e6 / per_second) if per_second else None
        for desk in self.desks.values():
            desk.ticker_due_us = 0

    def _traded(self, pair: str, desk: Desk, fills: list[Fill]) -> None:
        if not fills:
            return
        desk.changed = True
        if self._journal is not None:
            self._journal.append(pair, fills)
        if self.listener is not None:
            self.listener.on_fills(pair, fills)

    def _tick(self, pair: str, desk: Desk, now_us: int) -> None:
        if not desk.source.quotes_move_alone:
            desk.refresh_quote(now_us)
        if self._ticker_gap_us is None or now_us < desk.ticker_due_us:
            return
        if desk.source.quotes_move_alone:
            desk.refresh_quote(now_us)
        if not desk.changed:
            return
        desk.changed = False
        # Slots are multiples of the gap, so that all pairs share one wake-up.
        desk.ticker_due_us = (now_us // self._ticker_gap_us + 1) * self._ticker_gap_us
        ticker = desk.ticker()
        if ticker is not None and ticker.quote is not None and self.listener is not None:
            self.listener.on_ticker(pair, ticker)
