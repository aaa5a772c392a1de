"""What venues share when they take frames apart: what decoding may raise, what becomes of a frame that cannot
be read, and the forms in which numbers, times and trades come.

What belongs here: these small rules. What does not: any venue's shapes
(`streaming.exchanges.<venue>.messages`) or the data contract itself (`streaming.records`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.events import BadFrame, TradeEvent, Unknown
from streaming.records import Side, decimal_text, price_text, size_text

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding any bytes may raise; RecursionError is what absurdly nested JSON ends in."""

BIGINT_MAX: Final = 2**63 - 1
TradeId = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)]
"""A trade id that is a JSON number."""
TimeMs = Annotated[int, msgspec.Meta(ge=10**12, lt=10**13)]
"""Milliseconds of the years 2001 to 2286, a JSON number: a time in another unit does not pass."""
_SHOWN: Final = 2000
_EXPONENT_MAX: Final = 30
_MS_DIGITS: Final = 13


def bad_frame(data: bytes, reason: str, pair: str | None, receive_time_ns: int) -> BadFrame:
    """A frame, or one row of it, for the dead letters."""
    return BadFrame(data.decode("utf-8", "replace"), reason, pair, receive_time_ns)


def unknown(data: bytes) -> Unknown:
    """A well-formed message without a rule, for the log."""
    return Unknown(data[:_SHOWN].decode("utf-8", "replace"))


def same_symbol(symbol: str, wanted: str) -> None:
    """Raises RecordError unless a row is about what its push or its request is about."""
    if symbol != wanted:
        raise RecordError(f"symbol {symbol[:80]!r} is not {wanted[:80]!r}, which was asked for.")


def integer(text: str, field: str) -> int:
    """A whole number of at most 63 bits, written as a string. Raises RecordError, which names `field`."""
    if not (text.isdecimal() and text.isascii() and len(text) <= 19):
        raise RecordError(f"{field} {text[:80]!r} is not a whole number.")
    value = int(text)
    if value > BIGINT_MAX:
        raise RecordError(f"{field} {text!r} does not fit 64 bits.")
    return value


def number_text(raw: msgspec.Raw, field: str) -> str:
    """The exchange's own text of a JSON number; one with an exponent is written out, by exact arithmetic.

    What is no number comes back as it is, or raises RecordError.
    """
    text = str(raw, "utf-8", "replace")
    if "e" not in text and "E" not in text:
        return text
    try:
        value = msgspec.json.decode(raw, type=Decimal)
    except UNREADABLE:
        raise RecordError(f"{field} {text[:80]!r} is not a number.") from None
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX:
        raise RecordError(f"{field} {text[:80]!r} is out of range.")
    return format(value, "f")


def us_of_ms(milliseconds: int, field: str) -> int:
    """Microseconds since the epoch, from milliseconds of the years 2001 to 2286. Raises RecordError."""
    if not 10**12 <= milliseconds < 10**13:
        raise RecordError(f"{field} {str(milliseconds)[:80]} is not a time in milliseconds.")
    return milliseconds * 1000


def us_of_ms_text(text: str, field: str) -> int:
    """The same from milliseconds written as a string. Raises RecordError."""
    if len(text) != _MS_DIGITS or text[0] == "0" or not (text.isdecimal() and text.isascii()):
        raise RecordError(f"{field} {text[:80]!r} is not a time in milliseconds.")
    return int(text) * 1000


def fill(
    pair: str,
    trade_id: int,
    price: str,
    size: str,
    side: Side,
    exchange_time_us: int,
    receive_time_ns: int,
    *,
    is_snapshot: bool = False,
) -> TradeEvent:
    """A trade that is one fill with an id of its own. Raises RecordError when price or size are not positive
    decimals that fit the data contract."""
    return TradeEvent(
        pair,
        trade_id,
        trade_id,
        1,
        price_text(price),
        size_text(size),
        side,
        exchange_time_us,
        receive_time_ns,
        is_snapshot,
    )


def price_or_none(text: str, field: str) -> str | None:
    """A price as the exchange wrote it; empty or zero is how exchanges say that there is none.

    Raises:
        RecordError: not a plain decimal, or too wide; the message names `field`.
    """
    if not text:
        return None
    value = decimal_text(text, field, allow_zero=True)
    return value if value.strip("0.") else None


def quantity_or_none(text: str, field: str) -> str | None:
    """A size or a volume of 24 hours, which may be zero; empty is None. Raises RecordError."""
    if not text:
        return None
    return decimal_text(text, field, integer_digits=20, scale=18, allow_zero=True)
