"""Whether a port of ours is free, and who holds it.

What belongs here: the check before a start. What does not: which ports exist (`streaming.settings.Ports`).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from streaming.errors import PlatformError
from streaming.settings import LOOPBACK


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port and what the platform wants it for."""

    port: int
    purpose: str


class PortTakenError(PlatformError):
    """Another process listens on a port that the platform needs."""

    exit_code = 2


def is_free(port: int) -> bool:
    """Whether this process could listen on 127.0.0.1:port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections on 127.0.0.1:port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def holder(port: int) -> str:
    """The process that listens on a port, as `name (pid N)`, or that it cannot be seen."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "a process that only an administrator can see"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return f"a process that just ended (pid {connection.pid})"
    return "a process that cannot be seen from here"


def require_free(uses: Iterable[PortUse]) -> None:
    """Check every port before anything starts.

    Raises:
        PortTakenError: names each taken port, its holder and the setting that moves it.
    """
    taken = [use for use in uses if not is_free(use.port)]
    if taken:
        listed = "; ".join(f"port {use.port} ({use.purpose}) by {holder(use.port)}" for use in taken)
        raise PortTakenError(
            f"Taken: {listed}.",
            "Stop that process, or move all ports of this stack with CRYPTO_PORT_OFFSET=100.",
        )
