"""Asks an exchange for past data, and asks again where it may answer later.

What belongs here: how often and how long a back-fill asks for one page. What does not: sending
(`streaming.producer.rest_client`), what is asked for (`trades`, `candles`), a running producer's gaps, which
have no end to their patience (`streaming.producer.filler`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from streaming.exchanges.venue import RestError, RestReply, RestRequest
from streaming.producer.rest_client import RestClient

PATIENCE_S: Final = 120.0
"""How long one page is asked for; the exchange's limits count seconds, and its pauses are minutes at most."""
_JITTER: Final = wait_random_exponential(multiplier=0.5, max=15)

T = TypeVar("T")


def ask(
    client: RestClient,
    request: RestRequest,
    read: Callable[[RestReply], T],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `read` makes of the reply. Too many requests and a silent exchange are waited out.

    Args:
        client: sends the request.
        request: what is asked for; asking twice must not matter.
        read: parses a reply, and leaves everything as it was when it raises.
        sleep: waits for seconds.

    Raises:
        RestError: the exchange refuses, answers something unreadable, or did not answer within `PATIENCE_S`.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, RestError) and error.retryable),
        wait=_pause_s,
        stop=stop_after_delay(PATIENCE_S),
        sleep=sleep,
        reraise=True,
    )
    return retrying(lambda: read(client.get(request)))


def _pause_s(state: RetryCallState) -> float:
    """At least as long as the exchange says, with jitter on top."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, RestError) else 0.0
    return asked_s + _JITTER(state)
