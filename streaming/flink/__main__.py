"""`python -m streaming.flink`: the service that submits the jobs and keeps them running.

What belongs here: start, signals, exit codes. What does not: the rules (`streaming.flink.watcher`).

SIGTERM stops the jobs with a savepoint and exits with 0; with `--leave-jobs` they keep running.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence

import structlog

from streaming import logs, telemetry
from streaming import settings as settings_module
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.flink import jobs, submit
from streaming.flink.jobs import Job
from streaming.flink.metrics import Metrics
from streaming.flink.rest import FlinkRest
from streaming.flink.watcher import Watcher
from streaming.settings import Settings

KAFKA_RETRY_S = 2.0
PARTITIONS_EVERY_S = 30.0
"""How soon the jobs follow when the topics grow: before Flink's own clients would notice (5 minutes), whose
sinks would then choose other partitions for the same key."""


def wait_for_topics(settings: Settings, stop: threading.Event) -> int | None:
    """The topics' partition count as soon as Kafka has them, None if stopped before."""
    waiting = False
    while not stop.is_set():
        try:
            return submit.topic_partitions(settings)
        except ServiceUnavailableError as error:
            if not waiting:
                structlog.get_logger().info("waiting for kafka", reason=str(error))
            waiting = True
        stop.wait(KAFKA_RETRY_S)
    return None


def follow_partitions(
    settings: Settings,
    watcher: Watcher,
    known: int,
    stop: threading.Event,
    *,
    every_s: float = PARTITIONS_EVERY_S,
) -> None:
    """Whenever the topics have grown, want jobs that are made for the new number of partitions; the watcher
    replaces the old ones from a savepoint."""
    log = structlog.get_logger()
    while not stop.wait(every_s):
        try:
            found = submit.topic_partitions(settings)
        except ServiceUnavailableError as error:
            log.warning("the topics' partitions cannot be read", reason=str(error))
            continue
        if found != known:
            log.info("the topics have grown", before=known, now=found)
            watcher.wanted = {job: jobs.fingerprint(job, settings, found) for job in watcher.wanted}
            known = found


def serve(settings: Settings, stop: threading.Event, *, leave_jobs: bool) -> None:
    """Run the service until `stop` is set."""
    metrics = Metrics()
    current: list[Watcher] = []

    def ready() -> tuple[bool, dict[str, object]]:
        return current[0].readiness() if current else (False, {"waiting_for": "kafka"})

    port = settings.metrics_port
    endpoint = telemetry.serve(port, metrics.registry, ready, settings.listen) if port else None
    try:
        partitions = wait_for_topics(settings, stop)
        if partitions is None:
            return
        wanted = {job: jobs.fingerprint(job, settings, partitions) for job in jobs.JOBS.values()}

        def start(due: Sequence[Job]) -> list[submit.Submitted]:
            return submit.run(settings, due, dict(os.environ), stop)

        with FlinkRest(settings.flink_url) as flink:
            watcher = Watcher(settings, flink, wanted, start, metrics)
            current.append(watcher)
            threading.Thread(
                target=follow_partitions,
                args=(settings, watcher, partitions, stop),
                name="partitions",
                daemon=True,
            ).start()
            watcher.run(stop)
            if not leave_jobs:
                watcher.stop_jobs()
    finally:
        if endpoint is not None:
            endpoint.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming.flink", description="Keep Flink's jobs running."
    )
    parser.add_argument("--leave-jobs", action="store_true", help="leave the jobs running on SIGTERM")
    leave_jobs: bool = parser.parse_args(arguments).leave_jobs
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = settings_module.load()
        logs.configure(settings, "flink-jobs")
        serve(settings, stop, leave_jobs=leave_jobs)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
