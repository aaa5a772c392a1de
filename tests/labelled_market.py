"""A market with known anomalies: what is sent when, and what a good detector must, may and must not say.

What belongs here: the background, the injections and their labels, and the score card. What does not:
sending it and reading the findings (`tests.integration.test_anomalies`).

The labels come from what was injected, never from a rule's formula. Each injection says which rules must
find it and which others may (a print far outside of the quote is also a spike); any other finding is a false
one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streaming.simulator.generator import BLOCK, make_block
from streaming.simulator.instruments import instrument_of
from streaming.simulator.recording import PRICE_DECIMALS, SIZE_DECIMALS, read_recording

TRADE_RULES = ("price_spike", "trade_outlier", "outside_quote")
RULES = (*TRADE_RULES, "crossed_quote", "wide_spread", "volume_burst", "stale_feed", "venue_deviation")
VENUES = ("OKX_SIM", "BINANCE_SIM", "BYBIT_SIM", "KRAKEN_SIM")
SECONDS = 46.0
"""Length of the set."""
LEAD_S = 0.25
"""How long before a trade the quote it belongs to is sent, so that it is there first."""
WARM_UP_S = 10.0
"""Nothing is injected before every trailing window has its history."""


@dataclass(slots=True)
class Event:
    """A trade or a quote of one feed at a time in seconds from the set's beginning. Prices in ticks."""

    at: float
    exchange: str
    pair: str
    kind: Literal["trade", "quote"]
    price: float = 0.0
    size: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Episode:
    """Something about a whole feed: the rule must find it at least once between two times (s)."""

    exchange: str
    pair: str
    rule: str
    begin: float
    end: float


@dataclass(slots=True)
class LabelledMarket:
    """The events in order of time, and what is to be found in them."""

    events: list[Event] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)


def build(recordings: Path | None, seed: int = 11) -> LabelledMarket:
    """The whole set, the same for the same seed; without recordings BTC-USDT is generated like the others."""
    chance = random.Random(seed)
    market = LabelledMarket()
    bitcoin = _recorded(recordings) if recordings else _generated("BTC-USDT", seed)
    feeds = [bitcoin, *(_generated(pair, seed) for pair in ("ETH-USDT", "SOL-USDT"))]
    for feed in feeds:
        _jumps(feed, chance)
        _prints(feed, chance)
        _crossed_and_wide(feed, chance)
    for feed in feeds[1:]:
        market.episodes += _bursts(feed, chance)
    for feed in feeds:
        market.events += feed
    events, episodes = _venues(chance, seed)
    market.events += events
    market.episodes += episodes
    events, episodes = _heartbeats(chance)
    market.events += events
    market.episodes += episodes
    market.events.sort(key=lambda event: event.at)
    numbers: dict[tuple[str, str, str], int] = {}
    for event in market.events:
        key = (event.exchange, event.pair, event.kind)
        event.number = numbers[key] = numbers.get(key, 0) + 1
    return market


def _recorded(folder: Path) -> list[Event]:
    """The real trades and quotes of BTC-USDT."""
    recording = read_recording(folder, "BTC-USDT")
    start_ms = min(recording.trades[0].time_ms, recording.quotes[0].time_ms)
    events = [
        Event((q.time_ms - start_ms) / 1000, VENUES[0], "BTC-USDT", "quote", bid=q.bid, ask=q.ask)
        for q in recording.quotes
    ]
    events += [
        Event((t.time_ms - start_ms) / 1000, VENUES[0], "BTC-USDT", "trade", price=t.price, size=t.size)
        for t in recording.trades
    ]
    return sorted((e for e in events if e.at < SECONDS), key=lambda event: event.at)


