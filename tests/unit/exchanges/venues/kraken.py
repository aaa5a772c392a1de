"""Kraken's frames, as in https://docs.kraken.com/api/docs/websocket-v2/ and rest-api/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from streaming.exchanges.kraken.venue import KRAKEN
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest
from tests.unit.exchanges.venues import Quote, Row

NAMES = {"BTC-USD": ("BTC/USD", "XBTUSD", "XXBTZUSD"), "ETH-USD": ("ETH/USD", "ETHUSD", "XETHZUSD")}


def moment(time_us: int) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wire(row: Row, **changes: str) -> str:
    """One row; values are JSON texts, because Kraken's prices and sizes are numbers."""
    fields = {
        "symbol": f'"{NAMES[row.pair][0]}"',
        "side": f'"{row.side}"',
        "price": row.price,
        "qty": row.size,
        "ord_type": '"limit"',
        "trade_id": str(row.trade_id),
        "timestamp": f'"{moment(row.time_us)}"',
    } | changes
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def push(rows: Sequence[str], kind: str = "update", channel: str = "trade") -> bytes:
    return f'{{"channel":"{channel}","type":"{kind}","data":[{",".join(rows)}]}}'.encode()


def reply(result: object, error: Sequence[str] = ()) -> RestReply:
    return RestReply(200, json.dumps({"error": list(error), "result": result}).encode(), 7)


class KrakenFrames:
    venue = KRAKEN
    pairs = ("BTC-USD", "ETH-USD")
    quoted = frozenset({"bid_price", "bid_size", "ask_price", "ask_size", "last_price"})
    history_depth = None

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        return [
            b'{"method":"subscribe","req_id":%d,"result":{"channel":"%s","snapshot":true,"symbol":"%s"},'
            b'"success":true,"time_in":"2026-10-07T04:36:16.742599Z","time_out":"2026-10-07T04:36:16.742648Z"}'
            % (number, channel.encode(), NAMES[pair][0].encode())
            for number, channel in enumerate(plan.channels, start=1)
            for pair in plan.pairs
        ]

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        return [push([wire(row) for row in rows])]

    def first_trade(self, row: Row) -> bytes | None:
        return push([wire(row)], "snapshot")

    def ticker(self, quote: Quote) -> bytes:
        row = (
            f'{{"symbol":"{NAMES[quote.pair][0]}","bid":{quote.bid_price},"bid_qty":{quote.bid_size},'
            f'"ask":{quote.ask_price},"ask_qty":{quote.ask_size},"last":{quote.last_price},'
            f'"volume":163.28908096,"vwap":105904.39279,"low":104711.0,"high":106613.1,"change":-250.0,'
            f'"change_pct":-0.24,"timestamp":"{moment(quote.time_us)}"}}'
        )
        return push([row], channel="ticker")

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        return push([wire(good[0]), wire(bad, price='"cheap"'), *(wire(row) for row in good[1:])])

    def malformed(self, row: Row) -> list[bytes]:
        changes = (
            {"price": "-1.5"},
            {"price": "0.0"},
            {"price": "null"},
            {"price": "1e999999999"},
            {"qty": "1e400"},
            {"qty": "true"},
            {"qty": "[1]"},
            {"side": '"hold"'},
            {"timestamp": '"2026-10-07 04:36:16"'},
            {"timestamp": '"2026-13-07T04:36:16.0Z"'},
            {"timestamp": '"6526-10-07T04:36:16.364000Z"'},
            {"timestamp": "1791369376"},
            {"trade_id": '"first"'},
            {"trade_id": "-1"},
            {"trade_id": "99999999999999999999"},
            {"symbol": '"DOGE/USD"'},
        )
        return [
            *(push([wire(row, **change)]) for change in changes),
            push([wire(row)], "surprise"),
            push([wire(row).replace('"price"', '"cost"')]),
            push([wire(row)])[:-20],
            b'{"channel":"trade","type":"update","data":null}',
            b"this is not JSON",
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
        ]

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        return [
            b'{"channel":"heartbeat"}',
            b'{"method":"pong","req_id":99,"time_in":"2026-10-07T04:36:16.742599Z",'
            b'"time_out":"2026-10-07T04:36:16.742648Z"}',
        ]

    def unknown(self) -> list[bytes]:
        return [
            b'{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"online",'
            b'"api_version":"v2","connection_id":13834774380200032777}]}',
            b'{"channel":"weather","type":"update","data":[]}',
            b'{"method":"surprise","success":true}',
        ]

    def fatal(self) -> list[bytes]:
        return [
            b'{"error":"Currency pair not supported NO/USD","method":"subscribe","req_id":1,"success":false,'
            b'"symbol":"NO/USD","time_in":"2026-10-07T04:36:16.742599Z","time_out":"2026-10-07T04:36:16.742648Z"}'
        ]

    def retryable(self) -> list[bytes]:
        return [b'{"error":"Exceeded msg rate","method":"subscribe","req_id":1,"success":false}']

    def notice(self) -> bytes | None:
        return None

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        _, rest_name, key = next(n for n in NAMES.values() if n[1] == request.params["pair"])
        assert rest_name == request.params["pair"]
        count = int(request.params["count"])
        since = request.params.get("since")
        if since is None:
            rows = list(tape[-count:])
        else:
            rows = [row for row in tape if row.time_us * 1000 > int(since)][:count]
        wire_rows = ",".join(
            f'["{row.price}","{row.size}",{Decimal(row.time_us) / 1_000_000},"{row.side[0]}","l","",'
            f"{row.trade_id}]"
            for row in rows
        )
        last = rows[-1].time_us * 1000 if rows else since or "0"
        body = f'{{"error":[],"result":{{"{key}":[{wire_rows}],"last":"{last}"}}}}'
        return RestReply(200, body.encode(), 7)

    def instruments(self, live: str, halted: str) -> RestReply:
        old = {"BTC-USD": "XBT/USD", "ETH-USD": "ETH/USD"}
        return reply(
            {
                NAMES[pair][2]: {"altname": NAMES[pair][1], "wsname": old[pair], "status": status}
                for pair, status in ((live, "online"), (halted, "cancel_only"))
            }
        )

    def time(self, time_us: int) -> RestReply:
        return reply({"unixtime": time_us // 1_000_000, "rfc1123": "Wed,  7 Oct 26 04:36:16 +0000"})

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        body = b'{"error":["EAPI:Rate limit exceeded"]}'
        return RestReply(200, body, 7, {"retry-after": str(retry_after_s)})


FRAMES = KrakenFrames()
