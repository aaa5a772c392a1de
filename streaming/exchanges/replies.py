"""What the answer to a REST request means before its rows are read.

What belongs here: telling a good reply from one to repeat and one that is final. What does not: any venue's
codes and rows (`streaming.exchanges.<venue>.rest`), the walk through a history (`history`) and sending again
(`streaming.producer.filler`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.decoding import UNREADABLE
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


def passes(status: int) -> bool:
    """Whether a status says that the same request may succeed later."""
    return status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def refused(
    exchange: str, reply: RestReply, words: str, *, retryable: bool, delay_s: float = 0.0
) -> RestError:
    """The error for a request that the exchange refused in its own `words`; `delay_s` unless it names one."""
    return RestError(
        f"{exchange} refused the request: {words[: 2 * _SHOWN]}.",
        retryable=retryable,
        retry_after_s=retry_after_s(reply) or delay_s,
    )


def read(exchange: str, reply: RestReply, decoder: msgspec.json.Decoder[_Value]) -> _Value:
    """The body of a good reply. Raises RestError with the exchange's own words otherwise."""
    if reply.status != HTTPStatus.OK:
        text = reply.body[:_SHOWN].decode("utf-8", "replace").strip()
        why = ", it may not serve this region" if reply.status in _BY_REGION else ""
        words = f"HTTP {reply.status}, {text!r}{why}"
        raise refused(exchange, reply, words, retryable=passes(reply.status))
    return decoded(exchange, reply.body, decoder)


def decoded(exchange: str, body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[_Value]) -> _Value:
    """What is in a body, or in the envelope of one. Raises RestError when it is something else."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise RestError(f"{exchange} answered with unexpected data ({error}).", retryable=True) from None


@contextmanager
def good_values(exchange: str) -> Iterator[None]:
    """Around the reading of values: a RecordError becomes a RestError, for the next answer may be good."""
    try:
        yield
    except RecordError as error:
        raise RestError(f"{exchange} answered with a bad value: {error}", retryable=True) from error
