"""OKX's instruments: names of spot markets and which of them trade.

What belongs here: pair ↔ symbol and the instruments list. What does not: derivatives, whose names cannot
be split into currencies and whose sizes are contracts.

Source: https://www.okx.com/docs-v5/en/ > Public Data > REST > Get instruments.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.venue import Instrument

LIVE: Final = "live"


class InstrumentRow(msgspec.Struct, rename="camel"):
    """One row of the list. Many more fields exist; they are empty or not needed for spot data."""

    inst_id: str
    state: str = ""


def symbol_of(pair: str) -> str:
    """OKX's name of a spot pair; it is the platform's own spelling, BASE-QUOTE."""
    return pair


def pair_of(symbol: str) -> str:
    """The pair of a spot instrument."""
    return symbol


def instrument(row: InstrumentRow) -> Instrument:
    """One market; only the state `live` trades (others: suspend, preopen, post_only, rebase, test)."""
    return Instrument(pair_of(row.inst_id), row.state == LIVE, row.state)
