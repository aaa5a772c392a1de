"""What a person sees on the dashboard, in real Chromium, of a market that the test writes into real Kafka."""

from __future__ import annotations

import csv
import io
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from infra.local.stack import Stack
from streaming import topics, warehouse
from tests.browser import light_stack, scripted
from tests.browser.conftest import MISSING_MINUTE, Viewers
from tests.browser.scripted import ScriptedMarket, Ticking, minute_ms

PATHS = ("/", "/chart", "/compare", "/anomalies", "/pipeline", "/chart?interval=7m")
CHART = "/chart?exchange=OKX_SIM&pair=BTC-USDT&interval=1m&range=1h"


def row(page: Page, pair: str, exchange: str = "OKX_SIM") -> Any:
    return page.locator(f'tr[data-market="{exchange}|{pair}"]')


def api(stack: Stack, path: str, **params: Any) -> Any:
    answer = httpx.get(f"{light_stack.address(stack.settings)}/api/v1/{path}", params=params, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def drawn_candles(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("window.dashboard.candles()")
    return found


def await_candles(page: Page, minimum: int = 1) -> None:
    page.wait_for_function(
        "n => Number(document.getElementById('chart').dataset.bars || 0) >= n", arg=minimum
    )


def test_a_price_in_kafka_is_the_price_on_the_screen(viewers: Viewers, market: ScriptedMarket) -> None:
    page = viewers.page("/")
    market.ticker("BTC-USDT", "65432.10", opened="60000", half_spread="3.2716")
    cells = row(page, "BTC-USDT")
    expect(cells.locator('[data-field="price"]')).to_have_text("65,432.1")
    expect(cells.locator('[data-field="change"]')).to_have_text("▲ +9.05 %")
    expect(cells.locator('[data-field="bid"]')).to_have_text("65,428.8284")
    expect(cells.locator('[data-field="spread"]')).to_have_text("1")
    market.trade("BTC-USDT", "65000.5")
    expect(cells.locator('[data-field="price"]')).to_have_text("▼ 65,000.5")


def test_a_message_that_cannot_be_read_is_counted_and_stops_nothing(
    viewers: Viewers, market: ScriptedMarket, stack: Stack
) -> None:
    page = viewers.page("/")
    for topic in (topics.TRADES, topics.BARS_1M, topics.ANOMALIES):
        market.unreadable(topic)
    market.ticker("BTC-USDT", "64999.5")
    expect(row(page, "BTC-USDT").locator('[data-field="price"]')).to_contain_text("64,999.5")
    metrics = httpx.get(f"{light_stack.address(stack.settings)}/metrics", timeout=10).text
    (line,) = (x for x in metrics.splitlines() if x.startswith("crypto_dashboard_unreadable_records_total"))
    assert float(line.split()[1]) >= 1


def test_candles_equal_the_api_and_the_warehouse(viewers: Viewers, stack: Stack, ticking: Ticking) -> None:
    page = viewers.page(CHART)
    await_candles(page, 50)
    shown = {c["start_ms"]: c for c in drawn_candles(page) if c["closed"]}
    begin, end = min(shown), max(shown) + 60_000
    answered = api(stack, "candles", exchange="OKX_SIM", pair="BTC-USDT", start_ms=begin, end_ms=end)[
        "candles"
    ]
    assert [shown[c["start_ms"]] for c in answered if c["closed"]] == [c for c in answered if c["closed"]]
    with warehouse.connect(stack.settings) as connection:
        rows = warehouse.rows(
            connection,
            "SELECT DATE_PART('epoch_millisecond', WINDOW_START), OPEN, HIGH, LOW, CLOSE, VOLUME "
            "FROM MARKET.BARS_1M WHERE EXCHANGE = 'OKX_SIM' AND PAIR = 'BTC-USDT'",
        )
    stored = {int(start): values for start, *values in rows}
    inside = {start for start in shown if start in stored}
    assert len(inside) >= 50
    for start in inside:
        drawn = [Decimal(shown[start][name]) for name in ("open", "high", "low", "close", "volume")]
        assert drawn == stored[start]


def test_a_minute_without_a_bar_stays_visible_as_a_hole(viewers: Viewers, ticking: Ticking) -> None:
    page = viewers.page("/chart?exchange=KRAKEN_SIM&pair=ETH-USDT&interval=1m&range=1h")
    await_candles(page, 50)
    assert int(page.locator("#chart").get_attribute("data-missing") or 0) >= 1
    starts = [c["start_ms"] for c in drawn_candles(page)]
    holes = [b - a for a, b in itertools.pairwise(starts) if b - a > 60_000]
    assert holes, f"minute {MISSING_MINUTE} is missing in the warehouse"
    expect(page.locator("#ohlc")).to_contain_text("without a bar")


def test_the_closed_bar_replaces_the_one_that_formed(viewers: Viewers, market: ScriptedMarket) -> None:
    market.ticker("SOL-USDT", "151.5")
    page = viewers.page("/chart?exchange=OKX_SIM&pair=SOL-USDT&interval=1m&range=1h")
    await_candles(page, 50)
    start = minute_ms()
    market.forming("SOL-USDT", start, "155.25")
    expect(page.locator("#ohlc")).to_contain_text("C 155.25 · forming")
    assert page.locator("#chart").get_attribute("data-forming") == "1"
    before = len(drawn_candles(page))
    closed = scripted.bar("SOL-USDT", start, 5)
    market.close(closed)
    expect(page.locator("#ohlc")).to_contain_text("closed")
    market.forming("SOL-USDT", start, "999")  # a copy that comes late changes nothing
    market.ticker("SOL-USDT", "151.75")
    expect(page.locator("#last")).to_contain_text("151.75")
    drawn = drawn_candles(page)
    assert len(drawn) == before
    assert Decimal(drawn[-1]["close"]) == Decimal(closed.close)


def test_a_gap_of_the_ledger_opens_and_closes_on_the_pipeline_page(
    viewers: Viewers, market: ScriptedMarket
) -> None:
    page = viewers.page("/pipeline")
    line = page.locator("#waiting tr", has_text="Open gaps")
    market.gap("XRP-USDT", "open")
    expect(line).to_contain_text("1", timeout=10_000)
    market.gap("XRP-USDT", "filled")
    expect(line).to_contain_text("0", timeout=10_000)
    expect(page.locator("#waiting tr", has_text="Filled gaps")).to_contain_text("1")


def test_a_spike_becomes_an_alert_that_stays_acknowledged_for_everybody(
    viewers: Viewers, market: ScriptedMarket, stack: Stack
) -> None:
    market.ticker("BTC-USDT", "65000")
    page, other = viewers.page("/anomalies"), viewers.page("/anomalies")
    found = market.anomaly("BTC-USDT", "78000.50")
    line = f'tr[data-finding="OKX_SIM|BTC-USDT|price_spike|{found.subject_id}"]'
    for viewer in (page, other):
        expect(viewer.locator(line)).to_contain_text("78,000.5")
    market.put("CryptoCurrency_anomalies", found)
    page.locator(line).get_by_role("button").click()
    for viewer in (page, other):
        expect(viewer.locator(line)).to_contain_text("✓ seen")
    page.reload()
    expect(page.locator(line)).to_contain_text("✓ seen")
    assert page.locator(line).count() == 1
    page.locator("#unseen").check()
    expect(page.locator(line)).to_have_count(0)
    page.goto("/chart?exchange=OKX_SIM&pair=BTC-USDT")
    await_candles(page)


def test_a_pair_that_stalls_is_seen_within_three_seconds_while_the_connection_is_live(
    viewers: Viewers, ticking: Ticking
) -> None:
    page = viewers.page("/")
    fresh, stalls = row(page, "BTC-USDT"), row(page, "BNB-USDT")
    expect(stalls.locator('[data-field="age"]')).to_have_attribute("data-state", "fresh")
    ticking.quiet.add("BNB-USDT")
    expect(stalls.locator('[data-field="age"]')).to_have_attribute("data-state", "stale", timeout=3_300)
    expect(page.locator("#freshness")).to_contain_text("BNB-USDT", timeout=500)
    expect(fresh.locator('[data-field="age"]')).to_have_attribute("data-state", "fresh")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    ticking.quiet.clear()
    expect(stalls.locator('[data-field="age"]')).to_have_attribute("data-state", "fresh")


def test_a_page_survives_a_restart_of_the_server(
    viewers: Viewers, market: ScriptedMarket, stack: Stack
) -> None:
    market.ticker("ETH-USDT", "3200")
    acknowledged = next(a for a in api(stack, "anomalies")["anomalies"] if a["acknowledged"])
    page = viewers.page("/chart?exchange=OKX_SIM&pair=ETH-USDT&interval=1m&range=1h")
    await_candles(page, 50)
    viewers.expected = lambda text: "ERR_CONNECTION_REFUSED" in text or "WebSocket" in text or "ERR_" in text
    stack.supervisor.stop("dashboard", timeout_s=20)
    expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    market.ticker("ETH-USDT", "3333.75")
    market.forming("ETH-USDT", minute_ms(), "3333.75")
    stack.supervisor.start("dashboard")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    expect(page.locator("#last")).to_contain_text("3,333.75", timeout=10_000)
    await_candles(page, 50)
    starts = [c["start_ms"] for c in drawn_candles(page)]
    assert len(starts) == len(set(starts))
    again = {a["id"]: a["acknowledged"] for a in api(stack, "anomalies")["anomalies"]}
    assert again[acknowledged["id"]]


def test_a_hidden_page_gets_nothing_and_a_page_that_is_seen_again_is_up_to_date(
    viewers: Viewers, market: ScriptedMarket, stack: Stack
) -> None:
    market.ticker("BTC-USDT", "65000")
    page = viewers.page(CHART)
    await_candles(page, 50)
    hide = "h => { Object.defineProperty(document, 'hidden', {value: h, configurable: true});"
    page.evaluate(hide + "document.dispatchEvent(new Event('visibilitychange')); }", True)
    expect(page.locator("#connection")).to_have_attribute("data-state", "paused")
    frames = page.evaluate("window.dashboard.state.frames")
    for number in range(200):
        market.ticker("BTC-USDT", str(66_000 + number))
    market.forming("BTC-USDT", minute_ms(), "66199")
    assert page.evaluate("window.dashboard.state.frames") == frames
    page.evaluate(hide + "document.dispatchEvent(new Event('visibilitychange')); }", False)
    expect(page.locator("#last")).to_contain_text("66,199")
    expect(page.locator("#ohlc")).to_contain_text("C 66,199")
    assert page.evaluate("window.dashboard.state.frames") <= frames + 10


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_no_page_breaks_an_accessibility_rule(
    viewers: Viewers, ticking: Ticking, market: ScriptedMarket, path: str, theme: str
) -> None:
    market.anomaly("ETH-USDT", "3000")
    page = viewers.page(path, color_scheme=theme)
    page.wait_for_function("document.getElementById('content').textContent.length > 60")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    )
    grave = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in grave] == []


