"""The HTTP client for an exchange's REST interface: limits, time-outs, no retries.

What belongs here: sending one request within its documented limit. What does not: what to ask
(`streaming.exchanges.<venue>.rest`) and whether to ask again (`filler`, `preflight`).
"""

from __future__ import annotations

import threading
import time
from typing import Final
from urllib.parse import urlsplit

import httpx

from streaming.exchanges.venue import RestError, RestReply, RestRequest
from streaming.producer.backoff import RateLimiter

TIMEOUT_S: Final = 10.0


def is_loopback(url: str) -> bool:
    """Whether an address names this machine."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


class RestClient:
    """Thread-safe. `stop`, when set, ends waiting for a limit.

    Args:
        base_url: what the requests' paths are appended to.
        stop: ends waits early.
        transport: in place of the network, for tests.
        timeout_s: for connecting and for each read.
    """

    def __init__(
        self,
        base_url: str,
        stop: threading.Event,
        transport: httpx.BaseTransport | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._stop = stop
        self._limiters: dict[str, RateLimiter] = {}
        self._lock = threading.Lock()
        # A proxy from the environment must not be asked for an address on this machine.
        self._client = httpx.Client(
            timeout=timeout_s, transport=transport, trust_env=not is_loopback(base_url)
        )
        self.requests = 0

    def get(self, request: RestRequest) -> RestReply:
        """The reply, whatever its status.

        Raises:
            RestError: no reply (retryable), or the process is stopping (not retryable).
        """
        with self._lock:
            limiter = self._limiters.setdefault(request.limit.name, RateLimiter(request.limit))
        if self._stop.wait(limiter.reserve_s()):
            raise RestError("The process is stopping.", retryable=False)
        self.requests += 1
        try:
            response = self._client.get(self.base_url + request.path, params=dict(request.params))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RestError(
                f"{self.base_url} does not answer ({error or type(error).__name__}).", retryable=True
            ) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return RestReply(response.status_code, response.content, time.time_ns(), headers)

    def close(self) -> None:
        self._client.close()
