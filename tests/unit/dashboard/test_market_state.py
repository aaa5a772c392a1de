"""Which record replaces which in the dashboard's memory."""

from __future__ import annotations

import msgspec
import pytest

from crypto_platform.dashboard.state import BARS_KEPT, FINDINGS_KEPT, Arrival, MarketState, Stage
from crypto_platform.dashboard.views import Market
from streaming import topics
from streaming.records import CleanTrade
from tests.unit.dashboard.market_records import MINUTE, NOON_MS, anomaly, bar, forming, gap, ticker, trade

TOPICS = {
    "Ticker": topics.TICKERS,
    "Trade": topics.TRADES,
    "CleanTrade": topics.CLEAN_TRADES,
    "Bar": topics.BARS_1M,
    "FormingBar": topics.BARS_FORMING,
    "Anomaly": topics.ANOMALIES,
    "Gap": topics.GAPS,
}


def told(state: MarketState, *values: msgspec.Struct, topic: str | None = None) -> MarketState:
    state.apply(Arrival(topic or TOPICS[type(v).__name__], v, NOON_MS + 20.0) for v in values)  # type: ignore[arg-type]
    return state


def only_market(state: MarketState) -> Market:
    (market,) = state.markets()
    return market


@pytest.mark.parametrize(
    ("records", "price"),
    [
        pytest.param([ticker("100")], "100", id="a ticker alone"),
        pytest.param([ticker("100"), trade("101", NOON_MS + 1)], "101", id="a newer trade"),
        pytest.param([trade("101", NOON_MS + 1), ticker("100")], "101", id="an older ticker"),
        pytest.param([trade("101", NOON_MS), ticker("102", NOON_MS + 5)], "102", id="a newer ticker"),
        pytest.param(
            [trade("101"), trade("99", NOON_MS - 9, source="rest")], "101", id="a back-filled trade"
        ),
        pytest.param([trade("101"), ticker("1", NOON_MS + 1, last_price=None)], "101", id="no last price"),
        pytest.param([ticker("100.500")], "100.5", id="trailing zeros"),
    ],
)
def test_the_price_is_of_the_newest_record(records: list[msgspec.Struct], price: str) -> None:
    assert only_market(told(MarketState(), *records)).last_price == price


def test_spread_and_change_are_computed_from_the_ticker() -> None:
    market = only_market(told(MarketState(), ticker("100")))
    assert (market.spread_bp, market.change_24h_percent) == ("100", "25")
    assert market.exchange_time_us == NOON_MS * 1000


def test_an_older_ticker_brings_no_old_quotes_back() -> None:
    state = told(MarketState(), ticker("2", NOON_MS + 1, bid_price="98"), ticker("1", bid_price="50"))
    assert only_market(state).bid_price == "98"


def test_a_market_without_quotes_has_no_spread() -> None:
    market = only_market(told(MarketState(), ticker("100", bid_price=None, open_24h=None)))
    assert (market.spread_bp, market.change_24h_percent) == (None, None)


def test_pairs_and_exchanges_are_kept_apart() -> None:
    state = told(
        MarketState(),
        ticker("1"),
        ticker("2", exchange="KRAKEN_SIM"),
        ticker("3", pair="ETH-USDT"),
    )
    assert [(m.pair, m.exchange, m.last_price) for m in state.markets()] == [
        ("BTC-USDT", "KRAKEN_SIM", "2"),
        ("BTC-USDT", "OKX_SIM", "1"),
        ("ETH-USDT", "OKX_SIM", "3"),
    ]


def test_a_closed_bar_replaces_the_one_that_formed() -> None:
    state = told(MarketState(), forming(), bar())
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "1m")
    assert candle.closed
    assert (candle.close, candle.volume) == ("105.5", "2.5")
    assert candle.volatility_bp == 2.0


def test_a_forming_bar_never_replaces_a_closed_one() -> None:
    state = told(MarketState(), bar(), forming(as_of_ms=NOON_MS + 59_000))
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "1m")
    assert candle.closed


def test_of_forming_bars_the_one_that_knows_most_counts() -> None:
    state = told(
        MarketState(),
        forming(as_of_ms=NOON_MS + 20_000, close="2"),
        forming(as_of_ms=NOON_MS + 10_000, close="1"),
    )
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "1m")
    assert candle.close == "2"


