"""The one place that configures logging: JSON lines, UTC, secrets masked.

What belongs here: processors and set-up. What does not: file rotation (the supervisor does it) and what is
worth logging (each part decides).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from streaming.settings import Settings

MASK = "********"


def _secret_values(settings: Settings) -> tuple[str, ...]:
    secrets = (
        settings.kafka_sasl_password,
        settings.snowflake_password,
        settings.snowflake_private_key_passphrase,
    )
    return tuple(value.get_secret_value() for value in secrets if value is not None)


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {key: _masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item, secrets) for item in value]
    return value


def quiet() -> None:
    """Show nothing below an error: for a command whose output is its answer."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def configure(
    settings: Settings, service: str, *, verbose: bool = False, stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's records through one JSON formatter.

    Args:
        settings: gives the level and the secrets to mask.
        service: bound to every line as `service`.
        verbose: log debug lines whatever the setting says.
        stream: where to; None is standard output.
    """
    secrets = _secret_values(settings)

    def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: _masked(value, secrets) for key, value in event.items()}

    def name_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # A context variable would not reach the lines of other threads.
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    level = logging.DEBUG if verbose else getattr(logging, settings.log_level.upper())
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.dict_tracebacks,
                mask,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "snowflake.connector", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
