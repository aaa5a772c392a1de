"""What venues share when they take frames apart: what decoding may raise, what becomes of a frame that cannot
be read, and the two forms of an optional number.

What belongs here: these small rules. What does not: any venue's shapes
(`streaming.exchanges.<venue>.messages`) or the data contract itself (`streaming.records`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.exchanges.events import BadFrame, Unknown
from streaming.records import decimal_text

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding any bytes may raise; RecursionError is what absurdly nested JSON ends in."""
_SHOWN: Final = 2000


def bad_frame(data: bytes, reason: str, pair: str | None, receive_time_ns: int) -> BadFrame:
    """A frame, or one row of it, for the dead letters."""
    return BadFrame(data.decode("utf-8", "replace"), reason, pair, receive_time_ns)


def unknown(data: bytes) -> Unknown:
    """A well-formed message without a rule, for the log."""
    return Unknown(data[:_SHOWN].decode("utf-8", "replace"))


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
