"""Planned jobs kept on disk, so that a job that comes back is not planned again.

What belongs here: the folder, when a kept plan fits, reading and writing one. What does not: planning
(`streaming.flink.planner`).

Planning is most of the time between a lost job and its next life. It depends on nothing but the job's SQL
and settings, the versions of Flink and its connectors, and the code that plans; the name of a kept plan is a
digest of all of them, so one that fits needs no other check. Where a job is restored from is no part of it.
A plan that would hold a password is not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from streaming.flink import jobs
from streaming.flink.jobs import Job
from streaming.settings import Settings

PLANNING_CODE: Final = tuple(
    Path(__file__).with_name(name) for name in ("planner.py", "chaining.py", "jobs.py")
)


def folder(settings: Settings) -> Path:
    """Where the plans are."""
    return settings.home.absolute() / "flink" / "plans"


def may_be_kept(settings: Settings) -> bool:
    """Whether a plan holds no secret: what signs in at Kafka would be part of it."""
    return settings.kafka_sasl_password is None


def path_of(
    settings: Settings, job: Job, partitions: int, told: Mapping[str, str], connectors: Sequence[Path]
) -> Path:
    """The file of the plan that fits.

    Args:
        settings: its values are part of the SQL.
        job: the job.
        partitions: of the topics that it writes to.
        told: the planner's configuration without the place that the job is restored from.
        connectors: the Java archives it is planned with, whose names have their versions.
    """
    parts = [
        jobs.fingerprint(job, settings, partitions),
        *(f"{key}={told[key]}" for key in sorted(told)),
        metadata.version("apache-flink"),
        *sorted(path.name for path in connectors),
        *(hashlib.sha256(path.read_bytes()).hexdigest() for path in PLANNING_CODE),
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return folder(settings) / f"{job.key}-{digest}.plan"


def keep(path: Path, plan: bytes) -> None:
    """Write a plan, whole or not at all, in place of the job's others.

    It is for this user alone: what reads it makes Java objects of it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(plan)
    unfinished.replace(path)
    job_key = path.name.rpartition("-")[0]
    for other in path.parent.glob(f"{job_key}-*.plan"):
        if other != path:
            other.unlink(missing_ok=True)
