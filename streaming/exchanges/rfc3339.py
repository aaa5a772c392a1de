"""Times as RFC 3339 text, exactly: microseconds since the epoch without a float in between.

What belongs here: this one format. What does not: times as numbers (each venue's `messages`).

Source: RFC 3339, section 5.6; venues write `2023-10-06T17:35:55.440295Z` with up to nine decimals.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from streaming.errors import RecordError

_FORM: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)
_FIRST_SECOND: Final = 10**9
_END_SECOND: Final = 10**10
"""The years 2001 to 2286, in which other venues' milliseconds have thirteen digits."""


@lru_cache(maxsize=64)
def _seconds(text: str) -> int:
    seconds = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    if not _FIRST_SECOND <= seconds < _END_SECOND:
        raise ValueError(text)
    return seconds


def time_us(text: str, field: str) -> int:
    """Microseconds since the epoch, UTC; what is finer is cut off.

    Raises:
        RecordError: not a UTC time in this form, or before 2001 or after 2286; the message names `field`.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise RecordError(f"{field} {text[:80]!r} is not a UTC time.")
    try:
        seconds = _seconds(match.group(1))
    except ValueError:
        raise RecordError(f"{field} {text[:80]!r} is not a time of 2001 to 2286.") from None
    fraction = match.group(2)
    return seconds * 1_000_000 + (int(fraction.ljust(6, "0")[:6]) if fraction else 0)
