"""A back-fill and an exchange that has had too many requests, or does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import httpx
import pytest

from streaming.backfill import asking
from streaming.backfill.asking import ask
from streaming.exchanges.registry import venue
from streaming.exchanges.venue import RestError
from streaming.producer.rest_client import RestClient

REQUEST = venue("okx").newest_request("BTC-USDT")
TOO_MANY = httpx.Response(429, json={"code": "50011", "msg": "Too Many Requests", "data": []})
REFUSED = httpx.Response(400, json={"code": "51001", "msg": "Instrument ID does not exist", "data": []})
NEWEST = httpx.Response(
    200,
    json={
        "code": "0",
        "msg": "",
        "data": [
            {
                "instId": "BTC-USDT",
                "tradeId": "77",
                "px": "1",
                "sz": "1",
                "side": "buy",
                "ts": "1700000000000",
            }
        ],
    },
)


def client(answers: Iterable[httpx.Response | None]) -> RestClient:
    """One that gets these answers in turn; None is a connection that breaks."""
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        found = next(waiting)
        if found is None:
            raise httpx.ConnectError("broken", request=request)
        return found

    return RestClient("http://127.0.0.1", threading.Event(), httpx.MockTransport(answer))


def test_too_many_requests_and_a_broken_connection_are_waited_out() -> None:
    pauses: list[float] = []
    asked = client([TOO_MANY, None, TOO_MANY, NEWEST])
    assert ask(asked, REQUEST, venue("okx").newest_id, sleep=pauses.append) == 77
    assert asked.requests == 4
    assert len(pauses) == 3
    assert all(0 <= pause < asking.PATIENCE_S for pause in pauses)


def test_what_is_refused_is_not_asked_again() -> None:
    asked = client([REFUSED])
    with pytest.raises(RestError, match="51001"):
        ask(asked, REQUEST, venue("okx").newest_id, sleep=lambda seconds: None)
    assert asked.requests == 1


def test_patience_ends_with_the_exchanges_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.0)
    with pytest.raises(RestError, match="Too Many Requests"):
        ask(client([TOO_MANY]), REQUEST, venue("okx").newest_id, sleep=lambda seconds: None)
