"""Dagster's own storage, kept small.

What belongs here: which runs are old enough to go, and removing what Dagster leaves of them on disk. What
does not: the job (`defs/housekeeping/jobs.py`), ticks, which Dagster purges by itself (`retention` in
dagster.yaml).

Dagster deletes the rows of a run and leaves its files: with SQLite a database a run in `history/runs`, and a
folder in `storage`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

KEPT_RUNS: Final = timedelta(days=14)
KEPT_FAILURES: Final = timedelta(days=60)
"""A failure is looked at later than a success."""
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """Files and folders that were removed, and their bytes."""

    files: int
    bytes: int

    def __add__(self, other: Reclaimed) -> Reclaimed:
        return Reclaimed(self.files + other.files, self.bytes + other.bytes)


def remove_run_files(base: Path, run_id: str) -> Reclaimed:
    """Remove what is left on disk of a run that has been deleted. `base` is the storage's folder."""
    found = [*(base / "history" / "runs").glob(f"{run_id}.db*"), base / "storage" / run_id, base / run_id]
    total = Reclaimed(0, 0)
    for path in found:
        if path.is_dir():
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            shutil.rmtree(path)
        elif path.exists():
            size = path.stat().st_size
            path.unlink()
        else:
            continue
        total += Reclaimed(1, size)
    return total
