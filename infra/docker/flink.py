"""`python -m infra.docker.flink jobmanager`, `taskmanager-1` or `taskmanager-2`: one process of Flink.

What belongs here: writing the configuration and becoming the JVM, so that it gets the engine's signals. What
does not: the configuration (`infra.local.flink`), which is that of one machine with other host names.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from infra.local import flink
from streaming import settings as settings_module
from streaming.errors import PlatformError
from streaming.settings import Settings

TASKMANAGERS: Final = {f"taskmanager-{index + 1}": index for index in flink.TASKMANAGERS}
TASKMANAGER_PORTS: Final = (6131, 6132)
"""Fixed, so that a health check can ask; moved by `CRYPTO_PORT_OFFSET` like every port."""


def command(settings: Settings, process: str) -> list[str]:
    """The command line of the JVM."""
    if process == "jobmanager":
        return flink.jobmanager_command(settings)
    index = TASKMANAGERS[process]
    port = TASKMANAGER_PORTS[index] + settings.port_offset
    return [*flink.taskmanager_command(settings, index), "-D", f"taskmanager.rpc.port={port}"]


def main(arguments: list[str]) -> int:
    """Entry point; becomes the JVM if all is well, and returns an exit code otherwise."""
    if len(arguments) != 1 or arguments[0] not in ("jobmanager", *TASKMANAGERS):
        sys.stderr.write(f"usage: python -m infra.docker.flink jobmanager|{'|'.join(TASKMANAGERS)}\n")
        return 2
    try:
        settings = settings_module.load()
        flink.write_config(settings, flink.configuration_folder(settings))
        line = command(settings, arguments[0])
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    os.execve(line[0], line, {**os.environ, **flink.environment(settings)})
    raise AssertionError("execve does not return")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
