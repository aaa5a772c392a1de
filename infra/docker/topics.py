"""`python -m infra.docker.topics`: create the topics as soon as all brokers are there, once, and end.

What belongs here: the wait. What does not: which topics (`streaming.topics`), creating (`streaming.kafka`).
"""

from __future__ import annotations

import sys
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from streaming import kafka, settings
from streaming.errors import PlatformError, ServiceUnavailableError, SettingsError

WAIT_S: Final = 120.0


def main() -> int:
    """Entry point; returns the exit code."""
    retrying = Retrying(
        # SettingsError: fewer brokers are there than a topic has copies.
        retry=retry_if_exception_type((ServiceUnavailableError, SettingsError)),
        stop=stop_after_delay(WAIT_S),
        wait=wait_random_exponential(multiplier=0.5, max=5.0),
        reraise=True,
    )
    try:
        configured = settings.load()
        made = retrying(kafka.create_topics, configured)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"created: {', '.join(made) or 'nothing, all were there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
