"""Dagster on this machine: its instance folder, the commands of its three processes, and their readiness.

What belongs here: files and command lines. What does not: what Dagster runs (`crypto_platform`), starting
and restarting the processes (the supervisor of `infra.local`), or any import of dagster itself.

Three processes: the code server holds the definitions, the webserver and the daemon talk to it by gRPC.
So the definitions are imported once, and editing them restarts one process. The code server starts first: it
creates the SQLite files, and two processes that did so at once would trip over each other.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from streaming.settings import LOOPBACK, Settings

LOCATION: Final = "crypto_platform"
DEFINITIONS_MODULE: Final = "crypto_platform.definitions"
READY_TIMEOUT_S: Final = 5.0

_INSTANCE = """\
# Written by the platform at every start; edits are lost.
storage:
  sqlite:
    base_dir: {storage}

local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {folder}

# Steps log through Dagster's own log; capturing their output would cost two more processes a step.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
  config: {{}}

telemetry:
  enabled: false
nux:
  enabled: false

# A rollup needs about one core for two seconds; two at a time leave the other core to the stream. The
# same holds for each pool: steps that use the warehouse, and those that start and stop components.
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    granularity: op
    default_limit: 2
run_queue:
  dequeue_interval_seconds: 5

# A run that hangs before or during its work is ended instead of holding its place in the queue for ever.
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60
  max_runtime_seconds: 1800
  free_slots_after_run_end_seconds: 120
  poll_interval_seconds: 120

# Without threads one sensor that waits for a dead broker would delay every other one.
sensors:
  use_threads: true
  num_workers: 4
schedules:
  use_threads: true
  num_workers: 2

# A tick is 1.3 KB and every sensor writes thousands a day; Dagster keeps successes for ever by default.
retention:
  schedule:
    purge_after_days: {{skipped: 2, success: 14, failure: 30, started: 2}}
  sensor:
    purge_after_days: {{skipped: 2, success: 14, failure: 30, started: 2}}
  auto_materialize:
    purge_after_days: {{skipped: 2, success: 14, failure: 30, started: 2}}
"""

_WORKSPACE = """\
# Written by the platform at every start; edits are lost.
load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: {location}
"""

_HEALTH_QUERY = """\
{ workspaceOrError { __typename ... on Workspace { locationEntries { locationOrLoadError { __typename
    ... on PythonError { message } } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }
"""


@dataclass(frozen=True, slots=True)
class Health:
    """Which of the three processes does its work, and why not if one does not."""

    webserver: bool
    code_server: bool
    daemon: bool
    detail: str

    @property
    def ready(self) -> bool:
        return self.webserver and self.code_server and self.daemon


def instance_folder(settings: Settings) -> Path:
    """Where Dagster keeps runs, events and ticks (its DAGSTER_HOME), as an absolute path."""
    return settings.home.resolve() / "dagster"


def workspace_file(settings: Settings) -> Path:
    """The generated workspace, which names the code server of this stack by its port."""
    return instance_folder(settings) / "workspace.yaml"


def write_instance(settings: Settings, folder: Path | None = None) -> Path:
    """Write `dagster.yaml` and `workspace.yaml` into `folder` (default `instance_folder`) and return it."""
    folder = instance_folder(settings) if folder is None else folder.resolve()
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(
        _INSTANCE.format(storage=_quoted(storage), folder=_quoted(folder)), encoding="utf-8"
    )
    (folder / "workspace.yaml").write_text(
        _WORKSPACE.format(host=LOOPBACK, port=settings.ports.dagster_code, location=LOCATION),
        encoding="utf-8",
    )
    return folder


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def environment(settings: Settings) -> dict[str, str]:
    """The variables that Dagster's processes need besides the platform's own settings."""
    return {
        "DAGSTER_HOME": str(instance_folder(settings)),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        # Sensors bound each of their calls; this ends a tick that hangs nevertheless.
        "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "60",
        "PYTHONUNBUFFERED": "1",
    }


def code_server_command(settings: Settings) -> list[str]:
    """Serve the definitions by gRPC on 127.0.0.1; one process, reloaded by restarting it."""
    return [
        *(sys.executable, "-m", "dagster", "api", "grpc"),
        *("--module-name", DEFINITIONS_MODULE),
        *("--host", LOOPBACK, "--port", str(settings.ports.dagster_code)),
        *("--location-name", LOCATION, "--log-level", "warning"),
    ]


def webserver_command(settings: Settings) -> list[str]:
    """The web interface on 127.0.0.1."""
    return [
        *(sys.executable, "-m", "dagster_webserver"),
        *("--workspace", str(workspace_file(settings))),
        *("--host", LOOPBACK, "--port", str(settings.ports.dagster)),
        *("--uvicorn-log-level", "warning", "--dagster-log-level", "warning"),
    ]


def daemon_command(settings: Settings) -> list[str]:
    """The daemon: sensors, schedules, the run queue and run monitoring."""
    return [
        *(sys.executable, "-m", "dagster._daemon", "run"),
        *("--workspace", str(workspace_file(settings)), "--log-level", "warning"),
    ]


def url(settings: Settings) -> str:
    """The address of the web interface for a process of ours."""
    return f"http://{settings.host('dagster-webserver')}:{settings.ports.dagster}"


def page(settings: Settings) -> str:
    """The address of the web interface for a browser on this machine."""
    return f"http://{LOOPBACK}:{settings.ports.dagster}"


def health(settings: Settings, timeout_s: float = READY_TIMEOUT_S) -> Health:
    """Ask the webserver about itself, the code location and the daemon's heartbeats.

    The daemon's first heartbeat comes within seconds of its start; one that stops is noticed after
    Dagster's own tolerance (30 minutes), so a dead daemon process is the supervisor's to see.
    """
    try:
        # A proxy of the environment is not asked about our own machine.
        answer = httpx.post(
            f"{url(settings)}/graphql", json={"query": _HEALTH_QUERY}, timeout=timeout_s, trust_env=False
        )
        answer.raise_for_status()
        return read_health(answer.json()["data"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return Health(False, False, False, f"the webserver does not answer ({type(error).__name__})")


def read_health(data: dict[str, Any]) -> Health:
    """Judge the answer of the health query.

    Raises:
        KeyError, TypeError: the answer has another form, as when the query failed.
    """
    entries = data["workspaceOrError"].get("locationEntries") or []
    states = [(entry["locationOrLoadError"] or {}) for entry in entries]
    loaded = bool(states) and all(state.get("__typename") == "RepositoryLocation" for state in states)
    daemons = [d for d in data["instance"]["daemonHealth"]["allDaemonStatuses"] if d["required"]]
    silent = sorted(d["daemonType"] for d in daemons if not d["healthy"])
    reasons = [state["message"].strip().splitlines()[0] for state in states if state.get("message")]
    if not loaded and not reasons:
        reasons.append("the code location is not loaded yet")
    if silent:
        reasons.append(f"no heartbeat of {', '.join(silent)}")
    return Health(True, loaded, bool(daemons) and not silent, "; ".join(reasons))


def is_ready(settings: Settings) -> bool:
    """Whether the web interface answers, the definitions are loaded and the daemon beats."""
    return health(settings).ready
