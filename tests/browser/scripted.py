"""A market that a test writes itself: records straight into Kafka and bars straight into the warehouse.

What belongs here: making records and bars that look like the platform's. What does not: assertions.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from snowflake.connector import SnowflakeConnection

from streaming import kafka, pairs, records, topics
from streaming.records import Anomaly, Bar, FormingBar, Gap, Record, Rule, Ticker, Trade
from streaming.settings import Settings

EXCHANGES: Final = ("OKX_SIM", "BINANCE_SIM", "KRAKEN_SIM")
START_PRICES: Final = {
    "BTC-USDT": Decimal("65000.1"),
    "ETH-USDT": Decimal("3200.55"),
    "SOL-USDT": Decimal("151.202"),
    "BNB-USDT": Decimal("590.4"),
    "XRP-USDT": Decimal("0.53214"),
}
TICKS: Final = {
    pair: Decimal(1).scaleb(int(price.as_tuple().exponent)) for pair, price in START_PRICES.items()
}
"""The smallest step of each price."""
MINUTE_MS: Final = 60_000


def now_us() -> int:
    return time.time_ns() // 1000


def minute_ms(back: int = 0) -> int:
    """The start of this minute, or of one `back` minutes ago."""
    return (time.time_ns() // 1_000_000 // MINUTE_MS - back) * MINUTE_MS


@dataclass
class ScriptedMarket:
    """Writes what it is told to Kafka, each record acknowledged before it returns."""

    settings: Settings
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._producer = kafka.producer(self.settings, linger_ms=0)
        self._placed = pairs.place(tuple(START_PRICES), self.settings.pair_choice, {})

    def put(self, topic: str, *values: Record) -> None:
        for value in values:
            pair = str(value.pair)
            self._producer.produce(topic, records.encode(value), partition=self._placed[pair])
        assert self._producer.flush(15) == 0

    def unreadable(self, topic: str) -> None:
        """A message that is no record."""
        self._producer.produce(topic, b'{"pair": 1', partition=0)
        assert self._producer.flush(15) == 0

    def trade(
        self, pair: str, price: str, *, exchange: str = "OKX_SIM", size: str = "0.1", at_us: int | None = None
    ) -> Trade:
        """One trade of this moment."""
        trade_id = next(self._ids)
        at_us = now_us() if at_us is None else at_us
        made = Trade(
            exchange=exchange,
            pair=pair,
            first_id=trade_id,
            trade_id=trade_id,
            count=1,
            price=price,
            size=size,
            side="buy",
            exchange_time_us=at_us,
            receive_time_ns=at_us * 1000 + 2_000_000,
            producer_id="scripted",
            producer_epoch=1,
            seq=trade_id,
            source="ws",
            simulated=True,
        )
        self.put(topics.TRADES, made)
        return made

    def ticker(
        self,
        pair: str,
        price: str,
        *,
        exchange: str = "OKX_SIM",
        opened: str | None = None,
        half_spread: str = "0.05",
    ) -> Ticker:
        """One ticker of this moment."""
        last, at_us, seq = Decimal(price), now_us(), next(self._ids)
        made = Ticker(
            exchange=exchange,
            pair=pair,
            bid_price=str(last - Decimal(half_spread)),
            bid_size="1.5",
            ask_price=str(last + Decimal(half_spread)),
            ask_size="2.5",
            last_price=price,
            last_size="0.1",
            open_24h=opened or price,
            high_24h=price,
            low_24h=price,
            base_volume_24h="12345.678",
            quote_volume_24h="801234567.8",
            exchange_time_us=at_us,
            receive_time_ns=at_us * 1000 + 2_000_000,
            producer_id="scripted",
            producer_epoch=1,
            seq=seq,
            source="ws",
            simulated=True,
        )
        self.put(topics.TICKERS, made)
        return made

    def forming(self, pair: str, start_ms: int, closes: str, *, exchange: str = "OKX_SIM") -> FormingBar:
        """A minute that forms."""
        made = FormingBar(
            exchange=exchange,
            pair=pair,
            window_start_ms=start_ms,
            window_end_ms=start_ms + MINUTE_MS,
            as_of_ms=time.time_ns() // 1_000_000,
            open=closes,
            high=closes,
            low=closes,
            close=closes,
            volume="1.50000000",
            quote_volume=str(Decimal(closes) * Decimal("1.5")),
            vwap=closes,
            trade_count=3,
            buy_volume="1.00000000",
            sell_volume="0.50000000",
            flagged_count=0,
            simulated=True,
        )
        self.put(topics.BARS_FORMING, made)
        return made

    def close(self, bar: Bar) -> None:
        """A closed minute."""
        self.put(topics.BARS_1M, bar)

    def anomaly(self, pair: str, price: str, *, rule: Rule = "price_spike", score: float = 14.2) -> Anomaly:
        """A finding about a trade of this moment."""
        at_us = now_us()
        made = Anomaly(
            exchange="OKX_SIM",
            pair=pair,
            rule=rule,
            rule_version=1,
            subject="trade",
            subject_id=str(next(self._ids)),
            score=score,
            threshold=10.0,
            price=price,
            bid_price=None,
            ask_price=None,
            exchange_time_us=at_us,
            receive_time_ns=at_us * 1000,
            simulated=True,
        )
        self.put(topics.ANOMALIES, made)
        return made

    def gap(self, pair: str, status: str) -> None:
        """One line of the gap ledger, always of the same gap."""
        filled = now_us() if status == "filled" else None
        line = Gap(
            exchange="OKX_SIM",
            pair=pair,
            from_id=1_000,
            to_id=1_004,
            cause="test",
            detected_at_us=now_us(),
            filled_at_us=filled,
            status="filled" if status == "filled" else "open",
            simulated=True,
        )
        self.put(topics.GAPS, line)


def bar(
    pair: str, start_ms: int, number: int, *, exchange: str = "OKX_SIM", length_ms: int = MINUTE_MS
) -> Bar:
    """A closed bar whose numbers follow from its place: a wave around the pair's start price."""
    base = START_PRICES[pair]
    step = (base / Decimal(20_000)).quantize(Decimal("0.00001"))
    middle = base + step * (number * 7 % 60 - 30)
    opened, closed = middle - step * (number % 5), middle + step * (number % 4)
    volume = Decimal("10") + number % 17
    return Bar(
        exchange=exchange,
        pair=pair,
        window_start_ms=start_ms,
        window_end_ms=start_ms + length_ms,
        open=str(opened),
        high=str(max(opened, closed) + step),
        low=str(min(opened, closed) - step),
        close=str(closed),
        volume=f"{volume:.8f}",
        quote_volume=f"{volume * middle:.18f}",
        vwap=f"{middle:.10f}",
        trade_count=20 + number % 30,
        first_trade_id=number * 100,
        last_trade_id=number * 100 + 40,
        simulated=True,
        buy_volume=f"{volume / 2:.8f}",
        sell_volume=f"{volume / 2:.8f}",
        spread="0.1000000000",
        spread_bp=f"{Decimal('0.4') + Decimal(number % 9) / 10:.10f}",
        quoted_ms=length_ms,
        realized_variance=1e-8 * (1 + number % 11),
        garman_klass=1e-8,
        rogers_satchell=1e-8,
        flagged_count=number % 3,
    )


