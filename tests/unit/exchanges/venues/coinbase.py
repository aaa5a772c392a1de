"""Coinbase Exchange's frames, as in docs.cdp.coinbase.com/exchange (websocket-feed/channels, rest-api)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from streaming.exchanges.coinbase.venue import COINBASE
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest
from tests.unit.exchanges.venues import Quote, Row

LAST_ID = 100
"""The newest trade id that heartbeats report unless told otherwise."""
MAKER = {"buy": "sell", "sell": "buy"}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def rfc3339(time_us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wire(row: Row, kind: str = "match") -> dict[str, object]:
    return {
        "type": kind,
        "trade_id": row.trade_id,
        "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
        "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
        "side": MAKER[row.side],
        "size": row.size,
        "price": row.price,
        "product_id": row.pair,
        "sequence": 177100030 + row.trade_id,
        "time": rfc3339(row.time_us),
    }


def match(row: Row, **changes: object) -> bytes:
    return _compact(wire(row) | changes)


def heartbeat(pair: str, last_trade_id: int = LAST_ID) -> bytes:
    return (
        b'{"type":"heartbeat","sequence":90,"last_trade_id":%d,"product_id":"%s",'
        b'"time":"2014-11-07T08:19:28.464459Z"}' % (last_trade_id, pair.encode())
    )


class CoinbaseFrames:
    venue = COINBASE
    pairs = ("BTC-USD", "ETH-USD")
    quoted = frozenset({"bid_price", "bid_size", "ask_price", "ask_size", "last_price"})
    history_depth = None

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        channels = [
            {"name": name, "product_ids": list(plan.pairs), "account_ids": None} for name in plan.channels
        ]
        return [_compact({"type": "subscriptions", "channels": channels})]

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        return [match(row) for row in rows]

    def first_trade(self, row: Row) -> bytes | None:
        return _compact(wire(row, "last_match"))

    def ticker(self, quote: Quote) -> bytes:
        return _compact(
            {
                "type": "ticker",
                "sequence": 37475248783,
                "product_id": quote.pair,
                "price": quote.last_price,
                "open_24h": "1310.79",
                "volume_24h": "245532.79269678",
                "low_24h": "1280.52",
                "high_24h": "1313.8",
                "volume_30d": "9788783.60117027",
                "best_bid": quote.bid_price,
                "best_bid_size": quote.bid_size,
                "best_ask": quote.ask_price,
                "best_ask_size": quote.ask_size,
                "side": "buy",
                "time": rfc3339(quote.time_us),
                "trade_id": 370843401,
                "last_size": "11.4396987",
            }
        )

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        return None

    def malformed(self, row: Row) -> list[bytes]:
        changes: tuple[dict[str, object], ...] = (
            {"price": "cheap"},
            {"price": ""},
            {"price": "-1"},
            {"price": "0"},
            {"price": 83753.1},
            {"size": "NaN"},
            {"size": "1e3"},
            {"side": "hold"},
            {"trade_id": -1},
            {"trade_id": 2**63},
            {"trade_id": "101"},
            {"time": "2026-13-01T00:00:00.000000Z"},
            {"time": "2026-10-07T11:16:16"},
            {"time": str(row.time_us)},
            {"product_id": "DOGE-USD"},
        )
        good = match(row)
        return [
            *(match(row, **change) for change in changes),
            _compact({k: v for k, v in wire(row).items() if k != "price"}),
            good[:-9],
            good + b"}",
            b'{"type":"heartbeat","last_trade_id":"20","product_id":"BTC-USD"}',
            b'{"type":"subscriptions","channels":null}',
            b'{"type":7}',
            b"{}",
            b"this is not JSON",
            b"",
            b"\xff\xfe",
            b"[]",
        ]

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        return [heartbeat(pair) for pair in plan.pairs]

    def unknown(self) -> list[bytes]:
        return [b'{"type":"status","products":[],"currencies":[]}', b'{"type":"surprise"}']

    def fatal(self) -> list[bytes]:
        return [
            b'{"type":"error","message":"Failed to subscribe","reason":"NO-USD is not a valid product"}',
            b'{"type":"error","message":"Malformed JSON"}',
        ]

    def retryable(self) -> list[bytes]:
        return [
            b'{"type":"error","message":"ErrSlowConsume"}',
            b'{"type":"error","message":"error message","reason":null}',
        ]

    def notice(self) -> bytes | None:
        return None

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        limit, after = int(request.params["limit"]), int(request.params.get("after", 2**62))
        assert 1 <= limit <= 1000
        page = [row for row in tape if row.trade_id < after][-limit:][::-1]
        rows = [
            {
                "trade_id": row.trade_id,
                "side": MAKER[row.side],
                "size": row.size,
                "price": row.price,
                "time": rfc3339(row.time_us),
            }
            for row in page
        ]
        headers = {"cb-before": str(page[0].trade_id), "cb-after": str(page[-1].trade_id)} if page else {}
        return RestReply(200, _compact(rows), 7, headers)

    def instruments(self, live: str, halted: str) -> RestReply:
        rows = [
            {"id": live, "base_currency": "BTC", "status": "online", "trading_disabled": False},
            {"id": halted, "base_currency": "ETH", "status": "online", "trading_disabled": True},
            {"id": "OLD-USD", "base_currency": "OLD", "status": "delisted", "trading_disabled": True},
        ]
        return RestReply(200, _compact(rows), 7)

    def time(self, time_us: int) -> RestReply:
        iso = rfc3339(time_us)[:-4] + "Z"
        return RestReply(200, _compact({"iso": iso, "epoch": time_us / 1e6}), 7)

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        body = b'{"message":"Public rate limit exceeded"}'
        return RestReply(429, body, 7, {"retry-after": str(retry_after_s)})


FRAMES = CoinbaseFrames()
