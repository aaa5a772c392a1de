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


def serve(settings: Settings, stop: threading.Event, *, leave_jobs: bool) -> None:
    """Run the service until `stop` is set."""
    metrics = Metrics()
    current: list[Watcher] = []

    def ready() -> tuple[bool, dict[str, object]]:
        return current[0].readiness() if current else (False, {"waiting_for": "kafka"})

    port = settings.metrics_port
    endpoint = telemetry.serve(port, metrics.registry, ready) if port else None
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