def test_a_longer_bar_forms_from_its_minutes() -> None:
    state = told(
        MarketState(),
        bar(NOON_MS - MINUTE, close="1"),
        bar(NOON_MS, open="100", high="110", low="90", close="95"),
        bar(NOON_MS + MINUTE, high="200", low="100", trade_count=3, flagged_count=0),
        forming(NOON_MS + 2 * MINUTE, close="103"),
    )
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "5m")
    assert not candle.closed
    assert (candle.start_ms, candle.end_ms) == (NOON_MS, NOON_MS + 5 * MINUTE)
    assert (candle.open, candle.high, candle.low, candle.close) == ("100", "200", "90", "103")
    assert (candle.volume, candle.quote_volume, candle.trade_count) == ("6", "611", 13)
    assert candle.vwap == "101.8333333333"
    assert candle.flagged_count == 1


def test_prices_of_minutes_without_trades_do_not_stretch_a_longer_bar() -> None:
    quiet = bar(NOON_MS, open="500", high="500", low="500", close="500", volume="0", trade_count=0)
    state = told(MarketState(), quiet, forming(NOON_MS + MINUTE))
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "5m")
    assert (candle.open, candle.high) == ("100", "104")


def test_a_longer_bar_that_is_closed_is_not_formed_again() -> None:
    state = told(MarketState(), bar(NOON_MS + 4 * MINUTE))
    told(state, bar(NOON_MS, 5 * MINUTE, close="77"), topic=topics.BARS_5M)
    (candle,) = state.candles("OKX_SIM", "BTC-USDT", "5m")
    assert candle.closed
    assert candle.close == "77"


def test_old_bars_are_let_go() -> None:
    state = told(MarketState(), *(bar(NOON_MS + n * MINUTE) for n in range(BARS_KEPT + 5)))
    kept = state.candles("OKX_SIM", "BTC-USDT", "1m")
    assert len(kept) == BARS_KEPT
    assert kept[0].start_ms == NOON_MS + 5 * MINUTE


def test_the_same_finding_twice_is_one() -> None:
    state = told(MarketState(), anomaly(), anomaly(), anomaly("78", NOON_MS + 1))
    assert [found.subject_id for found in state.findings()] == ["78", "77"]
    assert state.findings()[1].value == "120"


def test_a_finding_about_a_quote_shows_both_sides() -> None:
    state = told(MarketState(), anomaly(price=None, bid_price="10.50", ask_price="9"))
    assert state.findings()[0].value == "10.5 / 9"


def test_only_the_latest_findings_are_kept() -> None:
    state = told(MarketState(), *(anomaly(str(n), NOON_MS + n) for n in range(FINDINGS_KEPT + 2)))
    assert len(state.findings()) == FINDINGS_KEPT
    assert state.findings()[-1].subject_id == "2"


def test_an_acknowledged_finding_is_so_for_everybody_and_after_a_restart() -> None:
    state = told(MarketState(), anomaly())
    version = state.version
    (found,) = state.findings()
    assert state.acknowledge(found.id)
    assert state.changes_since(version).findings[0].acknowledged
    restarted = told(MarketState(lambda: {found.id}), anomaly())
    assert restarted.findings()[0].acknowledged


def test_an_unknown_finding_cannot_be_acknowledged() -> None:
    assert not MarketState().acknowledge("nothing")


def test_the_latest_line_of_the_ledger_decides_whether_a_gap_is_open() -> None:
    state = told(MarketState(), gap("open"), gap("open", 50))
    assert len(state.open_gaps()) == 2
    told(state, gap("filled"))
    assert [one.from_id for one in state.open_gaps()] == [50]
    assert state.gap_counts() == {"filled": 1, "open": 1}


def test_changes_hold_only_what_is_newer() -> None:
    state = told(MarketState(), ticker("1"), ticker("2", pair="ETH-USDT"), bar())
    version = state.version
    assert state.changes_since(version).empty
    told(state, ticker("3", NOON_MS + 1), forming(NOON_MS + MINUTE))
    changes = state.changes_since(version)
    assert [m.last_price for m in changes.markets] == ["3"]
    assert {(c.interval, c.closed) for c in changes.candles} == {
        ("1m", False),
        ("5m", False),
        ("15m", False),
        ("1h", False),
    }


def test_a_clean_trade_moves_the_stage_and_not_the_price() -> None:
    clean = CleanTrade(**msgspec.structs.asdict(trade("5")))
    state = told(MarketState(), ticker("1"), clean)
    assert only_market(state).last_price == "1"
    assert state.stages["flink"].records == 1
    assert state.stages["flink"].age_ms == 20
    assert state.stages["producer"].age_ms == 5


def test_a_stage_forgets_its_worst_age_after_two_windows() -> None:
    stage = Stage()
    stage.pass_through(0, 5_000)
    assert stage.max_ms == 5_000
    stage.pass_through(16_000_000, 16_010)
    assert stage.max_ms == 5_000
    stage.pass_through(27_000_000, 27_010)
    assert stage.max_ms == 10
