"""Processes of a stack whose supervisor is gone: found by a mark in their environment, then ended.

What belongs here: the mark and the clean-up. What does not: an orderly stop (`infra.local.stack`).

A SIGKILL of the supervisor leaves its children running, and a process name proves nothing. Every process
of a stack therefore carries the stack's home folder in its environment, which its descendants inherit.
"""

from __future__ import annotations

from pathlib import Path

import psutil

MARK = "PLATFORM_STACK_HOME"
GRACE_S = 10


def mark(home: Path) -> dict[str, str]:
    """The environment entry that every process of the stack in `home` carries."""
    return {MARK: str(home.absolute())}


def find(home: Path) -> list[psutil.Process]:
    """Every running process of the stack in `home`, except the caller and its ancestors."""
    wanted = str(home.absolute())
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            if process.environ().get(MARK) == wanted and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def remove(home: Path, grace_s: float = GRACE_S) -> list[int]:
    """End every process of the stack in `home`: terminate, wait, then kill. Return their pids."""
    processes = find(home)
    for process in processes:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=5)
    return [process.pid for process in processes]


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