@pytest.mark.parametrize("path", PATHS)
def test_a_narrow_screen_needs_no_sideways_scrolling_and_shows_that_data_is_simulated(
    viewers: Viewers, ticking: Ticking, path: str
) -> None:
    page = viewers.page(path, viewport={"width": 390, "height": 844})
    page.wait_for_function("document.getElementById('content').textContent.length > 60")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    banner = page.locator("#simulated")
    expect(banner).to_contain_text("SIMULATED DATA")
    expect(banner).to_be_in_viewport()


@pytest.mark.parametrize("path", PATHS[:-1])
def test_the_first_paint_comes_within_two_seconds(viewers: Viewers, ticking: Ticking, path: str) -> None:
    page = viewers.page(path.replace("/chart", "/chart?range=1d") if path == "/chart" else path)
    if path == "/chart":
        await_candles(page, 1_400)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint < 2_000


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("interval=7m", "no interval '7m'"),
        ("pair=NO-USDT", "no pair 'NO-USDT'"),
        ("x=1", "means nothing here"),
    ],
)
def test_a_malformed_address_gets_a_message(
    viewers: Viewers, ticking: Ticking, query: str, words: str
) -> None:
    expect(viewers.page(f"/chart?{query}").get_by_role("alert")).to_contain_text(words)


