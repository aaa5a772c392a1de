"""What an HTTP status means for a REST request, for venues that say it by status and not in an envelope.

What belongs here: telling a good reply from one to repeat and one that is final. What does not: any venue's
rows (`streaming.exchanges.<venue>.rest`) and sending again (`streaming.producer.filler`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from streaming.exchanges.decoding import UNREADABLE as UNREADABLE
from streaming.exchanges.venue import RestError, RestReply

BANNED: Final = 418
"""Binance's status for an address that went on after too many 429s."""
_RETRYABLE: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, BANNED, HTTPStatus.REQUEST_TIMEOUT})
_BY_REGION: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS})
_SHOWN: Final = 200

_Value = TypeVar("_Value")


def retry_after_s(reply: RestReply) -> float:
    """The seconds of a Retry-After header, 0.0 without one (RFC 9110, 10.2.3; the date form is not used)."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0.0


def read(exchange: str, reply: RestReply, decoder: msgspec.json.Decoder[_Value]) -> _Value:
    """The body of a good reply. Raises RestError with the exchange's own words otherwise."""
    if reply.status != HTTPStatus.OK:
        words = reply.body[:_SHOWN].decode("utf-8", "replace").strip()
        why = " It may not serve this region." if reply.status in _BY_REGION else ""
        raise RestError(
            f"{exchange} refused the request: HTTP {reply.status}, {words!r}.{why}",
            retryable=reply.status in _RETRYABLE or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR,
            retry_after_s=retry_after_s(reply),
        )
    try:
        return decoder.decode(reply.body)
    except UNREADABLE as error:
        raise RestError(f"{exchange} answered with unexpected data ({error}).", retryable=True) from None
