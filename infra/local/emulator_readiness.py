"""Whether the embedded Snowflake answers.

What belongs here: the question. What does not: the server (`infra.local.emulator`), whose import alone costs
a second and makes a temporary folder.
"""

from __future__ import annotations

import httpx

from streaming.settings import Settings


def is_ready(settings: Settings, timeout_s: float = 2.0) -> bool:
    """Whether the emulator of `settings` answers requests now. Costs one small HTTP request."""
    url = f"http://{settings.host('emulator')}:{settings.ports.emulator}/session"
    try:
        answer = httpx.post(url, timeout=timeout_s, trust_env=False)
    except httpx.HTTPError:
        return False
    # Without a session token the emulator refuses with its own code, which tells it from any other server.
    return answer.status_code == 401 and "390103" in answer.text
