"""What a process has used: processor seconds and resident memory, also of several together.

What belongs here: reading them, and the machine's load. What does not: deciding what is too much.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

BUSY_LOAD_PER_CORE = 0.5


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system seconds that the processes have used so far. A process that is gone counts as none."""
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MiB, 0 when it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def load_average() -> float:
    """Runnable processes over the last minute."""
    return os.getloadavg()[0]


def is_busy(load: float) -> bool:
    """Whether so much else runs that a measurement would say more about that than about us."""
    return load > BUSY_LOAD_PER_CORE * (os.cpu_count() or 1)