def store(connection: SnowflakeConnection, table: str, bars: list[Bar]) -> None:
    """Write closed bars into a table of the warehouse, as the loader would have."""
    columns = (
        "EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, VWAP, "
        "TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, IS_SIMULATED, REVISION, COMPUTED_BY, BUY_VOLUME, "
        "SELL_VOLUME, SPREAD, SPREAD_BP, QUOTED_MS, REALIZED_VARIANCE, FLAGGED_COUNT, LOADED_AT"
    )
    body = records.msgspec.json.encode(bars).decode()
    connection.cursor().execute(
        f"""INSERT INTO {table} ({columns})
        SELECT value:exchange::VARCHAR, value:pair::VARCHAR,
          TO_TIMESTAMP_NTZ(value:window_start_ms::NUMBER, 3),
          TO_TIMESTAMP_NTZ(value:window_end_ms::NUMBER, 3),
          value:open::NUMBER(38, 18), value:high::NUMBER(38, 18), value:low::NUMBER(38, 18),
          value:close::NUMBER(38, 18), value:volume::NUMBER(38, 18), value:quote_volume::NUMBER(38, 18),
          value:vwap::NUMBER(38, 18), value:trade_count::NUMBER, value:first_trade_id::NUMBER,
          value:last_trade_id::NUMBER, TRUE, 0, 'flink', value:buy_volume::NUMBER(38, 18),
          value:sell_volume::NUMBER(38, 18), value:spread::NUMBER(38, 18), value:spread_bp::NUMBER(38, 18),
          value:quoted_ms::NUMBER, value:realized_variance::FLOAT, value:flagged_count::NUMBER,
          '2026-01-01'::TIMESTAMP_NTZ
        FROM TABLE(FLATTEN(PARSE_JSON(%(body)s)))""",
        {"body": body},
    )


class Ticking:
    """Ticks of every pair on every exchange, `per_second` in all, in a thread, until `stop`."""

    def __init__(
        self,
        market: ScriptedMarket,
        per_second: float,
        exchanges: tuple[str, ...],
        prices: dict[str, Decimal] = START_PRICES,
    ) -> None:
        self._prices = prices
        self._market = market
        self._pause_s = 1 / per_second
        self._exchanges = exchanges
        self._stopped = threading.Event()
        self.quiet: set[str] = set()
        """Pairs that do not tick now."""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Ticking:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        for number in itertools.count():
            for pair, base in self._prices.items():
                for exchange in self._exchanges:
                    if self._stopped.wait(self._pause_s):
                        return
                    if pair in self.quiet:
                        continue
                    step = max(TICKS[pair], (base / 50_000).quantize(TICKS[pair]))
                    price = base + step * (number * 3 % 11 - 5)
                    opened = base * Decimal("0.98") if pair != "ETH-USDT" else base * Decimal("1.01")
                    self._market.ticker(
                        pair, str(price), exchange=exchange, opened=str(opened), half_spread=str(step)
                    )
