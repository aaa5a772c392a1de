"""The loader's process with one difference: it kills itself (kill -9) at a chosen point of a large batch.

`python -m tests.integration.mortal_loader before_put|after_copy|before_commit|after_commit`

What belongs here: the points, and a connection that strikes there. What does not: starting it, assertions.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

from streaming import warehouse
from streaming.loader import __main__ as loader
from streaming.loader import sink

POINTS: Final = {
    "before_put": ("PUT", False),
    "after_copy": ("COPY", True),
    "before_commit": ("COMMIT", False),
    "after_commit": ("COMMIT", True),
}
"""The statement, and whether the warehouse has done it when the process dies."""
BULK_ROWS: Final = 100
"""So that a test's batch goes by PUT and COPY."""


class Mortal:
    """A connection whose process ends at the chosen statement of a batch that was copied from a file."""

    def __init__(self, real: Any, statement: str, done: bool) -> None:
        self._real, self._statement, self._done = real, statement, done
        self._put = False

    def cursor(self) -> Any:
        return self

    def execute(self, statement: str, binds: Any = None) -> Any:
        word = statement.split(" ", 1)[0]
        self._put |= word == "PUT"
        struck = self._put and word == self._statement
        if struck and not self._done:
            os.kill(os.getpid(), signal.SIGKILL)
        result = self._real.cursor().execute(statement, binds)
        if struck:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def close(self, *arguments: Any, **options: Any) -> None:
        self._real.close(*arguments, **options)


def main() -> int:
    statement, done = POINTS[sys.argv[1]]
    really = warehouse.open_connection

    def connect(*arguments: Any, **options: Any) -> Any:
        return Mortal(really(*arguments, **options), statement, done)

    warehouse.open_connection = connect
    sink.BULK_ROWS = BULK_ROWS  # type: ignore[misc]
    return loader.main()


if __name__ == "__main__":
    sys.exit(main())
