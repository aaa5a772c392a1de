"""Three brokers for one measurement: their own folder and ports, nothing left afterwards.

What belongs here: this short life, and which processes the brokers are. What does not: what is measured
(`streaming.bench`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local import jars, kafka
from infra.local.services import Service, catalogue
from infra.local.stack import Stack
from streaming.settings import Settings

PORT_STEP: Final = 1_700
"""Added to the configured offset, so that a measurement can run beside the stack of the same settings."""


@dataclass(frozen=True, slots=True)
class ScratchKafka:
    """Where the brokers are, and their process ids (none when they are somebody else's)."""

    settings: Settings
    broker_pids: tuple[int, ...]


@contextmanager
def kafka_for_a_while(settings: Settings) -> Iterator[ScratchKafka]:
    """Brokers in a temporary folder; or those of KAFKA_BOOTSTRAP_SERVERS, which are left as they are.

    Raises:
        PlatformError: the brokers cannot be started.
    """
    if not settings.uses_local_kafka:
        with tempfile.TemporaryDirectory(prefix="crypto-bench-") as folder:
            offset = settings.port_offset + PORT_STEP
            yield ScratchKafka(settings.model_copy(update={"home": Path(folder), "port_offset": offset}), ())
        return
    home = settings.home.absolute()
    jars.fetch(home)
    with tempfile.TemporaryDirectory(prefix="crypto-bench-") as folder:
        scratch = settings.model_copy(
            update={"home": Path(folder), "port_offset": settings.port_offset + PORT_STEP, "source": "okx"}
        )
        (scratch.home / "jars").symlink_to(home / "jars", target_is_directory=True)
        kafka.prepare(scratch)
        names = {f"kafka-{broker}" for broker in kafka.BROKERS}
        steps = [step for step in catalogue(scratch) if isinstance(step, Service) and step.name in names]
        stack = Stack(scratch, steps)
        stack.up()
        try:
            yield ScratchKafka(scratch, tuple(state.pid for state in stack.states().values()))
        finally:
            stack.down()
