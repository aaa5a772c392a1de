"""Binance's frames, as in github.com/binance/binance-spot-api-docs (web-socket-streams.md, rest-api.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from streaming.exchanges.binance.venue import BINANCE
from streaming.exchanges.venue import ConnectionPlan, RestReply, RestRequest
from tests.unit.exchanges.venues import Quote, Row

LAST_ID = 100
"""The newest trade id that tickers report unless told otherwise."""


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _push(stream: str, data: object) -> bytes:
    return _compact({"stream": stream, "data": data})


def wire(row: Row) -> dict[str, object]:
    return {
        "e": "trade",
        "E": row.time_us // 1000 + 1,
        "s": row.pair.replace("-", ""),
        "t": row.trade_id,
        "p": row.price,
        "q": row.size,
        "T": row.time_us // 1000,
        "m": row.side == "sell",
        "M": True,
    }


def trade(row: Row, **changes: object) -> bytes:
    stream = row.pair.replace("-", "").lower() + "@trade"
    return _push(stream, wire(row) | changes)


def ticker(quote: Quote, **changes: object) -> bytes:
    symbol = quote.pair.replace("-", "")
    data = {
        "e": "24hrTicker",
        "E": quote.time_us // 1000,
        "s": symbol,
        "p": "0.0015",
        "P": "250.00",
        "w": "0.0018",
        "x": "0.0009",
        "c": quote.last_price,
        "Q": "10",
        "b": quote.bid_price,
        "B": quote.bid_size,
        "a": quote.ask_price,
        "A": quote.ask_size,
        "o": "0.0010",
        "h": "0.0025",
        "l": "0.0010",
        "v": "10000",
        "q": "18",
        "O": 0,
        "C": 86400000,
        "F": 0,
        "L": LAST_ID,
        "n": 18151,
    }
    return _push(symbol.lower() + "@ticker", data | changes)


def history_row(row: Row) -> dict[str, object]:
    return {
        "id": row.trade_id,
        "price": row.price,
        "qty": row.size,
        "quoteQty": "48.000012",
        "time": row.time_us // 1000,
        "isBuyerMaker": row.side == "sell",
        "isBestMatch": True,
    }


class BinanceFrames:
    venue = BINANCE
    pairs = ("BTC-USDT", "ETH-USDT")
    quoted = frozenset({"bid_price", "bid_size", "ask_price", "ask_size", "last_price"})
    history_depth = None

    def acks(self, plan: ConnectionPlan) -> list[bytes]:
        return [b'{"result":null,"id":1}']

    def trades(self, rows: Sequence[Row]) -> list[bytes]:
        return [trade(row) for row in rows]

    def first_trade(self, row: Row) -> bytes | None:
        return None

    def ticker(self, quote: Quote) -> bytes:
        return ticker(quote)

    def mixed(self, good: Sequence[Row], bad: Row) -> bytes | None:
        return None

    def malformed(self, row: Row) -> list[bytes]:
        changes: tuple[dict[str, object], ...] = (
            {"p": "cheap"},
            {"p": ""},
            {"p": "-1"},
            {"p": "0.00000000"},
            {"p": 83753.1},
            {"q": "NaN"},
            {"q": "1e3"},
            {"m": "yes"},
            {"t": -1},
            {"t": 2**63},
            {"t": "101"},
            {"T": row.time_us},
            {"T": row.time_us // 10**6},
            {"s": "DOGEUSDT"},
        )
        good = trade(row)
        return [
            *(trade(row, **change) for change in changes),
            _push("dogeusdt@trade", wire(row)),
            _push("btcusdt@trade", {k: v for k, v in wire(row).items() if k != "p"}),
            _push("btcusdt@trade", None),
            _push("btcusdt@ticker", wire(row)),
            good[:-9],
            good + b"}",
            b"this is not JSON",
            b"",
            b"\xff\xfe",
            b"[]",
        ]

    def heartbeats(self, plan: ConnectionPlan) -> list[bytes]:
        return [b'{"result":null,"id":1}']

    def unknown(self) -> list[bytes]:
        return [
            b'{"result":["btcusdt@trade"],"id":3}',
            b'{"e":"surprise","E":1770123456789}',
            b'{"result":null,"id":77}',
        ]

    def fatal(self) -> list[bytes]:
        return [
            b'{"code":2,"msg":"Invalid request: too many parameters"}',
            b'{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 2"},"id":1}',
        ]

    def retryable(self) -> list[bytes]:
        return [b'{"error":{"code":-1003,"msg":"Too many requests"},"id":1}']

    def notice(self) -> bytes | None:
        return b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'

    def rest(self, request: RestRequest, tape: Sequence[Row]) -> RestReply:
        limit = int(request.params["limit"])
        assert 1 <= limit <= 1000
        if request.path == "/api/v3/trades":
            rows = list(tape[-limit:])
        else:
            assert request.path == "/api/v3/historicalTrades"
            rows = [row for row in tape if row.trade_id >= int(request.params["fromId"])][:limit]
        return RestReply(200, _compact([history_row(row) for row in rows]), 7)

    def instruments(self, live: str, halted: str) -> RestReply:
        rows = [
            {
                "symbol": pair.replace("-", ""),
                "status": status,
                "baseAsset": pair.split("-")[0],
                "quoteAsset": pair.split("-")[1],
            }
            for pair, status in ((live, "TRADING"), (halted, "HALT"))
        ]
        return RestReply(200, _compact({"timezone": "UTC", "symbols": rows}), 7)

    def time(self, time_us: int) -> RestReply:
        return RestReply(200, _compact({"serverTime": time_us // 1000}), 7)

    def too_many_requests(self, retry_after_s: int) -> RestReply:
        body = b'{"code":-1003,"msg":"Too much request weight used"}'
        return RestReply(429, body, 7, {"retry-after": str(retry_after_s)})


FRAMES = BinanceFrames()
