"""Failures of the conversation with Flink.

What belongs here: one class for each thing a caller handles differently. What does not: failures of a job,
which are states (`streaming.flink.rest.Job.state`).
"""

from __future__ import annotations

from streaming.errors import PlatformError, ServiceUnavailableError


class FlinkUnavailableError(ServiceUnavailableError):
    """Flink's REST address does not answer, or answers with a server error."""


class FlinkRequestError(PlatformError):
    """Flink refused a request, or answered with something else than its REST API promises."""


class JobNotFoundError(FlinkRequestError):
    """Flink does not know the job, vertex or savepoint."""


class SavepointError(PlatformError):
    """A savepoint failed or did not complete in time."""


class SubmissionError(PlatformError):
    """A job could not be planned or was not accepted by the cluster."""
