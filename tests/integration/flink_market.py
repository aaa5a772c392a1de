"""Markets as the tests of Flink's bars need them, and how bars in Kafka compare with `tests.reference_bars`.

What belongs here: trades and tickers made from a seed or a recording, reading bars, comparing. What does
not: the cluster (`tests.integration.flink_cluster`), assertions about one behaviour.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pandas as pd

from streaming import records, topics
from streaming.records import Bar, CleanTrade, QuoteBar, Ticker, Trade
from streaming.simulator.generator import BLOCK, make_block
from streaming.simulator.instruments import Instrument
from tests import reference_bars
from tests.integration.flink_cluster import FlinkCluster, trade
from tests.integration.platform_process import RECORDING
from tests.reference_bars import ReferenceQuote, ReferenceTrade

WINDOWS = {
    topics.BARS_1M: 60_000,
    topics.BARS_5M: 300_000,
    topics.BARS_15M: 900_000,
    topics.BARS_1H: 3_600_000,
}
Key = tuple[str, int]
_NUMBERS = {"trade_count", "first_trade_id", "last_trade_id", "flagged_count", "quoted_ms", "quote_count"}
_NAMES = {"v", "exchange", "pair", "window_start_ms", "window_end_ms", "simulated"}


def ticker(
    exchange: str, pair: str, time_us: int, seq: int, bid: str | None, ask: str | None, epoch: int = 1
) -> Ticker:
    """A quote; sizes and all else are left out."""
    return Ticker(
        exchange=exchange,
        pair=pair,
        bid_price=bid,
        bid_size=None,
        ask_price=ask,
        ask_size=None,
        last_price=None,
        last_size=None,
        open_24h=None,
        high_24h=None,
        low_24h=None,
        base_volume_24h=None,
        quote_volume_24h=None,
        exchange_time_us=time_us,
        receive_time_ns=time_us * 1000,
        producer_id="test",
        producer_epoch=epoch,
        seq=seq,
        source="ws",
        simulated=exchange.endswith(records.SIMULATED_SUFFIX),
    )


def flagged(one: Trade, rules: str) -> CleanTrade:
    return CleanTrade(**msgspec.structs.asdict(one), rules=rules)


def generated(
    exchange: str, instrument: Instrument, seed: int, blocks: int, start_ms: int, gap_ms: float
) -> Market:
    """The seeded generator's trades, `gap_ms` apart in the mean, each new order with its quote."""
    market = Market(exchange)
    for number in range(blocks):
        block = make_block(seed, instrument, number)
        for i in range(BLOCK):
            time_ms = start_ms + int((number * BLOCK + block.time[i]) * gap_ms)
            trade_id = 100_000_001 + number * BLOCK + i
            one = trade(
                exchange,
                instrument.pair,
                trade_id,
                time_ms,
                _decimal(block.price[i], instrument.price_decimals),
                _decimal(block.size[i], instrument.size_decimals),
            )
            market.trades.append(msgspec.structs.replace(one, side="sell" if block.sell[i] else "buy"))
            if not block.continues[i]:
                bid, ask = (_decimal(p, instrument.price_decimals) for p in (block.bid[i], block.ask[i]))
                market.tickers.append(ticker(exchange, instrument.pair, time_ms * 1000, trade_id, bid, ask))
    return market


