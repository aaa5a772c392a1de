"""Brokers, Flink and its jobs for one measurement: their own folder and ports, nothing left afterwards.

What belongs here: this short life, and which processes Flink is. What does not: what is measured
(`streaming.bench`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local import flink, jars, kafka
from infra.local.services import catalogue
from infra.local.stack import Stack
from streaming.settings import Settings

PORT_STEP: Final = 2_100
"""Added to the configured offset, so that a measurement can run beside the stack of the same settings."""


@dataclass(frozen=True, slots=True)
class ScratchFlink:
    """Where Kafka and Flink are, and the processes of the JobManager and the TaskManagers by name."""

    settings: Settings
    pids: dict[str, int]


@contextmanager
def flink_for_a_while(settings: Settings) -> Iterator[ScratchFlink]:
    """Three brokers, a JobManager, two TaskManagers and the running jobs in a temporary folder.

    Raises:
        PlatformError: a part cannot be started.
    """
    home = settings.home.absolute()
    jars.fetch(home)
    with tempfile.TemporaryDirectory(prefix="crypto-bench-") as folder:
        scratch = settings.model_copy(
            update={
                "home": Path(folder),
                "port_offset": settings.port_offset + PORT_STEP,
                "source": "okx",
                "kafka_bootstrap_servers": None,
                "flink_rest_url": None,
            }
        )
        (scratch.home / "jars").symlink_to(home / "jars", target_is_directory=True)
        kafka.prepare(scratch)
        flink.write_config(scratch, flink.configuration_folder(scratch))
        names = ("kafka-", "flink-", "topics")
        stack = Stack(scratch, [step for step in catalogue(scratch) if step.name.startswith(names)])
        stack.up()
        try:
            states = stack.states().items()
            pids = {name: state.pid for name, state in states if name.startswith(("flink-job", "flink-task"))}
            pids.pop("flink-jobs", None)
            yield ScratchFlink(scratch, pids)
        finally:
            stack.down()
