"""A real browser on a real dashboard, for all browser tests; without a Chromium they skip and say why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from infra.local.stack import Stack
from streaming import warehouse
from tests.browser import chromium, light_stack, scripted
from tests.browser.scripted import ScriptedMarket, Ticking

HISTORY_MINUTES = 1_440
MISSING_MINUTE = 30


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.installed()
    if path is None:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(chromium.NAMES)})")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, the emulator and the dashboard, with a day of minutes of 5 pairs on 3 exchanges."""
    with light_stack.running(tmp_path_factory.mktemp("browser")) as started:
        with warehouse.connect(started.settings) as connection:
            for exchange in scripted.EXCHANGES:
                for pair in scripted.START_PRICES:
                    minutes = (n for n in range(1, HISTORY_MINUTES) if n != MISSING_MINUTE)
                    bars = [scripted.bar(pair, scripted.minute_ms(n), n, exchange=exchange) for n in minutes]
                    scripted.store(connection, "MARKET.BARS_1M", bars)
        yield started


@pytest.fixture(scope="session")
def market(stack: Stack) -> ScriptedMarket:
    return ScriptedMarket(stack.settings)


@pytest.fixture
def ticking(market: ScriptedMarket) -> Iterator[Ticking]:
    """All pairs on all exchanges tick; `quiet` holds those that do not."""
    with Ticking(market, 60, scripted.EXCHANGES) as running:
        yield running


@dataclass
class Viewers:
    """Opens pages; at the end none may have complained, but for what a test expected."""

    browser: Browser
    base: str
    stack: ExitStack
    complaints: list[str] = field(default_factory=list)
    expected: Callable[[str], bool] = lambda text: False

    def page(self, path: str = "/", **context: object) -> Page:
        """A page of a viewer of its own."""
        settings = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"} | context
        opened: BrowserContext = self.browser.new_context(base_url=self.base, **settings)  # type: ignore[arg-type]
        self.stack.callback(opened.close)
        page = opened.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        page.wait_for_selector("#connection[data-state=live]")
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location})")


@pytest.fixture
def viewers(browser: Browser, stack: Stack) -> Iterator[Viewers]:
    with ExitStack() as open_pages:
        made = Viewers(browser, light_stack.address(stack.settings), open_pages)
        yield made
    assert [text for text in made.complaints if not made.expected(text)] == []
