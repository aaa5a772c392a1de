"""Starting and stopping the local stack: order, readiness, tear-down after a failure, orphans.

What belongs here: the driver that walks the catalogue of services. What does not: the catalogue itself
(`infra.local.services`), supervisor's protocol (`infra.local.supervision`), printing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local import dagster, flink, jars, kafka, orphans, preflight
from infra.local.services import Service, Step, Task, catalogue
from infra.local.supervision import ProcessState, Program, Supervisor, SupervisorError
from streaming.errors import PlatformError
from streaming.settings import Settings

POLL_S = 0.25
LAUNCH_TIMEOUT_S = 20
LOG_TAIL_LINES = 20


class StartError(PlatformError):
    """A service did not become ready; what had been started has been stopped again."""

    def __init__(self, name: str, reason: str, log: Path | None, tail: Sequence[str]) -> None:
        where = f"Its log is {log}." if log else ""
        super().__init__(f"{name} did not start: {reason}", where)
        self.tail = list(tail)


class AlreadyStartingError(PlatformError):
    """Another command is starting or stopping the same stack."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a start or stop that has just ended, and the seconds it took since the start."""

    name: str
    seconds: float
    done: int
    total: int


Report = Callable[[Progress], None]


class Stack:
    """The stack in `settings.home`. `settings.source` must be decided (anything but `auto`)."""

    def __init__(self, settings: Settings, steps: Sequence[Step] | None = None) -> None:
        """`steps` replaces the catalogue: a part of it, or a test's own services."""
        self.settings = settings
        self.home = settings.home.absolute()
        self.supervisor = Supervisor(settings.home)
        self._given = steps

    def steps(self) -> list[Step]:
        """What a start runs, in no particular order."""
        return catalogue(self.settings) if self._given is None else list(self._given)

    def is_running(self) -> bool:
        return self.supervisor.answers()

    def states(self) -> dict[str, ProcessState]:
        return self.supervisor.states()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        preflight.require_writable(self.settings.home)
        with (self.home / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyStartingError(
                    f"Another command is starting or stopping the stack in {self.home}.",
                    "Wait for it to end.",
                ) from None
            yield

    def up(
        self, report: Report = lambda progress: None, download: Callable[[int, int, str], None] | None = None
    ) -> float:
        """Start everything and wait until it is ready; return the seconds it took.

        Raises:
            PlatformError: a check failed (nothing was started), or a service did not become ready (what had
                been started has been stopped again).
        """
        with self._exclusive():
            begun = time.monotonic()
            self.remove_orphans()
            steps = self.steps()
            preflight.check(self.settings, steps)
            (self.home / "logs").mkdir(parents=True, exist_ok=True)
            if self._given is None:
                jars.fetch(self.settings.home, download or (lambda done, total, name: None))
                write_configurations(self.settings)
            try:
                self._launch([step for step in steps if isinstance(step, Service)])
                self._walk(steps, begun, report)
            except BaseException:
                with _uninterrupted():
                    self._tear_down()
                raise
            return time.monotonic() - begun

    def down(self, report: Report = lambda progress: None) -> list[int]:
        """Stop everything in reverse order; return the pids of processes that had to be ended as orphans."""
        with self._exclusive():
            if self.is_running():
                self._stop_in_order(report)
            return self._tear_down()

    def remove_orphans(self) -> list[int]:
        """End what an earlier stack of this home left behind when its supervisor was killed."""
        removed = orphans.remove(self.home)
        self.supervisor.forget()
        return removed

    def _launch(self, services: Sequence[Service]) -> None:
        shared = orphans.mark(self.home) | {
            "CRYPTO_HOME": str(self.home),
            "CRYPTO_SOURCE": self.settings.source,
            "CRYPTO_PORT_OFFSET": str(self.settings.port_offset),
            "PYTHONUNBUFFERED": "1",
        }
        programs = [
            Program(service.name, service.command, shared | dict(service.environment), service.stop_seconds)
            for service in services
        ]
        process = self.supervisor.launch(programs, Path.cwd())
        deadline = time.monotonic() + LAUNCH_TIMEOUT_S
        while not self.supervisor.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartError(
                    "supervisor", "it does not answer.", self.supervisor.log, tail(self.supervisor.log)
                )
            time.sleep(POLL_S)

    def _walk(self, steps: Sequence[Step], begun: float, report: Report) -> None:
        """Run each step as soon as what it comes after is ready; the first failure ends all."""
        abort = threading.Event()
        names = {step.name for step in steps}
        done_events = {name: threading.Event() for name in names}
        finished = 0
        lock = threading.Lock()

        def run(step: Step) -> None:
            nonlocal finished
            for name in step.after:
                while name in names and not done_events[name].wait(POLL_S):
                    if abort.is_set():
                        return
            if abort.is_set():
                return
            if isinstance(step, Task):
                step.run()
            else:
                self._start(step, abort)
            done_events[step.name].set()
            with lock:
                finished += 1
                report(Progress(step.name, time.monotonic() - begun, finished, len(steps)))

        with ThreadPoolExecutor(len(steps), thread_name_prefix="start") as pool:
            futures: list[Future[None]] = [pool.submit(run, step) for step in steps]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                abort.set()
        for future in futures:
            future.result()

    def _start(self, service: Service, abort: threading.Event) -> None:
        log = self.home / "logs" / f"{service.name}.log"
        self.supervisor.start(service.name)
        deadline = time.monotonic() + service.ready_within_s
        while not abort.wait(POLL_S):
            state = self.supervisor.states()[service.name]
            if state.state in ("EXITED", "FATAL", "BACKOFF"):
                raise StartError(service.name, _last_words(log) or state.message, log, tail(log))
            if state.running and service.ready():
                return
            if time.monotonic() > deadline:
                raise StartError(service.name, f"not ready after {service.ready_within_s} s.", log, tail(log))

    def _stop_in_order(self, report: Report) -> None:
        begun = time.monotonic()
        services = [step for step in self.steps() if isinstance(step, Service)]
        waves = _reverse_waves(self.steps())
        stop_seconds = {service.name: service.stop_seconds for service in services}
        running = {name for name, state in self.states().items() if state.pid}
        stopped = 0
        for wave in waves:
            names = [name for name in wave if name in running]
            with ThreadPoolExecutor(max(1, len(names))) as pool:
                for name in pool.map(lambda n: self._stop(n, stop_seconds[n]), names):
                    stopped += 1
                    report(Progress(name, time.monotonic() - begun, stopped, len(running)))

    def _stop(self, name: str, stop_seconds: int) -> str:
        self.supervisor.stop(name, timeout_s=stop_seconds + 15)
        return name

    def _tear_down(self) -> list[int]:
        if self.is_running():
            pid_file = self.supervisor.folder / "supervisord.pid"
            pid = int(pid_file.read_text()) if pid_file.exists() else None
            try:
                self.supervisor.shutdown()
            except SupervisorError:
                pid = None
            if pid is not None and psutil.pid_exists(pid):
                _await_end(pid, timeout_s=60)
        return self.remove_orphans()


def write_configurations(settings: Settings) -> None:
    """Write the files that Kafka, Flink and Dagster read at their start; format new Kafka storage."""
    if settings.uses_local_kafka:
        kafka.prepare(settings)
    if settings.uses_local_flink:
        flink.write_config(settings, flink.configuration_folder(settings))
    dagster.write_instance(settings)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore further requests to stop: an impatient second Ctrl-C must not leave half a tear-down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _await_end(pid: int, timeout_s: float) -> None:
    try:
        if psutil.Process(pid).ppid() == os.getpid():
            deadline = time.monotonic() + timeout_s
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(POLL_S)
        else:
            psutil.Process(pid).wait(timeout=timeout_s)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired, ChildProcessError):
        return


def _reverse_waves(steps: Sequence[Step]) -> list[list[str]]:
    """The services in groups that may stop together, last started first: no group depends on a later one."""
    names = {step.name for step in steps}
    after = {step.name: set(step.after) & names for step in steps}
    waves: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(after):
        wave = sorted(name for name, needs in after.items() if name not in placed and needs <= placed)
        if not wave:
            raise ValueError(f"services wait for each other: {sorted(set(after) - placed)}")
        waves.append(wave)
        placed |= set(wave)
    services = {step.name for step in steps if isinstance(step, Service)}
    return [[name for name in wave if name in services] for wave in reversed(waves)]


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> list[str]:
    """The last lines of a log file; none if it does not exist."""
    if not log.exists():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def _last_words(log: Path) -> str:
    """A service's own error line: what a typed error printed before the process ended."""
    lines = [line for line in tail(log) if line.strip() and not line.startswith(("{", " ", "Traceback"))]
    return lines[-1].strip() if lines else ""