def _generated(pair: str, seed: int, per_second: float = 25.0) -> list[Event]:
    """Trades of the seeded generator, and its quotes every tenth of a second."""
    instrument = instrument_of(pair)
    events: list[Event] = []
    for number, block in enumerate(
        make_block(seed, instrument, n) for n in range(int(SECONDS * per_second) // BLOCK + 1)
    ):
        due = -1.0
        for n in range(BLOCK):
            at = (number * BLOCK + block.time[n]) / per_second
            if at > due:
                events.append(Event(at, VENUES[0], pair, "quote", bid=block.bid[n], ask=block.ask[n]))
                due = at + 0.1
            events.append(
                Event(at + LEAD_S, VENUES[0], pair, "trade", price=block.price[n], size=block.size[n])
            )
    return sorted((e for e in events if e.at < SECONDS), key=lambda event: event.at)


def _jumps(feed: list[Event], chance: random.Random) -> None:
    """The market really moves by 0.3 to 2 %: every price and quote from then on. Nothing is to be found.

    The quote moves a few hundredths of a second before the first trade does, but for one jump: there the
    trade comes first, which no rule that answers at once can tell from an error.
    """
    for number, at in enumerate(_times(chance, 4, WARM_UP_S, SECONDS - 4)):
        factor = 1 + chance.choice((-1, 1)) * chance.uniform(0.003, 0.02)
        for event in feed:
            if event.at >= at:
                _scale(event, factor)
        first = next(e for e in feed if e.kind == "trade" and e.at >= at)
        quote = next(e for e in feed if e.kind == "quote" and e.at >= at)
        trade_first = number == 3 and first.pair == "SOL-USDT"
        quote.at = first.at + 0.03 if trade_first else at
        for event in feed:
            is_early = event.kind == "trade" and at <= event.at < quote.at + LEAD_S
            if is_early and not (trade_first and event is first):
                event.at = quote.at + LEAD_S
        feed.sort(key=lambda event: event.at)


def _prints(feed: list[Event], chance: random.Random) -> None:
    """Prints off the market: far off, clearly outside the quote, and just outside (nothing to find)."""
    for at in _times(chance, 14, WARM_UP_S, SECONDS - 3):
        trade = _next(feed, "trade", at)
        trade.price *= 1 + chance.choice((-1, 1)) * chance.choice((0.005, 0.01, 0.02, 0.05, 0.3))
        trade.must = frozenset(TRADE_RULES)
    for at in _times(chance, 10, WARM_UP_S, SECONDS - 3):
        trade, quote = _next(feed, "trade", at), _quote_before(feed, at)
        sign = chance.choice((-1, 1))
        trade.price = (quote.ask if sign > 0 else quote.bid) * (1 + sign * chance.uniform(0.0020, 0.0035))
        trade.must, trade.may = frozenset({"outside_quote"}), frozenset(TRADE_RULES)
    for at in _times(chance, 12, WARM_UP_S, SECONDS - 3):
        trade, quote = _next(feed, "trade", at), _quote_before(feed, at)
        sign = chance.choice((-1, 1))
        trade.price = (quote.ask if sign > 0 else quote.bid) * (1 + sign * chance.uniform(0.0001, 0.0004))


def _crossed_and_wide(feed: list[Event], chance: random.Random) -> None:
    """Crossed and locked books, spreads of 0.4 to 3 %, and spreads a little wider than usual (nothing)."""
    for number, at in enumerate(_times(chance, 12, WARM_UP_S, SECONDS - 3)):
        quote = _harmless_quote(feed, at)
        quote.bid, quote.ask = (quote.ask, quote.bid) if number % 3 else (quote.bid, quote.bid)
        quote.must = frozenset({"crossed_quote"})
    for at in _times(chance, 10, WARM_UP_S, SECONDS - 3):
        quote = _harmless_quote(feed, at)
        half = chance.uniform(0.002, 0.015)
        quote.bid, quote.ask = quote.bid * (1 - half), quote.ask * (1 + half)
        quote.must = frozenset({"wide_spread"})
    for at in _times(chance, 8, WARM_UP_S, SECONDS - 3):
        quote = _next(feed, "quote", at)
        quote.bid, quote.ask = quote.bid * 0.99995, quote.ask * 1.00005


def _bursts(feed: list[Event], chance: random.Random) -> list[Episode]:
    """Twenty-five trades within 0.12 s, each many times the usual size, at the price of the trade before."""
    episodes, added = [], []
    ordinary = sorted(e.size for e in feed if e.kind == "trade")
    typical = ordinary[len(ordinary) // 2]
    for at in _times(chance, 6, WARM_UP_S, SECONDS - 3):
        model = _next(feed, "trade", at)
        if model.must:
            model = next(e for e in feed if e.kind == "trade" and e.at > model.at and not e.must)
        for n in range(25):
            size = typical * chance.uniform(150, 400)
            added.append(
                Event(model.at + 0.12 * n / 25, model.exchange, model.pair, "trade", model.price, size)
            )
        episodes.append(Episode(model.exchange, model.pair, "volume_burst", model.at - 0.3, model.at + 1.0))
    feed += added
    feed.sort(key=lambda event: event.at)
    return episodes


def _venues(chance: random.Random, seed: int) -> tuple[list[Event], list[Episode]]:
    """XRP-USDT on four exchanges that quote within 2 bp of each other; at times one of them leaves for 1.2 s.

    Twice all of them jump together, at most 0.06 s apart: nothing is to be found.
    """
    events: list[Event] = []
    path = [e for e in _generated("XRP-USDT", seed, 10.0) if e.kind == "quote"]
    jumps = [(14.0, 1.012), (29.0, 0.985)]
    away = [
        (at, chance.choice(VENUES), 1 + chance.choice((-1, 1)) * chance.uniform(0.003, 0.01))
        for at in _spread(WARM_UP_S, SECONDS - 4, 12)
    ]
    episodes = [Episode(venue, "XRP-USDT", "venue_deviation", at - 0.1, at + 2.2) for at, venue, _ in away]
    for index, venue in enumerate(VENUES):
        for quote in path:
            at = quote.at + 0.02 * index
            factor = 1 + chance.uniform(-1e-4, 1e-4)
            for when, jump in jumps:
                factor *= jump if quote.at >= when else 1.0
            for when, who, offset in away:
                factor *= offset if who == venue and when <= quote.at < when + 1.2 else 1.0
            events.append(
                Event(
                    at,
                    venue,
                    "XRP-USDT",
                    "quote",
                    bid=round(quote.bid * factor),
                    ask=round(quote.bid * factor) + 2,
                )
            )
    return events, episodes


def _heartbeats(chance: random.Random) -> tuple[list[Event], list[Episode]]:
    """BNB-USDT ten times a second on four exchanges, each silent for 4 s at times; pauses; a slow feed."""
    events: list[Event] = []
    episodes = []
    for index, venue in enumerate(VENUES):
        silences = [(WARM_UP_S + 2.0 * index + 9.0 * n, 4.0) for n in range(3)]
        pauses = [(begin + 6.0, 0.7) for begin, _ in silences]
        episodes += [
            Episode(venue, "BNB-USDT", "stale_feed", begin - 0.5, begin + 5.5) for begin, _ in silences
        ]
        for n in range(int(SECONDS * 10)):
            at = n / 10 + chance.uniform(0, 0.02)
            if not any(begin <= at < begin + length for begin, length in silences + pauses):
                bid = 9050 + chance.randint(-1, 1)
                events.append(Event(at, venue, "BNB-USDT", "quote", bid=bid, ask=bid + 1))
    slow = [n * 0.8 for n in range(int(SECONDS / 0.8)) if not 20 <= n * 0.8 < 25]
    events += [Event(at, "COINBASE_SIM", "BNB-USDT", "quote", bid=9050, ask=9051) for at in slow]
    return events, episodes


def _times(chance: random.Random, count: int, begin: float, end: float) -> Iterator[float]:
    """`count` times, one in each of as many equal parts, so that injections of a kind stay apart."""
    for at in _spread(begin, end, count):
        yield at + chance.uniform(0.1, 0.7) * (end - begin) / count


def _spread(begin: float, end: float, count: int) -> list[float]:
    return [begin + (end - begin) * n / count for n in range(count)]


def _next(feed: Sequence[Event], kind: str, at: float) -> Event:
    """The first event of a kind from `at` on that has no label yet, and whose neighbours have none."""
    found = [e for e in feed if e.kind == kind]
    return next(
        event
        for before, event, after in zip(found, found[1:], found[2:], strict=False)
        if event.at >= at and not (before.must or event.must or after.must)
    )


def _harmless_quote(feed: Sequence[Event], at: float) -> Event:
    """A quote in whose time no labelled print falls: what is outside of a wrong quote cannot be said."""
    while True:
        quote = _next(feed, "quote", at)
        if not any(e.must for e in feed if e.kind == "trade" and quote.at - 0.2 <= e.at <= quote.at + 0.5):
            return quote
        at = quote.at + 0.01


def _quote_before(feed: Sequence[Event], at: float) -> Event:
    return [e for e in feed if e.kind == "quote" and e.at <= at and not e.must][-1]


def _scale(event: Event, factor: float) -> None:
    event.price = float(round(event.price * factor))
    spread = max(1, round((event.ask - event.bid) * factor))
    event.bid = float(round(event.bid * factor))
    event.ask = event.bid + spread


def decimals(pair: str) -> tuple[int, int]:
    """Decimals of the pair's prices and sizes; the recorded pair has its own."""
    if pair == "BTC-USDT":
        return PRICE_DECIMALS, SIZE_DECIMALS
    found = instrument_of(pair)
    return found.price_decimals, found.size_decimals


@dataclass(slots=True)
class Score:
    """How one rule did."""

    found: int = 0
    missed: int = 0
    false: int = 0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


def table(scores: dict[str, Score]) -> str:
    """The score card as text, the sum of all rules last."""
    total = Score(*(sum(getattr(s, name) for s in scores.values()) for name in ("found", "missed", "false")))
    lines = [f"{'rule':<16} found missed false precision recall"]
    for name, score in [*scores.items(), ("all", total)]:
        lines.append(
            f"{name:<16} {score.found:>5} {score.missed:>6} {score.false:>5} "
            f"{score.precision:>9.3f} {score.recall:>6.3f}"
        )
    return "\n".join(lines)


def grade(
    market: LabelledMarket, findings: Iterable[tuple[str, str, str, str, int, float]]
) -> dict[str, Score]:
    """Compare findings with labels.

    Args:
        market: the set.
        findings: (rule, exchange, pair, kind of subject, number of the event or 0, time in s) of each
        finding.
    """
    scores = {rule: Score() for rule in RULES}
    events = {(e.exchange, e.pair, e.kind, e.number): e for e in market.events}
    seen: set[object] = set()
    for rule, exchange, pair, kind, number, at in findings:
        episode = next(
            (
                e
                for e in market.episodes
                if (e.exchange, e.pair, e.rule) == (exchange, pair, rule) and e.begin <= at <= e.end
            ),
            None,
        )
        event = events.get((exchange, pair, kind, number))
        if episode is not None:
            seen.add(episode)
        elif event is not None and rule in event.must:
            seen.add((rule, exchange, pair, kind, number))
        elif event is None or rule not in event.may:
            scores[rule].false += 1
    for e in market.events:
        for rule in e.must:
            hit = (rule, e.exchange, e.pair, e.kind, e.number) in seen
            scores[rule].found += hit
            scores[rule].missed += not hit
    for episode in market.episodes:
        scores[episode.rule].found += episode in seen
        scores[episode.rule].missed += episode not in seen
    return scores
