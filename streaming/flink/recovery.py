"""What a job can be restored from: its retained checkpoints and savepoints on disk.

What belongs here: finding the newest complete one, and removing what no life of the job needs. What does not:
making them (Flink does), choosing when to restore (`streaming.flink.submit`).

Flink writes `_metadata` last, so a folder that has it is complete. Each life of a job has its own folder of
checkpoints, named by its job id: `checkpoints/<name>/<id>/chk-<n>/`; savepoints are `savepoints/<name>/<x>/`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from streaming.flink import jobs
from streaming.flink.jobs import Job
from streaming.settings import Settings

KEPT_SAVEPOINTS = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete checkpoint or savepoint and when it was completed (ns since the epoch)."""

    path: Path
    completed_ns: int


def newest(settings: Settings, job: Job) -> Snapshot | None:
    """The job's youngest complete checkpoint or savepoint, None if there is none."""
    found = [
        *_complete(jobs.checkpoint_folder(settings, job), "*/chk-*/_metadata"),
        *_complete(jobs.savepoint_folder(settings, job), "*/_metadata"),
    ]
    return max(found, key=lambda snapshot: snapshot.completed_ns, default=None)


def obsolete(settings: Settings, job: Job, job_id: str) -> list[Path]:
    """Folders that the running life `job_id`, once it has its own checkpoint, no longer needs.

    That is every other life's checkpoints and all savepoints but the two youngest. Nothing, as long as
    `job_id` has no complete checkpoint of its own.
    """
    checkpoints = jobs.checkpoint_folder(settings, job)
    if not _complete(checkpoints / job_id, "chk-*/_metadata"):
        return []
    lives = [path for path in _children(checkpoints) if path.name != job_id]
    savepoints = sorted(
        _complete(jobs.savepoint_folder(settings, job), "*/_metadata"),
        key=lambda snapshot: snapshot.completed_ns,
        reverse=True,
    )
    return lives + [snapshot.path for snapshot in savepoints[KEPT_SAVEPOINTS:]]


def prune(settings: Settings, job: Job, job_id: str) -> list[Path]:
    """Remove what `obsolete` names and return it."""
    found = obsolete(settings, job, job_id)
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return found


def _complete(folder: Path, pattern: str) -> list[Snapshot]:
    snapshots = []
    for metadata in folder.glob(pattern):
        try:
            completed_ns = metadata.stat().st_mtime_ns
        except FileNotFoundError:  # Flink has removed it since it was listed
            continue
        snapshots.append(Snapshot(metadata.parent, completed_ns))
    return snapshots


def _children(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
