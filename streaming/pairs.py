"""Which pairs are read, and on which partition each lies.

What belongs here: the choice as a user writes it, and the rules of placement, as pure functions. What does
not: where placements are kept (`streaming.pair_registry`), what an exchange lists (`streaming.exchanges`).

Rules of placement:

1. The five first pairs have partitions of their own, for good.
2. A pair that was ever placed keeps its partition, on every exchange.
3. A new pair takes the partition that the configuration names for it, or else the first one after the five
   that has room; when none has, the topics grow by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streaming.errors import SettingsError
from streaming.topics import SEED_PARTITIONS

ALL: Final = "all-"
PAIRS_PER_PARTITION: Final = 16
"""A partition costs every broker files and every reader a fetch, a quiet pair needs next to none of it:
hundreds of pairs share a few dozen partitions."""
PARTITION_MAX: Final = 9_999
"""More than that is a typing error."""


@dataclass(frozen=True, slots=True)
class PairChoice:
    """What CRYPTO_PAIRS asks for.

    `named` holds the pairs by name, in their order, each with the partition it asks for (None: no matter
    which). `quotes` are the currencies against which every live pair is read (`all-usdt`).
    """

    named: Mapping[str, int | None]
    quotes: tuple[str, ...] = ()

    def of(self, live: Iterable[str]) -> tuple[str, ...]:
        """The named pairs, then by name those of `live` that a quote currency covers."""
        covered = sorted(pair for pair in live if pair.partition("-")[2] in self.quotes)
        return tuple(dict.fromkeys([*self.named, *covered]))


def parse(text: str) -> PairChoice:
    """Read `BTC-USDT,DOGE-USDT:5,all-usdc`.

    Raises:
        SettingsError: an entry is no pair and no `all-<currency>`, stands twice, or asks for a partition
            that it cannot have.
    """
    named: dict[str, int | None] = {}
    quotes: list[str] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        if entry.lower().startswith(ALL):
            quote = entry[len(ALL) :].upper()
            if not (quote.isalnum() and quote.isascii()):
                raise SettingsError(
                    f"CRYPTO_PAIRS has {entry!r}, which names no currency.", "Write for example all-usdt."
                )
            quotes.append(quote)
            continue
        pair, colon, partition = entry.partition(":")
        base, dash, quote = pair.partition("-")
        well_formed = dash and base.isalnum() and quote.isalnum() and pair == pair.upper() and pair.isascii()
        number = partition.isascii() and partition.isdecimal() and int(partition[:6]) <= PARTITION_MAX
        if not well_formed or (colon and not number):
            raise SettingsError(
                f"CRYPTO_PAIRS has {entry!r}, which is not a pair.",
                "Write BASE-QUOTE, for example BTC-USDT, or all-usdt for every pair of that currency.",
            )
        if pair in named:
            raise SettingsError(f"CRYPTO_PAIRS names {pair} twice.", "Name each pair once.")
        named[pair] = int(partition) if colon else None
    if not named and not quotes:
        raise SettingsError("CRYPTO_PAIRS is empty.", "Name at least one pair, for example BTC-USDT.")
    choice = PairChoice(named, tuple(dict.fromkeys(quotes)))
    place(tuple(named), choice, {})
    return choice


def place(pairs: Sequence[str], choice: PairChoice, known: Mapping[str, int]) -> dict[str, int]:
    """The partition of each of `pairs`, in their order.

    Args:
        pairs: what is to be read.
        choice: asks for partitions of pairs that have none yet.
        known: every placement ever made, apart from the first five.

    Raises:
        SettingsError: the configuration asks for a partition that belongs to others, or contradicts `known`.
    """
    fixed = dict(known) | SEED_PARTITIONS
    load = Counter(fixed.values())
    taken_by = {partition: pair for pair, partition in SEED_PARTITIONS.items()}
    placed: dict[str, int] = {}
    for pair in pairs:
        wanted = choice.named.get(pair)
        if pair in fixed:
            if wanted is not None and wanted != fixed[pair]:
                raise SettingsError(
                    f"CRYPTO_PAIRS places {pair} on partition {wanted}, but it is on {fixed[pair]} for good.",
                    f"Write {pair} or {pair}:{fixed[pair]}.",
                )
            placed[pair] = fixed[pair]
        elif wanted is not None:
            if wanted in taken_by:
                raise SettingsError(
                    f"CRYPTO_PAIRS places {pair} on partition {wanted}, which belongs to {taken_by[wanted]}.",
                    f"Use another one, or write {pair} and let the platform choose.",
                )
            taken_by[wanted] = pair
            placed[pair] = wanted
            load[wanted] += 1
    for pair in pairs:
        if pair not in placed:
            placed[pair] = _roomy(load)
            load[placed[pair]] += 1
    return {pair: placed[pair] for pair in pairs}


def _roomy(load: Mapping[int, int]) -> int:
    partition = len(SEED_PARTITIONS)
    while load.get(partition, 0) >= PAIRS_PER_PARTITION:
        partition += 1
    return partition


def partition_count(placed: Mapping[str, int]) -> int:
    """Partitions every topic needs: up to the highest one used, and never fewer than the first five."""
    return max([*SEED_PARTITIONS.values(), *placed.values()]) + 1
