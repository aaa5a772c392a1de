"""Several loaders in one process: they end together, and a failure is not lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from streaming.errors import PlatformError
from streaming.loader import __main__ as process


@dataclass
class Loads:
    """A loader that runs until it is told to stop, or fails at once."""

    failure: Exception | None = None
    drained: bool = False

    def run(self, stop: threading.Event) -> None:
        if self.failure is not None:
            raise self.failure
        assert stop.wait(10), "nobody told it to stop"
        self.drained = True

    def ready(self) -> tuple[bool, dict[str, object]]:
        return self.failure is None, {"trouble": str(self.failure)}


@pytest.mark.parametrize("failing", [0, 1])
def test_when_one_fails_the_other_drains_and_the_error_is_raised(failing: int) -> None:
    loaders: list[Any] = [Loads(), Loads()]
    loaders[failing].failure = PlatformError("broken")
    with pytest.raises(PlatformError, match="broken"):
        process._run_all(loaders, threading.Event())
    assert loaders[1 - failing].drained


def test_told_to_stop_all_end_in_good_order() -> None:
    loaders: list[Any] = [Loads(), Loads()]
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    process._run_all(loaders, stop)
    assert [loader.drained for loader in loaders] == [True, True]


def test_it_is_ready_when_all_are_and_says_which_is_not() -> None:
    good, bad = Loads(), Loads(PlatformError("away"))
    loaders: list[Any] = [good, bad]
    assert process._ready([good]) == (True, {"trouble": "None"})  # type: ignore[list-item]
    assert process._ready(loaders) == (False, {"trouble": "away"})
