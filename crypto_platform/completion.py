"""What the shell offers when Tab is pressed: names of services and logs.

What belongs here: quick look-ups without a running stack. What does not: installing the completion
(`crypto-platform --install-completion`, typer's own).
"""

from __future__ import annotations

from streaming import settings as settings_module
from streaming.errors import PlatformError


def log_names() -> list[str]:
    """The services that have a log here; none where the settings are wrong, which other commands say."""
    try:
        folder = settings_module.load().log_folder
    except PlatformError:
        return []
    return sorted(path.stem for path in folder.glob("*.log"))


def complete_log(incomplete: str) -> list[str]:
    """Logs that begin so."""
    return [name for name in log_names() if name.startswith(incomplete)]


def complete_service(incomplete: str) -> list[str]:
    """Services that begin so; what is no service but has a log is left out."""
    return [name for name in complete_log(incomplete) if name not in ("migrations", "supervisord")]
