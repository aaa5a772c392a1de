"""When a repair that did not help may be tried again.

What belongs here: the steps. What does not: what is tried (`control/reconcile.py`).
"""

from __future__ import annotations

from typing import Final

STEPS_S: Final = (60.0, 120.0, 240.0, 480.0, 960.0, 1800.0)
"""Waits after the first attempt, the second, …; the last one repeats."""


def attempts_due(elapsed_s: float) -> int:
    """How many attempts may have been made `elapsed_s` after the trouble began: the first one at once.

    It depends on the time alone, so a run key made of it is the same for every tick within a step, however
    often one looks and whatever is forgotten in between.
    """
    attempts, at_s = 0, 0.0
    while elapsed_s >= at_s:
        at_s += STEPS_S[min(attempts, len(STEPS_S) - 1)]
        attempts += 1
    return attempts
