"""Ending a command from outside the way Ctrl-C does.

What belongs here: signals of the command line. What does not: what a command does when it is interrupted.
"""

from __future__ import annotations

import signal


class terminate_as_interrupt:
    """Within it, SIGTERM and SIGHUP end the command the way Ctrl-C does: with everything stopped."""

    def __enter__(self) -> None:
        def interrupt(signum: int, frame: object) -> None:
            raise KeyboardInterrupt

        self._previous = {s: signal.signal(s, interrupt) for s in (signal.SIGTERM, signal.SIGHUP)}

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
