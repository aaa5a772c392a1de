"""Pictures of Dagster's pages: `python -m tests.integration.dagster_pages URL FOLDER` over a running stack.

Computes the hour that has begun and runs every check first, so that the pages have something to show. Needs
playwright and a Chromium (CHROMIUM, default /usr/bin/chromium).
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.integration.dagster_client import Dagster

PAGES: Final = {
    "dagster-lineage": "/asset-groups",
    "dagster-rollup": "/assets/snowflake/MARKET/BARS_1H?view=overview",
    "dagster-rollup-checks": "/assets/snowflake/MARKET/BARS_1H?view=checks",
    "dagster-sensor-ticks": "/locations/crypto_platform/sensors/components_reconcile_sensor",
    "dagster-runs": "/runs",
}
SETTLE_MS: Final = 9_000
"""The pages fill themselves and lay out their graph in a worker; nothing says when they are done."""


def main(url: str, folder: Path) -> int:
    """Entry point; returns the exit code."""
    from playwright.sync_api import sync_playwright

    dagster = Dagster(url)
    hour = datetime.now(UTC).strftime("%Y-%m-%d-%H:00")
    tags = {f"dagster/asset_partition_range_{end}": hour for end in ("start", "end")}
    # One after the other: Dagster shows a check beside the materialisation that it came after.
    ended = [dagster.wait_for(dagster.launch("roll_up_hours_job", **tags), 300)]
    ended.append(dagster.wait_for(dagster.launch("check_platform_job"), 300))
    sys.stdout.write(f"rollups {ended[0]}, checks {ended[1]}\n")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        for name, path in PAGES.items():
            page.goto(f"{url}{path}", timeout=60_000)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=str(folder / f"{name}.png"))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
