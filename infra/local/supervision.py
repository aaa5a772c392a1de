"""The supervisor of the local stack: its configuration file, its process, and a client with time limits.

What belongs here: everything that knows `supervisor` (supervisord.org). What does not: which services there
are (`infra.local.services`), their order and readiness (`infra.local.stack`).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import orphans
from streaming.errors import PlatformError

LOG_BYTES = "20MB"
LOG_BACKUPS = 3
RPC_TIMEOUT_S = 40.0


class SupervisorError(PlatformError):
    """The supervisor does not run, does not answer, or refused a request."""


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process as supervisor needs to know it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_seconds: int


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor says of one process. `since_s` is Unix time; `pid` is 0 when it does not run."""

    name: str
    state: str
    pid: int
    since_s: int
    exit_code: int
    message: str
    restarts: int

    @property
    def running(self) -> bool:
        return self.state == "RUNNING"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, self._timeout_s)


class Supervisor:
    """The supervisor of the stack in one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.folder = self.home / "run"
        # A socket path is limited to about 100 characters, so it does not live in the home folder.
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        self.socket_folder = Path(tempfile.gettempdir()) / f"crypto-platform-{os.getuid()}-{digest}"
        self.socket = self.socket_folder / "supervisor.sock"
        self.log = self.home / "logs" / "supervisor.log"

    def configuration(self, programs: Sequence[Program], directory: Path) -> str:
        """The supervisord.conf for `programs`, all started on request only."""
        lines = [
            "[unix_http_server]",
            f"file={self.socket}",
            "chmod=0600",
            "[supervisord]",
            f"logfile={self.log}",
            f"logfile_maxbytes={LOG_BYTES}",
            f"logfile_backups={LOG_BACKUPS}",
            f"pidfile={self.folder / 'supervisord.pid'}",
            "nodaemon=true",
            "silent=true",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        ]
        for program in programs:
            pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in program.environment.items())
            lines += [
                f"[program:{program.name}]",
                f"command={_escaped(shlex.join(program.command))}",
                f"directory={_escaped(str(directory))}",
                f"environment={pairs}",
                "autostart=false",
                "autorestart=true",
                "startsecs=1",
                "startretries=10",
                f"stopwaitsecs={program.stop_seconds}",
                "stopasgroup=true",
                "killasgroup=true",
                f"stdout_logfile={self.home / 'logs' / (program.name + '.log')}",
                f"stdout_logfile_maxbytes={LOG_BYTES}",
                f"stdout_logfile_backups={LOG_BACKUPS}",
                "redirect_stderr=true",
            ]
        return "\n".join(lines) + "\n"

    def launch(self, programs: Sequence[Program], directory: Path) -> subprocess.Popen[bytes]:
        """Start supervisord in a session of its own, with nothing started yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        configuration = self.folder / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self.configuration(programs, directory), encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
            env=os.environ | orphans.mark(self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=directory,
        )

    def _call(self, method: str, *arguments: Any, timeout_s: float = RPC_TIMEOUT_S) -> Any:
        proxy = xmlrpc.client.ServerProxy(
            "http://localhost", transport=_UnixTransport(str(self.socket), timeout_s), allow_none=True
        )
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise SupervisorError(
                f"The supervisor refused {method}{arguments}: {fault.faultString}."
            ) from fault
        except (OSError, http.client.HTTPException) as error:
            raise SupervisorError(
                f"The supervisor of {self.home} does not answer ({error}).", "`crypto-platform up` starts it."
            ) from error

    def answers(self) -> bool:
        """Whether the supervisor runs and answers."""
        try:
            return bool(self._call("getState", timeout_s=3)["statename"] == "RUNNING")
        except SupervisorError:
            return False

    def states(self) -> dict[str, ProcessState]:
        """The state of every process, by name."""
        starts = self._starts()
        return {
            info["name"]: ProcessState(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                since_s=info["start"],
                exit_code=info["exitstatus"],
                message=info["spawnerr"] or info["description"],
                restarts=max(0, starts.get(info["name"], 0) - 1),
            )
            for info in self._call("getAllProcessInfo", timeout_s=5)
        }

    def start(self, name: str) -> None:
        """Start one process; a running one is left alone."""
        if self.states()[name].state not in ("RUNNING", "STARTING"):
            self._call("startProcess", name, False)

    def stop(self, name: str, timeout_s: float = RPC_TIMEOUT_S) -> None:
        """Stop one process and wait for its end; a stopped one is left alone."""
        if self.states()[name].pid:
            self._call("stopProcess", name, True, timeout_s=timeout_s)

    def shutdown(self) -> None:
        """End the supervisor and whatever it still runs."""
        self._call("shutdown")

    def forget(self) -> None:
        """Remove the socket and pid file of a supervisor that has ended."""
        shutil.rmtree(self.socket_folder, ignore_errors=True)
        (self.folder / "supervisord.pid").unlink(missing_ok=True)

    def _starts(self) -> dict[str, int]:
        # Supervisor keeps no count of restarts; its log has one line for each process it spawned.
        counts: dict[str, int] = {}
        if self.log.exists():
            with self.log.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if "RPC interface 'supervisor' initialized" in line:
                        counts.clear()
                    elif match := re.search(r"spawned: '([^']+)' with pid", line):
                        counts[match[1]] = counts.get(match[1], 0) + 1
        return counts


def _escaped(value: str) -> str:
    # supervisor expands %(name)s in every value
    return value.replace("%", "%%")
