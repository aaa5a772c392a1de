"""Instruments of the simulated market and the exact text of their prices and sizes.

What belongs here: tick and lot sizes, price levels, and the conversion between units and decimal text. What
does not: how prices move (`generator`) and how a venue writes an instrument (`okx.rest`).

Prices and sizes are integers everywhere inside the simulator: a price counts ticks of 10^-price_decimals of
the quote currency, a size counts lots of 10^-size_decimals of the base currency.
"""

from __future__ import annotations

import difflib
import zlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property

from streaming.errors import UnknownPairError

UNITS_LIMIT = 2**60


def decimal_text(units: int, decimals: int) -> str:
    """`units` of 10^-`decimals` as plain decimal text without trailing zeros: (837530, 1) is `83753`."""
    if units < 0:
        return "-" + decimal_text(-units, decimals)
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0") if rest else str(whole)


@dataclass(frozen=True)
class Instrument:
    """A spot pair: how fine its prices and sizes are, where it trades, and its share of all trades."""

    pair: str
    price_decimals: int
    size_decimals: int
    base_price: float
    """Level around which the generator moves the price, in the quote currency."""
    typical_size: float
    """Median size of a fill, in the base currency."""
    weight: float
    """Share of the trades, relative to the other instruments."""
    spread_ticks: int = 1

    @cached_property
    def base_currency(self) -> str:
        return self.pair.partition("-")[0]

    @cached_property
    def quote_currency(self) -> str:
        return self.pair.partition("-")[2]

    @cached_property
    def quote_decimals(self) -> int:
        """Decimals of price times size."""
        return self.price_decimals + self.size_decimals

    @cached_property
    def tick_size(self) -> str:
        return decimal_text(1, self.price_decimals)

    @cached_property
    def lot_size(self) -> str:
        return decimal_text(1, self.size_decimals)

    def price_text(self, ticks: int) -> str:
        return decimal_text(ticks, self.price_decimals)

    def size_text(self, lots: int) -> str:
        return decimal_text(lots, self.size_decimals)

    def price_ticks(self, text: str) -> int:
        """The ticks of a price given as text.

        Raises:
            ValueError: not a positive multiple of the tick size.
        """
        return _units(text, self.price_decimals, f"price of {self.pair}", self.tick_size)

    def size_lots(self, text: str) -> int:
        """The lots of a size given as text.

        Raises:
            ValueError: not a positive multiple of the lot size.
        """
        return _units(text, self.size_decimals, f"size of {self.pair}", self.lot_size)


def _units(text: str, decimals: int, what: str, step: str) -> int:
    try:
        units = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a {what}.") from None
    if not units.is_finite() or units <= 0 or units != units.to_integral_value() or units > UNITS_LIMIT:
        raise ValueError(f"{text!r} is not a {what}: it must be a positive multiple of {step}.")
    return int(units)


SEED_INSTRUMENTS = (
    Instrument("BTC-USDT", 1, 8, 83_750.0, 0.004, 0.36),
    Instrument("ETH-USDT", 2, 6, 3_120.0, 0.09, 0.26, 2),
    Instrument("SOL-USDT", 2, 6, 168.0, 1.6, 0.18),
    Instrument("BNB-USDT", 1, 6, 905.0, 0.3, 0.08),
    Instrument("XRP-USDT", 4, 6, 2.3150, 140.0, 0.12, 2),
)
"""Levels, ticks and lots close to the spot market's of autumn 2025."""


LISTED_BASES = frozenset(
    (
        *("AAVE", "ADA", "ALGO", "APT", "ARB", "ATOM", "AVAX", "BCH", "BNB", "BTC", "CRO", "DOGE", "DOT"),
        *("ENA", "ETC", "ETH", "FIL", "GRT", "HBAR", "ICP", "INJ", "JUP", "KAS", "LDO", "LINK", "LTC"),
        *("NEAR", "ONDO", "OP", "PEPE", "POL", "RENDER", "SAND", "SEI", "SHIB", "SOL", "STX", "SUI"),
        *("TAO", "TIA", "TON", "TRX", "UNI", "VET", "WIF", "WLD", "XLM", "XRP", "XTZ", "ZEC"),
    )
)
"""What can be traded against USDT. `SIM001` to `SIM999` are listed as well, for tests with many pairs."""


def is_listed(pair: str) -> bool:
    """Whether the simulated exchange has the pair."""
    base, _, quote = pair.partition("-")
    invented = base.startswith("SIM") and len(base) == 6 and base[3:].isdecimal() and base != "SIM000"
    return quote == "USDT" and (base in LISTED_BASES or invented)


def instrument_of(pair: str) -> Instrument:
    """The seed instrument of that name, or one whose level depends on the name alone.

    Raises:
        UnknownPairError: the simulated exchange does not have the pair.
    """
    if not is_listed(pair):
        near = difflib.get_close_matches(pair, [f"{base}-USDT" for base in sorted(LISTED_BASES)], n=3)
        raise UnknownPairError(
            f"CRYPTO_PAIRS names {pair}, which the simulated exchange does not have.",
            f"Did you mean {', '.join(near)}?"
            if near
            else "It has the usual names against USDT, as DOGE-USDT.",
        )
    for instrument in SEED_INSTRUMENTS:
        if instrument.pair == pair:
            return instrument
    draw = zlib.crc32(pair.encode()) / 2**32
    price = 10 ** (-1 + 3 * draw)
    decimals = 5 if price < 1 else 4 if price < 10 else 2
    return Instrument(pair, decimals, 6, price, 60.0 / price, 0.06)


def listed_pairs(count: int) -> list[str]:
    """The first `count` pairs that the simulated exchange lists: the five, the usual names, invented ones."""
    usual = [f"{base}-USDT" for base in sorted(LISTED_BASES)]
    invented = [f"SIM{number:03}-USDT" for number in range(1, 1000)]
    return list(dict.fromkeys([*(i.pair for i in SEED_INSTRUMENTS), *usual, *invented]))[:count]


def instruments_of(pairs: tuple[str, ...]) -> dict[str, Instrument]:
    """The five seed instruments and one for each further pair, by name."""
    names = dict.fromkeys([*(i.pair for i in SEED_INSTRUMENTS), *pairs])
    return {name: instrument_of(name) for name in names}
