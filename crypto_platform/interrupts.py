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


class noted_interrupt:
    """Within it, SIGINT, SIGTERM and SIGHUP are noted, and raise nothing.

    For a command that writes: an exception between any two of its steps would lose what it has in hand, or
    leave a lock held for ever. It asks `is_set` where it can end.
    """

    def __init__(self) -> None:
        self._noted = False

    def is_set(self) -> bool:
        """Whether one has come."""
        return self._noted

    def __enter__(self) -> noted_interrupt:
        def note(signum: int, frame: object) -> None:
            self._noted = True

        self._previous = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
