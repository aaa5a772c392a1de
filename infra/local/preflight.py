"""What must hold before anything of the local stack starts.

What belongs here: cheap checks whose failure names the setting and the remedy. What does not: readiness
of what has been started (`infra.local.services`), the exchange (`streaming.producer`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from infra.local.ports import PortUse, require_free
from infra.local.services import Service, Step
from streaming.errors import PlatformError, SettingsError
from streaming.settings import Settings
from streaming.simulator.app import traded_pairs
from streaming.simulator.instruments import instruments_of
from streaming.simulator.recording import read_recordings


class DiskSpaceError(PlatformError):
    """There is too little room for Kafka's logs and the warehouse file."""

    exit_code = 2


def free_bytes(folder: Path) -> int:
    """Free bytes on the file system that holds `folder` or its nearest existing parent."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_disk_space(settings: Settings, free: Callable[[Path], int] = free_bytes) -> None:
    """Raises DiskSpaceError if the data folder's file system has less left than `CRYPTO_MIN_FREE_GIB`.

    A broker that runs out of disk stops, and with it everything, so a start is refused in time.
    """
    home = settings.home.absolute()
    available_gib = free(home) / 2**30
    if available_gib < settings.min_free_gib:
        raise DiskSpaceError(
            f"CRYPTO_HOME ({home}) has {available_gib:.1f} GiB left; Kafka's logs need "
            f"{settings.min_free_gib:g} GiB (CRYPTO_MIN_FREE_GIB).",
            "Free some space, or set CRYPTO_HOME to a folder on another disk.",
        )


def require_writable(home: Path) -> None:
    """Raises SettingsError if the data folder cannot be created or written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"CRYPTO_HOME ({home.absolute()}) cannot be created: {error.strerror}.", "Name another folder."
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingsError(f"CRYPTO_HOME ({home.absolute()}) is not writable.", "Name another folder.")


class SeveralProblemsError(PlatformError):
    """More than one check failed; the text has all of them."""

    exit_code = 2


def check(settings: Settings, steps: Iterable[Step]) -> None:
    """Run every check for the services about to start, and name all that is wrong at once.

    Raises:
        PlatformError: the check that failed; SeveralProblemsError if there were several.
    """
    require_writable(settings.home)
    checks: tuple[Callable[[], None], ...] = (
        lambda: require_disk_space(settings),
        lambda: _require_a_market(settings),
        lambda: _require_ports(settings, steps),
    )
    problems: list[PlatformError] = []
    for required in checks:
        try:
            required()
        except PlatformError as error:
            problems.append(error)
    if len(problems) > 1:
        raise SeveralProblemsError(" ".join(f"({n}) {error}" for n, error in enumerate(problems, 1)))
    if problems:
        raise problems[0]


def _require_a_market(settings: Settings) -> None:
    if settings.source == "sim":
        instruments_of(traded_pairs(settings))
        if settings.sim_mode == "replay" and settings.sim_recording is not None:
            read_recordings(settings.sim_recording, traded_pairs(settings))


def _require_ports(settings: Settings, steps: Iterable[Step]) -> None:
    uses: list[PortUse] = [use for step in steps if isinstance(step, Service) for use in step.ports]
    if settings.uses_local_flink and settings.flink_prometheus:
        names = ("Flink JobManager metrics", "Flink TaskManager 1 metrics", "Flink TaskManager 2 metrics")
        uses += [PortUse(port, name) for port, name in zip(settings.ports.metrics_flink, names, strict=True)]
    if settings.uses_local_kafka and settings.kafka_prometheus:
        uses += [
            PortUse(port, f"metrics of Kafka broker {broker}")
            for broker, port in enumerate(settings.ports.metrics_kafka, start=1)
        ]
    require_free(uses)
