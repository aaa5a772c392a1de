"""OKX's frames, as in https://www.okx.com/docs-v5/en/ (WebSocket; Order Book Trading; Public Data)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from streaming.exchanges.okx.venue import OKX
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest
from tests.unit.exchanges.venues import Quote, Row


def _wire(row: Row) -> dict[str, str]:
    return {
        "instId": row.pair,
        "tradeId": str(row.trade_id),
        "px": row.price,
        "sz": row.size,
        "side": row.side,
        "source": "0",
        "ts": str(row.time_us // 1000),
    }


def _push(rows: Sequence[dict[str, str]], pair: str, channel: str = "trades-all") -> bytes:
    text = json.dumps({"arg": {"channel": channel, "instId": pair}, "data": rows}, separators=(",", ":"))
    return text.encode()


def _reply(rows: object) -> RestReply:
    return RestReply(200, json.dumps({"code": "0", "msg": "", "data": rows}).encode(), 7)


class OkxFrames:
    venue = OKX
    pairs = ("BTC-USDT", "ETH-USDT")
    quoted = frozenset({"bid_price", "bid_size", "ask_price", "ask_size", "last_price"})
    history_depth = None

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        return [
            b'{"id":"subscribe1","event":"subscribe","arg":{"channel":"%s","instId":"%s"},"connId":"a4d3ae55"}'
            % (channel.encode(), pair.encode())
            for channel in plan.channels
            for pair in plan.pairs
        ]

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        return [_push([_wire(row)], row.pair) for row in rows]

    def first_trade(self, row: Row) -> bytes | None:
        return self.trades([row])[0]

    def ticker(self, quote: Quote) -> bytes:
        row = {
            "instType": "SPOT",
            "instId": quote.pair,
            "last": quote.last_price,
            "lastSz": "0.1",
            "askPx": quote.ask_price,
            "askSz": quote.ask_size,
            "bidPx": quote.bid_price,
            "bidSz": quote.bid_size,
            "open24h": "9000",
            "high24h": "90000",
            "low24h": "8888.88",
            "volCcy24h": "2222",
            "vol24h": "2222",
            "sodUtc0": "2222",
            "sodUtc8": "2222",
            "ts": str(quote.time_us // 1000),
        }
        return _push([row], quote.pair, "tickers")

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        rows = [_wire(row) for row in (good[0], bad, *good[1:])]
        rows[1]["px"] = "cheap"
        return _push(rows, bad.pair)

    def malformed(self, row: Row) -> list[bytes]:
        wire = _wire(row)
        changes = (
            {"px": ""},
            {"px": "-1"},
            {"px": "0"},
            {"sz": "NaN"},
            {"sz": "1e3"},
            {"side": "hold"},
            {"ts": "1791369376"},
            {"ts": "0791369376364"},
            {"tradeId": "first"},
            {"tradeId": "99999999999999999999"},
            {"instId": "DOGE-USDT"},
        )
        return [
            *(_push([wire | change], row.pair) for change in changes),
            _push([wire], "DOGE-USDT"),
            _push([{k: v for k, v in wire.items() if k != "px"}], row.pair),
            _push([wire], row.pair)[:-20],
            b"this is not JSON",
            b"",
            b"\xff\xfe",
            b"[]",
        ]

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        return [b"pong"]

    def unknown(self) -> list[bytes]:
        return [
            b'{"event":"channel-conn-count","channel":"trades","connCount":"2","connId":"a4d3ae55"}',
            b'{"event":"surprise"}',
        ]

    def fatal(self) -> list[bytes]:
        return [
            b'{"event":"error","msg":"Wrong URL or channel:trades-all,instId:NO-USDT doesn\'t exist.",'
            b'"code":"60018","connId":"5e1f2fe5","id":"subscribe1"}'
        ]

    def retryable(self) -> list[bytes]:
        return [b'{"event":"error","msg":"Requests too frequent.","code":"60014","connId":"5e1f2fe5"}']

    def notice(self) -> bytes | None:
        return (
            b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service '
            b'upgrade. Please reconnect.","connId":"a4d3ae55"}'
        )

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        limit = int(request.params["limit"])
        after = int(request.params.get("after", 2**62))
        older = [row for row in tape if row.trade_id < after]
        return _reply([_wire(row) for row in reversed(older[-limit:])])

    def instruments(self, live: str, halted: str) -> RestReply:
        return _reply([{"instId": live, "state": "live"}, {"instId": halted, "state": "suspend"}])

    def time(self, time_us: int) -> RestReply:
        return _reply([{"ts": str(time_us // 1000)}])

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        body = b'{"code":"50011","msg":"Too Many Requests","data":[]}'
        return RestReply(429, body, 7, {"retry-after": str(retry_after_s)})


FRAMES = OkxFrames()
