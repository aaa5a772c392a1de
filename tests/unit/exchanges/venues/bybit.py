"""Bybit's frames, as in https://bybit-exchange.github.io/docs/v5/ (ws/connect, websocket/public, market)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

from streaming.exchanges.bybit.venue import BYBIT
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest
from tests.unit.exchanges.venues import Quote, Row

_update_ids = itertools.count(18521288)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def symbol(pair: str) -> str:
    return pair.replace("-", "")


def wire(row: Row) -> dict[str, object]:
    return {
        "T": row.time_us // 1000,
        "s": symbol(row.pair),
        "S": row.side.capitalize(),
        "v": row.size,
        "p": row.price,
        "i": str(row.trade_id),
        "BT": False,
        "RPI": False,
        "seq": 1783284617,
    }


def push(
    pair: str, rows: object, topic: str = "publicTrade", kind: str = "snapshot", **more: object
) -> bytes:
    frame = {"topic": f"{topic}.{symbol(pair)}", "type": kind, "ts": 1791369376366, "data": rows}
    return compact(frame | more)


def book(quote: Quote, update_id: int, kind: str = "snapshot", **changes: object) -> bytes:
    data = {
        "s": symbol(quote.pair),
        "b": [[quote.bid_price, quote.bid_size]],
        "a": [[quote.ask_price, quote.ask_size]],
        "u": update_id,
        "seq": 7961638724,
    }
    return push(quote.pair, data | changes, "orderbook.1", kind, ts=quote.time_us // 1000, cts=1791369376360)


def day(pair: str, time_ms: int = 1791369376364, **changes: object) -> bytes:
    data = {
        "symbol": symbol(pair),
        "lastPrice": "16363.78",
        "highPrice24h": "16566.64",
        "lowPrice24h": "16009.19",
        "prevPrice24h": "16443.66",
        "volume24h": "5865.470182",
        "turnover24h": "95949815.680875",
        "price24hPcnt": "-0.0049",
    }
    return push(pair, data | changes, "tickers", ts=time_ms, cs=496622841)


def reply(result: object, code: int = 0, message: str = "OK") -> RestReply:
    body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": 1791369376500}
    return RestReply(200, compact(body), 7)


class BybitFrames:
    venue = BYBIT
    pairs = ("BTC-USDT", "ETH-USDT")
    quoted = frozenset({"bid_price", "bid_size", "ask_price", "ask_size"})
    history_depth = 60

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        return [b'{"success":true,"ret_msg":"subscribe","conn_id":"ff3f1c6e","req_id":"1","op":"subscribe"}']

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        return [push(rows[0].pair, [wire(row) for row in rows])]

    def first_trade(self, row: Row) -> bytes | None:
        return None

    def ticker(self, quote: Quote) -> bytes:
        return book(quote, next(_update_ids))

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        rows = [wire(row) for row in (good[0], bad, *good[1:])]
        rows[1]["p"] = "cheap"
        return push(bad.pair, rows)

    def malformed(self, row: Row) -> list[bytes]:
        good = wire(row)
        changes: tuple[dict[str, object], ...] = (
            {"p": ""},
            {"p": "-1"},
            {"p": "0"},
            {"p": 83753.1},
            {"v": "NaN"},
            {"v": "1e3"},
            {"S": "Hold"},
            {"S": "buy"},
            {"T": 1791369376},
            {"T": "1791369376364"},
            {"i": "20f43950-d8dd-5b31-9112-a178eb6023af"},
            {"i": "9223372036854775808"},
            {"s": "DOGEUSDT"},
        )
        return [
            *(push(row.pair, [good | change]) for change in changes),
            push("DOGE-USDT", [good]),
            push(row.pair, [{k: v for k, v in good.items() if k != "p"}]),
            push(row.pair, None),
            push(row.pair, [good])[:-20],
            book(Quote(row.pair), 7, b=[["cheap", "1"]]),
            book(Quote(row.pair), 7, s="DOGEUSDT"),
            book(Quote(row.pair), 7, a=None),
            day(row.pair, lastPrice="-1"),
            day(row.pair, time_ms=7),
            b"this is not JSON",
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
        ]

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        return [
            b'{"success":true,"ret_msg":"pong","conn_id":"ff3f1c6e","req_id":"","op":"ping"}',
            b'{"req_id":"","op":"pong","args":["1791369376364"],"conn_id":"ff3f1c6e"}',
        ]

    def unknown(self) -> list[bytes]:
        return [
            b'{"success":true,"ret_msg":"","conn_id":"ff3f1c6e","req_id":"9","op":"subscribe"}',
            b'{"op":"surprise"}',
            push("BTC-USDT", []),
        ]

    def fatal(self) -> list[bytes]:
        return [
            b'{"success":false,"ret_msg":"Invalid symbol :[publicTrade.NOUSDT]","conn_id":"ff3f1c6e",'
            b'"req_id":"1","op":"subscribe"}',
            b'{"success":false,"ret_msg":"args size >10","conn_id":"ff3f1c6e","req_id":"1","op":"subscribe"}',
            b'{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.NOUSDT",'
            b'"conn_id":"ff3f1c6e","req_id":"1","op":"subscribe"}',
        ]

    def retryable(self) -> list[bytes]:
        return [
            b'{"success":false,"ret_msg":"Too many visits!","conn_id":"f","req_id":"1","op":"subscribe"}',
        ]

    def notice(self) -> bytes | None:
        return None

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        assert request.params["category"] == "spot"
        limit = int(request.params["limit"])
        rows = [
            {
                "execId": str(row.trade_id),
                "symbol": symbol(row.pair),
                "price": row.price,
                "size": row.size,
                "side": row.side.capitalize(),
                "time": str(row.time_us // 1000),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": "1783284617",
            }
            for row in reversed(tape[-limit:])
        ]
        return reply({"category": "spot", "list": rows})

    def instruments(self, live: str, halted: str) -> RestReply:
        rows = [
            {"symbol": symbol(pair), "baseCoin": pair[:3], "quoteCoin": pair[4:], "status": status}
            for pair, status in ((live, "Trading"), (halted, "Closed"))
        ]
        return reply({"category": "spot", "list": rows})

    def time(self, time_us: int) -> RestReply:
        return reply({"timeSecond": str(time_us // 1_000_000), "timeNano": str(time_us * 1000)})

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        body = (
            b'{"retCode":10006,"retMsg":"Too many visits!","result":{},"retExtInfo":{},"time":1791369376500}'
        )
        return RestReply(200, body, 7, {"retry-after": str(retry_after_s)})


FRAMES = BybitFrames()
