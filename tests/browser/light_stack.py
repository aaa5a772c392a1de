"""A dashboard with what it needs and nothing else: three brokers, the emulator, one web server.

What belongs here: its life. What does not: data (`tests.browser.scripted`), browsers, assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.local import jars, kafka
from infra.local.services import catalogue
from infra.local.stack import Stack
from streaming import settings as settings_module
from streaming.settings import Settings

OFFSET: Final = 6_200
REPOSITORY: Final = Path(__file__).parents[2]
PARTS: Final = ("kafka-1", "kafka-2", "kafka-3", "topics", "emulator", "migrations", "dashboard")


@contextmanager
def running(home: Path) -> Iterator[Stack]:
    """The stack, ready, in `home`; the Java archives are those of the checkout."""
    shared = REPOSITORY / ".local"
    jars.fetch(shared)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "jars").exists():
        (home / "jars").symlink_to(shared / "jars", target_is_directory=True)
    settings = settings_module.load({}, home=home, port_offset=OFFSET, source="sim")
    kafka.prepare(settings)
    stack = Stack(settings, [step for step in catalogue(settings) if step.name in PARTS])
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def address(settings: Settings) -> str:
    """Where its pages are."""
    return f"http://127.0.0.1:{settings.ports.dashboard}"
