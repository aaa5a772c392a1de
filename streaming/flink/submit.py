"""Submitting the jobs: a short-lived process plans the SQL and hands the jobs to any Flink cluster.

What belongs here: that process, its command line, and the two rules of a submission: one running job of a
name at a time, restored from its newest checkpoint. What does not: planning (`streaming.flink.planner`), when
to submit (`streaming.flink.watcher`).

`python -m streaming.flink.submit tick bars` prints one JSON line for each job; with `--explain` it prints the
plans instead and needs neither Flink nor Kafka.
"""

from __future__ import annotations

import argparse
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Final

import msgspec
from confluent_kafka import KafkaException

from streaming import kafka, logs, topics
from streaming import settings as settings_module
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.flink import jobs, planner, recovery
from streaming.flink.errors import SubmissionError
from streaming.flink.jobs import Job
from streaming.flink.rest import FlinkRest
from streaming.pairs import partition_count
from streaming.settings import Settings

TIMEOUT_S: Final = 300.0
POLL_S: Final = 0.1
OUTCOME: Final = '{"type":"submitted"'
"""How the process begins a line about a job, which a line of its log never does."""


class Submitted(msgspec.Struct, frozen=True, tag="submitted"):
    """The outcome for one job: its id, whether it is new, and what it was restored from."""

    job: str
    id: str
    submitted: bool
    restored_from: str | None


def run(
    settings: Settings, wanted: Sequence[Job], environment: dict[str, str], stop: threading.Event
) -> list[Submitted]:
    """Submit the jobs that do not run yet, in a process of their own.

    Args:
        settings: only where Flink is; the process reads its own from `environment`.
        wanted: the jobs.
        environment: the environment variables of that process.
        stop: ends the process early when it is set.

    Raises:
        SubmissionError: planning failed, the cluster refused, it took longer than five minutes, or `stop`.
    """
    command = [sys.executable, "-m", "streaming.flink.submit", *(job.key for job in wanted)]
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None:
            if stop.wait(POLL_S) or time.monotonic() > deadline:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        found = outcomes(out.read().splitlines())
        if process.returncode < 0:
            why = "was stopped" if stop.is_set() else f"took longer than {TIMEOUT_S:.0f} s"
            raise SubmissionError(f"Submitting to {settings.flink_url} {why}.")
        if process.returncode > 0:
            lines = err.read().strip().splitlines() or [f"exit code {process.returncode}"]
            raise SubmissionError(lines[-1])
    return found


def outcomes(lines: Sequence[str]) -> list[Submitted]:
    """What the process says of its jobs; what it logs besides is passed on."""
    found = []
    for line in lines:
        if line.startswith(OUTCOME):
            found.append(msgspec.json.decode(line, type=Submitted))
        else:
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return found


def submit(settings: Settings, wanted: Sequence[Job]) -> Iterator[Submitted]:
    """Submit each job that does not run yet, from its newest checkpoint or savepoint.

    Raises:
        SubmissionError: planning failed or the cluster refused.
        FlinkUnavailableError: the cluster does not answer.
        ServiceUnavailableError: Kafka does not answer or has no topics yet.
    """
    with _alone(settings), FlinkRest(settings.flink_url) as flink:
        partitions = topic_partitions(settings)
        planner.prepare(settings)
        for job in wanted:
            running = flink.running(job.name)
            if running:
                yield Submitted(job.key, running[0].id, submitted=False, restored_from=None)
                continue
            snapshot = recovery.newest(settings, job)
            path = snapshot.path.as_uri() if snapshot else None
            yield Submitted(job.key, planner.execute(settings, job, partitions, path), True, path)


def topic_partitions(settings: Settings) -> int:
    """How many partitions the topics have that the jobs write to.

    Raises:
        ServiceUnavailableError: Kafka does not answer, or a topic is missing.
    """
    try:
        found = kafka.admin(settings).list_topics(timeout=kafka.TIMEOUT_S).topics
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.bootstrap_servers} does not answer ({error}).",
            "Start it, or set KAFKA_BOOTSTRAP_SERVERS.",
        ) from error
    missing = sorted(set(topics.ALL_TOPICS) - set(found))
    if missing:
        raise ServiceUnavailableError(
            f"Kafka has no topic {', '.join(missing)} yet.", "Create the topics first."
        )
    return len(found[topics.CLEAN_TRADES].partitions)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the lock that keeps two submissions from starting the same job twice."""
    path = settings.home.absolute() / "flink" / "submit.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming.flink.submit", description="Submit Flink jobs."
    )
    parser.add_argument("job", nargs="+", choices=sorted(jobs.JOBS))
    parser.add_argument("--explain", action="store_true", help="print the plans, submit nothing")
    given = parser.parse_args(arguments)
    wanted = [jobs.JOBS[name] for name in given.job]
    try:
        settings = settings_module.load()
        logs.configure(settings, "flink-submit")
        if given.explain:
            planner.prepare(settings)
            for job in wanted:
                plan = planner.explain(settings, job, partition_count(settings.partitions))
                sys.stdout.write(plan + "\n")
            return 0
        for outcome in submit(settings, wanted):
            sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
            sys.stdout.flush()
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
