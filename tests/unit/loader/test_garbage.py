"""The cycle collector runs between batches, and does run."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from streaming.loader import garbage


class Cycle:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def between_batches() -> Iterator[garbage.Between]:
    garbage.only_between_batches()
    yield garbage.Between()
    gc.enable()
    gc.unfreeze()


def test_a_cycle_lives_until_it_is_time_and_no_longer(
    between_batches: garbage.Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = weakref.ref(Cycle())
    rows = [[number] for number in range(10_000)]
    between_batches.tick()
    assert alive() is not None
    monkeypatch.setattr(between_batches, "_next_s", 0.0)
    between_batches.tick()
    assert alive() is None
    assert len(rows) == 10_000
