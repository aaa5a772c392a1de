"""Looks for reference cycles between batches instead of within them.

What belongs here: when Python's cycle collector runs in the loader's process. What does not: batches.

A batch is hundreds of thousands of small lists without cycles; a collector that runs by their number doubles
the cost of a batch (measured). What has cycles are the connector's cursors, a few a batch, and with them
the batch's bytes, so they must not wait for long.
"""

from __future__ import annotations

import gc
import time
from typing import Final

EVERY_S: Final = 5.0


def only_between_batches() -> None:
    """For a whole process: what is there now stays, and the collector runs only when `Between` says so."""
    gc.freeze()
    gc.disable()


class Between:
    """Collects now and then; `tick` it after each batch."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + EVERY_S

    def tick(self) -> None:
        """Collect if it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            gc.collect()
            self._next_s = now_s + EVERY_S
