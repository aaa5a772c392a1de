"""`python -m infra.docker.health http://127.0.0.1:9101/ready` or `… tcp://127.0.0.1:4000`: a health check.

What belongs here: the question, in a process that starts in a tenth of a second. What does not: what ready
means (each service's `/ready`).
"""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_S: Final = 4.0


def trouble(url: str, timeout_s: float = TIMEOUT_S) -> str:
    """Why `url` is not healthy; empty when it is: the port accepts (tcp), or the answer is 200 (http)."""
    address = urlsplit(url)
    try:
        if address.scheme == "tcp":
            with socket.create_connection((address.hostname or "", address.port or 0), timeout_s):
                return ""
        # A proxy of the environment is not asked about our own network.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=timeout_s) as answer:
            return "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def main(arguments: list[str]) -> int:
    """0 if every address is healthy, else 1 with the reasons on standard output, which the engine keeps."""
    reasons = [f"{url}: {reason}" for url in arguments if (reason := trouble(url))]
    sys.stdout.writelines(f"{reason}\n" for reason in reasons)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
