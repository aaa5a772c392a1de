"""How old is the price on the screen? The whole platform, real Chromium, one to twenty viewers.

    python -m tests.benchmarks.screen_age [--seconds 25] [--viewers 1,5,20] [--output FILE]

It starts a platform of its own (about 200 messages a second), opens a page for each viewer, and reads every
50 ms what each page shows: the age is the browser's clock less the exchange's time of the price in each row,
on one machine, so on one clock. Browser and platform share the processors. Beyond five viewers the others
read the stream without drawing: twenty browsers on the platform's own two processors would measure the
browsers.

What belongs here: the measurement. What does not: bounds (`docs/benchmarks.md` has the figures).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from infra.local.supervision import Supervisor
from tests.browser.chromium import ARGUMENTS, installed
from tests.integration.platform_process import Platform, prepare

OFFSET: Final = 6_900
TRADES_PER_SECOND: Final = 150
"""Besides ten tickers a second of each of the five pairs."""
WARM_UP_S: Final = 8.0

SAMPLE: Final = """
() => {
  window.ages = [];
  window.sampler = setInterval(() => {
    for (const row of document.querySelectorAll('#markets tbody tr')) {
      const at = Number(row.dataset.exchangeMs);
      if (at) window.ages.push(Date.now() - at);
    }
  }, 50);
}
"""


PAGES_MAX: Final = 5


class Readers(threading.Thread):
    """Viewers without a screen: each reads the stream and notes every 50 ms how old what it knows is."""

    def __init__(self, base: str, count: int) -> None:
        super().__init__(daemon=True)
        self._base = base
        self._known: list[dict[str, float]] = [{} for _ in range(count)]
        self._over = threading.Event()
        self.noting = threading.Event()
        self.ages: list[list[float]] = [[] for _ in range(count)]

    def run(self) -> None:
        asyncio.run(self._all())

    def end(self) -> None:
        self._over.set()
        self.join(timeout=20)

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._read(known)) for known in self._known]
        while not self._over.is_set():
            await asyncio.sleep(0.05)
            if self.noting.is_set():
                now_ms = time.time() * 1000
                for known, ages in zip(self._known, self.ages, strict=True):
                    ages += [now_ms - at_ms for at_ms in known.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, known: dict[str, float]) -> None:
        async with (
            httpx.AsyncClient(timeout=30, trust_env=False) as client,
            client.stream("GET", f"{self._base}/api/v1/stream") as answer,
        ):
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    for market in json.loads(line.removeprefix("data: ")).get("markets", []):
                        known[market["exchange"] + market["pair"]] = market["exchange_time_us"] / 1000


@dataclass(frozen=True, slots=True)
class Result:
    """One number of viewers. Ages in ms; `worst_p95_ms` is that of the viewer who is served worst."""

    viewers: int
    samples: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_p95_ms: float
    messages_per_s: float
    server_cores: float
    server_rss_mb: float
    load_average: float


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _messages(platform: Platform) -> float:
    text = httpx.get(f"http://127.0.0.1:{platform.settings.ports.dashboard}/metrics", timeout=10).text
    wanted = ('crypto_dashboard_records_total{topic="CryptoCurrency_analysis"}', "CryptoCurrency_trades")
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("crypto_dashboard_records_total") and any(name in line for name in wanted)
    )


def measure(platform: Platform, browser: Browser, viewers: int, seconds: float) -> Result:
    """Open `viewers` pages, wait until they are warm, and watch them for `seconds`."""
    base = f"http://127.0.0.1:{platform.settings.ports.dashboard}"
    contexts = [
        browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(min(viewers, PAGES_MAX))
    ]
    readers = Readers(base, max(0, viewers - PAGES_MAX))
    readers.start()
    pages: list[Page] = [context.new_page() for context in contexts]
    for page in pages:
        page.goto(base)
        page.wait_for_selector("#markets tbody tr")
    time.sleep(WARM_UP_S)
    server = psutil.Process(Supervisor(platform.settings.home).states()["dashboard"].pid)
    for page in pages:
        page.evaluate(SAMPLE)
    readers.noting.set()
    before, before_messages, begun_s = server.cpu_times(), _messages(platform), time.monotonic()
    time.sleep(seconds)
    after, after_messages, lasted_s = server.cpu_times(), _messages(platform), time.monotonic() - begun_s
    rss_mb = server.memory_info().rss / 2**20
    ages: list[list[float]] = [
        page.evaluate("() => { clearInterval(window.sampler); return window.ages; }") for page in pages
    ]
    readers.end()
    ages += readers.ages
    for context in contexts:
        context.close()
    together = [age for one in ages for age in one]
    return Result(
        viewers=viewers,
        samples=len(together),
        p50_ms=round(statistics.median(together), 1),
        p95_ms=round(quantile(together, 0.95), 1),
        p99_ms=round(quantile(together, 0.99), 1),
        worst_p95_ms=round(max(quantile(one, 0.95) for one in ages), 1),
        messages_per_s=round((after_messages - before_messages) / lasted_s, 1),
        server_cores=round((after.user + after.system - before.user - before.system) / lasted_s, 3),
        server_rss_mb=round(rss_mb, 1),
        load_average=round(os.getloadavg()[0], 2),
    )


def main() -> int:
    """Measure and print a table; exit 1 if no Chromium is installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--viewers", default="1,5,20")
    parser.add_argument("--output", type=Path, default=None)
    given = parser.parse_args()
    path = installed()
    if path is None:
        sys.stderr.write("No Chromium is installed.\n")
        return 1
    home = Path(tempfile.mkdtemp(prefix="crypto-screen-"))
    platform = prepare(home / "home", OFFSET, CRYPTO_SIM_TRADES_PER_SECOND=str(TRADES_PER_SECOND))
    results: list[dict[str, Any]] = []
    try:
        platform.up()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
            for number in map(int, given.viewers.split(",")):
                results.append(asdict(measure(platform, browser, number, given.seconds)))
                sys.stdout.write(json.dumps(results[-1]) + "\n")
                sys.stdout.flush()
            browser.close()
    finally:
        platform.down()
        shutil.rmtree(home, ignore_errors=True)
    if given.output is not None:
        given.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
