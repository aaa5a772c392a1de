"""Errors about recordings that end a command with one clear line.

What belongs here: these types. What does not: errors of exchanges (`streaming.errors`,
`streaming.exchanges`).
"""

from __future__ import annotations

from streaming.errors import PlatformError


class RecordingError(PlatformError):
    """A recording cannot be written, or what was named is none."""

    exit_code = 2
