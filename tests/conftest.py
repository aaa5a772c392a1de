"""What holds for all tests.

What belongs here: settings of the test tools. What does not: fixtures of one part, which stand beside its
tests.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

# How long an example takes to make says something about the machine's load, nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of tests whose long version has a make target."""
    parser.addoption(
        "--chaos-seconds", type=float, default=52.0, help="length of the chaos, 600 for the whole"
    )
    parser.addoption("--chaos-seed", type=int, default=1, help="decides which fault strikes when")
    parser.addoption(
        "--away-seconds", type=float, default=0.0, help="how long the warehouse is away in its test, at least"
    )
    parser.addoption("--docker-report", type=Path, default=None, help="a JSON file for what was measured")
    parser.addoption("--chaos-report", type=Path, default=None, help="a JSON file for the result")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what a test configured: its handler writes to an output that ends with the test."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = [*handlers]
    root.setLevel(level)
    structlog.configure(**config)