def test_what_is_chosen_stands_in_the_address_and_a_link_shows_the_same(
    viewers: Viewers, ticking: Ticking
) -> None:
    page = viewers.page("/chart")
    page.locator("#market").select_option("KRAKEN_SIM|XRP-USDT")
    page.locator("#interval").select_option("5m")
    page.wait_for_url("**interval=5m**")
    page.locator("#range").select_option("12h")
    page.wait_for_url("**range=12h**")
    link = page.url
    other = viewers.page(link)
    assert other.locator("#market").input_value() == "KRAKEN_SIM|XRP-USDT"
    assert (other.locator("#interval").input_value(), other.locator("#range").input_value()) == ("5m", "12h")
    expect(other.locator("#title")).to_have_text("XRP-USDT on KRAKEN_SIM")


def test_an_exported_file_holds_the_numbers_of_the_api(
    viewers: Viewers, stack: Stack, ticking: Ticking, tmp_path: Path
) -> None:
    page = viewers.page(CHART)
    await_candles(page, 50)
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "candles.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "candles.csv").read_text())))
    begin, end = int(lines[0]["start_ms"]), int(lines[-1]["end_ms"])
    answered = api(stack, "candles", exchange="OKX_SIM", pair="BTC-USDT", start_ms=begin, end_ms=end)[
        "candles"
    ]
    closed = {c["start_ms"]: c["close"] for c in answered if c["closed"]}
    assert {int(line["start_ms"]): line["close"] for line in lines if line["closed"] == "true"} == closed


