"""`python -m crypto_platform.dashboard`: serves until SIGTERM.

What belongs here: wiring and the exit code. What does not: serving (`crypto_platform.dashboard.application`).
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

import uvicorn

from crypto_platform.dashboard.application import Dashboard, create
from infra.local.ports import PortUse, require_free
from streaming import logs, settings
from streaming.errors import PlatformError

GRACE_S: Final = 2
CONNECTIONS_MAX: Final = 1_000


class _Server(uvicorn.Server):
    """Ends the streams first: they would hold the server until the grace is over."""

    def __init__(self, config: uvicorn.Config, dashboard: Dashboard) -> None:
        super().__init__(config)
        self._dashboard = dashboard

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._dashboard.stream.close()
        super().handle_exit(sig, frame)


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        configured = settings.load()
        logs.configure(configured, "dashboard")
        port = configured.ports.dashboard
        require_free([PortUse(port, "dashboard")])
        dashboard = Dashboard(configured)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    _Server(
        uvicorn.Config(
            create(dashboard),
            host=configured.listen,
            port=port,
            log_config=None,
            log_level="warning",
            access_log=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
        ),
        dashboard,
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
