"""OKX's rows and frames: pure functions from the market's values to OKX's JSON.

What belongs here: the shape of every row and message. What does not: who gets them (`channels`) and paging
(`rest`). All numbers are text, as OKX sends them, except `seqId`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from streaming.simulator.candles import Candle
from streaming.simulator.events import Fill
from streaming.simulator.instruments import Instrument, decimal_text
from streaming.simulator.market import Ticker

SEQUENCE_BASE = 80_000_000_000
"""OKX's seqId is far beyond 32 bits; clients must cope."""

Row = dict[str, Any]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def trade_row(instrument: Instrument, fill: Fill) -> Row:
    """A single fill, as in REST and in `trades-all`."""
    return {
        "instId": instrument.pair,
        "tradeId": str(fill.trade_id),
        "px": instrument.price_text(fill.price),
        "sz": instrument.size_text(fill.size),
        "side": "sell" if fill.sell else "buy",
        "source": "0",
        "ts": str(fill.time_ms),
    }


def orders(fills: Sequence[Fill]) -> Iterator[Sequence[Fill]]:
    """Split consecutive fills into runs of one taker order at one price, as `trades` aggregates them."""
    begin = 0
    for i in range(1, len(fills) + 1):
        if i == len(fills) or not fills[i].continues or fills[i].price != fills[begin].price:
            yield fills[begin:i]
            begin = i


def aggregated_row(instrument: Instrument, fills: Sequence[Fill]) -> Row:
    """One row of `trades`: `tradeId` is the last fill's, `count` says how many there are."""
    last = fills[-1]
    return {
        "instId": instrument.pair,
        "tradeId": str(last.trade_id),
        "px": instrument.price_text(last.price),
        "sz": instrument.size_text(sum(fill.size for fill in fills)),
        "side": "sell" if last.sell else "buy",
        "ts": str(last.time_ms),
        "count": str(len(fills)),
        "source": "0",
        "seqId": SEQUENCE_BASE + last.trade_id,
    }


def ticker_row(ticker: Ticker) -> Row:
    """A ticker; volumes are those of spot: `vol24h` in base, `volCcy24h` in quote currency."""
    instrument, quote, day = ticker.instrument, ticker.quote, ticker.day
    price, size = instrument.price_text, instrument.size_text
    return {
        "instType": "SPOT",
        "instId": instrument.pair,
        "last": price(ticker.last.price),
        "lastSz": size(ticker.last.size),
        "askPx": price(quote.ask) if quote else "",
        "askSz": size(quote.ask_size) if quote else "",
        "bidPx": price(quote.bid) if quote else "",
        "bidSz": size(quote.bid_size) if quote else "",
        "open24h": price(day.open),
        "high24h": price(day.high),
        "low24h": price(day.low),
        "volCcy24h": _quote_text(instrument, day.quote_volume),
        "vol24h": size(day.volume),
        "ts": str(ticker.time_ms),
        "sodUtc0": price(ticker.open_utc),
        "sodUtc8": price(ticker.open_utc8),
    }


def candle_row(instrument: Instrument, candle: Candle, *, confirmed: bool) -> list[str]:
    """[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]; for spot both `volCcy` are in quote currency."""
    price = instrument.price_text
    quote = _quote_text(instrument, candle.quote_volume)
    return [
        str(candle.start_ms),
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        instrument.size_text(candle.volume),
        quote,
        quote,
        "1" if confirmed else "0",
    ]


def instrument_row(instrument: Instrument) -> Row:
    """A spot instrument; what only derivatives have is empty text, as OKX leaves it."""
    return {
        "instType": "SPOT",
        "instId": instrument.pair,
        "instIdCode": None,
        "baseCcy": instrument.base_currency,
        "quoteCcy": instrument.quote_currency,
        "settleCcy": "",
        "instFamily": "",
        "uly": "",
        "category": "1",
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "ctType": "",
        "optType": "",
        "stk": "",
        "listTime": "1548133413000",
        "expTime": "",
        "lever": "",
        "tickSz": instrument.tick_size,
        "lotSz": instrument.lot_size,
        "minSz": instrument.lot_size,
        "state": "live",
        "ruleType": "normal",
        "maxLmtSz": "999999999",
        "maxMktSz": "1000000",
        "maxLmtAmt": "20000000",
        "maxMktAmt": "1000000",
        "maxTwapSz": "999999999",
        "maxIcebergSz": "999999999",
        "maxTriggerSz": "999999999",
        "maxStopSz": "1000000",
        "alias": "",
        "auctionEndTime": "",
        "upcChg": [],
    }


def push(channel: str, pair: str, rows: Sequence[object]) -> str:
    """A push message."""
    return compact({"arg": {"channel": channel, "instId": pair}, "data": rows})


def _quote_text(instrument: Instrument, units: int) -> str:
    return decimal_text(units, instrument.quote_decimals)


MALFORMED_KINDS = (
    "not_json",
    "truncated",
    "array",
    "empty_object",
    "null_data",
    "empty_data",
    "missing_field",
    "price_text",
    "price_empty",
    "price_negative",
    "size_nan",
    "side_unknown",
    "time_seconds",
    "id_text",
    "unknown_event",
    "unknown_channel",
)


def malformed_texts(instrument: Instrument, fill: Fill) -> dict[str, str]:
    """Messages that break the protocol of `trades-all`, by a name from `MALFORMED_KINDS`."""
    row = trade_row(instrument, fill)
    pair = instrument.pair

    def changed(**fields: object) -> str:
        return push("trades-all", pair, [row | fields])

    good = changed()
    texts = (
        "this is not JSON",
        good[: len(good) // 2],
        compact([row]),
        "{}",
        compact({"arg": {"channel": "trades-all", "instId": pair}, "data": None}),
        push("trades-all", pair, []),
        push("trades-all", pair, [{key: value for key, value in row.items() if key != "px"}]),
        changed(px="cheap"),
        changed(px=""),
        changed(px="-" + row["px"]),
        changed(sz="NaN"),
        changed(side="hold"),
        changed(ts=str(fill.time_ms // 1000)),
        changed(tradeId="first"),
        compact({"event": "surprise", "arg": {"channel": "trades-all", "instId": pair}}),
        push("weather", pair, [row]),
    )
    return dict(zip(MALFORMED_KINDS, texts, strict=True))
