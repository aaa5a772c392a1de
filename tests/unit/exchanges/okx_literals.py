"""Frames of OKX, letter by letter, and a connection to feed them to.

What belongs here: text from the exchange's pages and recordings. What does not: frames built from values, for
the tests of all venues (`venues.okx`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from streaming.exchanges.events import Output
from streaming.exchanges.okx.session import OkxSession
from streaming.exchanges.venue import ConnectionPlan

S = 1_000_000_000
RECEIVED_NS = 1_791_369_376_400_000_000
TRADE = (
    '{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
    '"tradeId":"1067468269","px":"83753","sz":"0.000011","side":"sell","source":"0","ts":"1791369376364"}]}'
)
AGGREGATED = (
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"123",'
    '"px":"83753","sz":"0.000011","side":"sell","ts":"1791369376364","count":"3","source":"0",'
    '"seqId":82083114838}]}'
)
TICKER = (
    '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT",'
    '"last":"9999.99","lastSz":"0.1","askPx":"9999.99","askSz":"11","bidPx":"8888.88","bidSz":"5",'
    '"open24h":"9000","high24h":"10000","low24h":"8888.88","volCcy24h":"2222","vol24h":"2222",'
    '"sodUtc0":"2222","sodUtc8":"2222","ts":"1597026383085"}]}'
)
NOTICE = (
    '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. '
    'Please reconnect.","connId":"a4d3ae55"}'
)


def ack(channel: str = "trades-all", pair: str = "BTC-USDT") -> str:
    return json.dumps(
        {
            "id": "1512",
            "event": "subscribe",
            "arg": {"channel": channel, "instId": pair},
            "connId": "a4d3ae55",
        }
    )


def error(code: str) -> str:
    return json.dumps({"event": "error", "msg": "refused", "code": code, "connId": "5e1f2fe5", "id": "ob1"})


def plan(*pairs: str, channel: str = "trades-all") -> ConnectionPlan:
    return ConnectionPlan("trades", "/business", (channel,), pairs or ("BTC-USDT",), True)


def connected(*pairs: str, channel: str = "trades-all") -> OkxSession:
    session = OkxSession(plan(*pairs, channel=channel))
    session.connected(0)
    return session


def kinds(outputs: Iterable[Output]) -> list[type[Output]]:
    return [type(output) for output in outputs]
