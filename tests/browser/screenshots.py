"""The pictures of the README: the dashboard on a market of a day, light and dark, wide and narrow.

    python -m tests.browser.screenshots [FOLDER]

It starts three brokers, the emulator and the dashboard, writes a market into them, and takes each page's
picture.
"""

from __future__ import annotations

import random
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from playwright.sync_api import Browser, sync_playwright

from streaming import warehouse
from streaming.records import Bar
from tests.browser import light_stack, scripted
from tests.browser.chromium import ARGUMENTS, installed
from tests.browser.scripted import EXCHANGES, START_PRICES, ScriptedMarket, Ticking, minute_ms

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
WIDE: Final = {"width": 1280, "height": 860}
NARROW: Final = {"width": 390, "height": 844}
CHART: Final = "/chart?exchange=OKX_SIM&pair=BTC-USDT&interval=1m&range=4h"
PICTURES: Final = (
    ("dashboard-markets", "/", "light", WIDE),
    ("dashboard-chart", CHART, "dark", WIDE),
    ("dashboard-chart-light", CHART, "light", WIDE),
    ("dashboard-compare", "/compare?pair=BTC-USDT", "light", WIDE),
    ("dashboard-anomalies", "/anomalies", "light", WIDE),
    ("dashboard-narrow", CHART, "dark", NARROW),
)


def walk(pair: str, exchange: str, count: int) -> list[Bar]:
    """Minutes of a random walk that is the same each time, the latest last; exchanges differ a little."""
    path, own = random.Random(pair), random.Random(pair + exchange)
    price = START_PRICES[pair]
    bars = []
    for number in range(count, 0, -1):
        step = Decimal(path.gauss(0, 1)) * price / 4_000
        opened, closed = price, price + step
        price = closed
        shift = Decimal(own.gauss(0, 1)) * price / 60_000
        wick = abs(Decimal(own.gauss(0, 1))) * price / 6_000
        size = Decimal(own.lognormvariate(2, 0.6)) * (1 + abs(step) / price * 4_000)
        prices = (opened + shift, max(opened, closed) + wick, min(opened, closed) - wick, closed + shift)
        texts = [str(value.quantize(scripted.TICKS[pair])) for value in prices]
        made = scripted.bar(pair, minute_ms(number), number, exchange=exchange)
        bars.append(
            msgspec.structs.replace(
                made,
                open=texts[0],
                high=texts[1],
                low=texts[2],
                close=texts[3],
                volume=f"{size:.8f}",
                spread_bp=f"{Decimal(own.lognormvariate(-1, 0.3)):.10f}",
                realized_variance=own.lognormvariate(0, 0.5) * 4e-8,
            )
        )
    return bars


def take(browser: Browser, base: str, folder: Path) -> list[Path]:
    """Every picture."""
    taken = []
    for name, path, theme, size in PICTURES:
        context = browser.new_context(base_url=base, viewport=size, color_scheme=theme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(path)
        page.wait_for_selector("#connection[data-state=live]")
        if path.startswith("/chart"):
            page.wait_for_function("Number(document.getElementById('chart').dataset.bars || 0) > 200")
        page.wait_for_timeout(1_200)
        taken.append(folder / f"{name}.png")
        page.screenshot(path=taken[-1])
        context.close()
    return taken


def main() -> int:
    """Take the pictures; exit 1 if no Chromium is installed."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    path = installed()
    if path is None:
        sys.stderr.write("No Chromium is installed.\n")
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="crypto-pictures-") as home,
        light_stack.running(Path(home)) as stack,
    ):
        market = ScriptedMarket(stack.settings)
        with warehouse.connect(stack.settings) as connection:
            for exchange in EXCHANGES:
                for pair in START_PRICES:
                    scripted.store(connection, "MARKET.BARS_1M", walk(pair, exchange, 300))
        last = {pair: walk(pair, "OKX_SIM", 300)[-1].close for pair in START_PRICES}
        for pair, rule in zip(
            last, ("price_spike", "wide_spread", "volume_burst", "stale_feed"), strict=False
        ):
            market.anomaly(pair, last[pair], rule=rule)  # type: ignore[arg-type]
        with Ticking(market, 60, EXCHANGES, {pair: Decimal(price) for pair, price in last.items()}):
            for pair, price in last.items():
                market.forming(pair, minute_ms(), price)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
                for picture in take(browser, light_stack.address(stack.settings), folder):
                    sys.stdout.write(f"{picture}\n")
                browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