def recorded(exchange: str) -> Market:
    """The recorded trades and quotes of BTC-USDT."""
    market = Market(exchange)
    for row in pd.read_parquet(RECORDING / "btcusdt-trades.parquet").itertuples():
        one = trade(
            exchange,
            "BTC-USDT",
            int(row.trade_id),
            int(row.timestamp.value // 1_000_000),
            f"{row.price:.2f}",
            f"{row.quantity:.6f}",
        )
        side = "sell" if str(row.buyer_maker) == "True" else "buy"
        market.trades.append(msgspec.structs.replace(one, side=side))
    for seq, row in enumerate(pd.read_parquet(RECORDING / "btcusdt-quotes.parquet").itertuples(), start=1):
        bid, ask = f"{row.bid:.2f}", f"{row.ask:.2f}"
        market.tickers.append(ticker(exchange, "BTC-USDT", row.timestamp.value // 1000, seq, bid, ask))
    return market


def _decimal(units: int, decimals: int) -> str:
    return format(Decimal(units).scaleb(-decimals), "f")


@dataclass
class Market:
    """What is traded and quoted on one exchange."""

    exchange: str

    def __post_init__(self) -> None:
        self.trades: list[Trade] = []
        self.tickers: list[Ticker] = []

    def shuffled(self, seed: int, within_us: int = 800_000) -> tuple[list[Trade], list[Ticker]]:
        """Trades and tickers up to `within_us` out of order, and a fifth of them twice."""
        chance = random.Random(seed)

        def mixed(found: list[Any]) -> list[Any]:
            again = [one for one in found if chance.random() < 0.2]
            return sorted(
                [*found, *again], key=lambda one: one.exchange_time_us + chance.randint(0, within_us)
            )

        return mixed(self.trades), mixed(self.tickers)

    def reference_trades(self) -> list[ReferenceTrade]:
        return [
            ReferenceTrade(
                t.pair,
                t.trade_id,
                t.exchange_time_us // 1000,
                Decimal(t.price),
                Decimal(t.size),
                t.side,
                t.count,
                bool(getattr(t, "rules", "")),
            )
            for t in self.trades
        ]

    def reference_quotes(self) -> list[ReferenceQuote]:
        return [
            ReferenceQuote(
                t.pair,
                t.exchange_time_us // 1000,
                (t.exchange_time_us, t.producer_epoch, t.seq),
                None if t.bid_price is None else Decimal(t.bid_price),
                None if t.ask_price is None else Decimal(t.ask_price),
            )
            for t in self.tickers
        ]

    def bars(self, topic: str, before_ms: int) -> reference_bars.Bars:
        """What the topic must hold of this exchange for windows that end by `before_ms`."""
        length = WINDOWS[topic]
        found = reference_bars.bars(self.reference_trades(), length, self.reference_quotes())
        return {key: bar for key, bar in found.items() if key[1] + length <= before_ms}


def written(cluster: FlinkCluster, topic: str, exchange: str, before_ms: int) -> dict[Key, dict[str, Any]]:
    """The bars of an exchange for windows that end by `before_ms`; each stands there once, on its pair's
    partition."""
    found: dict[Key, dict[str, Any]] = {}
    for partition, value in cluster.read(topic):
        bar: Bar | QuoteBar
        bar = msgspec.convert(value, QuoteBar if topic == topics.QUOTE_BARS_1S else Bar)
        if bar.exchange != exchange or bar.window_end_ms > before_ms:
            continue
        key = (bar.pair, bar.window_start_ms)
        assert key not in found, f"{key} was written twice"
        assert partition == cluster.settings.partitions[bar.pair]
        assert bar.window_end_ms - bar.window_start_ms == WINDOWS.get(topic, 1000)
        assert bar.simulated
        found[key] = dict(_values(bar))
    return found


def _values(bar: Bar | QuoteBar) -> Iterator[tuple[str, Any]]:
    for name, value in msgspec.structs.asdict(bar).items():
        if name in _NAMES:
            continue
        is_text = name not in _NUMBERS and value is not None
        yield name, Decimal(str(value)) if is_text else value


def assert_equal(found: dict[Key, dict[str, Any]], wanted: reference_bars.Bars) -> None:
    """The same bars, and every field of each the same."""
    assert sorted(found) == sorted(wanted)
    for key, bar in wanted.items():
        assert set(found[key]) == set(bar)
        assert not reference_bars.differences(found[key], bar), (
            key,
            reference_bars.differences(found[key], bar),
        )


def in_order(exchange_times: Iterable[Any]) -> list[Any]:
    return sorted(exchange_times, key=lambda one: int(one.exchange_time_us))