def test_times_are_utc_until_the_switch_and_it_is_remembered(
    viewers: Viewers, ticking: Ticking, market: ScriptedMarket
) -> None:
    found = market.anomaly("XRP-USDT", "0.6")
    page = viewers.page("/anomalies", timezone_id="Asia/Kolkata")
    cell = page.locator(f'tr[data-finding$="|{found.subject_id}"] td').first
    minute = found.exchange_time_us // 60_000_000
    utc, kolkata = (f"{m // 60 % 24:02}:{m % 60:02}:" for m in (minute, minute + 330))
    expect(cell).to_contain_text(utc)
    page.locator("#zone").click()
    expect(cell).to_contain_text(kolkata)
    page.reload()
    expect(cell).to_contain_text(kolkata)


def test_the_theme_is_chosen_by_a_switch_and_remembered(viewers: Viewers) -> None:
    page = viewers.page("/", color_scheme="light")
    html = page.locator("html")
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-theme", "dark")


def test_everything_is_reached_by_the_keyboard(viewers: Viewers, ticking: Ticking) -> None:
    page = viewers.page("/")
    row(page, "BTC-USDT").wait_for()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.id"))
    assert reached[:8] == [
        *(
            "Skip to the content",
            "Markets",
            "Chart",
            "Compare",
            "Anomalies",
            "Pipeline",
            "UTC",
            "Theme: auto",
        ),
    ]
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter"
    page.keyboard.type("eth")
    expect(page.locator("#count")).to_have_text("3 of 15")
    page.keyboard.press("Tab")
    page.keyboard.press("u")
    expect(page.locator("#zone")).to_have_text("Local time")


def test_exchanges_are_compared_with_their_median(viewers: Viewers, market: ScriptedMarket) -> None:
    for exchange, price in zip(scripted.EXCHANGES, ("100", "101", "99"), strict=True):
        market.ticker("BNB-USDT", price, exchange=exchange)
    page = viewers.page("/compare?pair=BNB-USDT")
    expect(page.locator("#median")).to_have_text("100")
    expect(page.locator('tr[data-market="BINANCE_SIM|BNB-USDT"]')).to_contain_text("▲ +100.00")
    expect(page.locator('tr[data-market="KRAKEN_SIM|BNB-USDT"]')).to_contain_text("▼ −100.00")
    page.wait_for_function("Number(document.getElementById('chart').dataset.points) > 100")
