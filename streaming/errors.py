"""Typed errors of the data plane that end a command with one clear line.

What belongs here: the base class and the errors shared by several parts. An error that only one part
raises lives in that part and derives from `PlatformError`.
"""

from __future__ import annotations


class PlatformError(Exception):
    """A failure a person can act on.

    Args:
        what: one sentence that names the setting, record or place.
        remedy: one sentence that says what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what if not remedy else f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class SettingsError(PlatformError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = 2


class UnknownPairError(SettingsError):
    """A configured pair does not exist, or is not trading, on the exchange."""


class RecordError(PlatformError):
    """A record violates the data contract; it goes to the dead letters with this reason."""


class ServiceUnavailableError(PlatformError):
    """Kafka, Flink, the warehouse or an exchange did not answer within its time limit."""
