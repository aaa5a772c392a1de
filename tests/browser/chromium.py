"""The installed Chromium and how it is started.

What belongs here: finding it. What does not: what a test does without it.
"""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def installed() -> str | None:
    """Its path, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
