"""The small HTTP endpoint of each long-running part: `/metrics` for Prometheus and `/ready`.

What belongs here: serving. What does not: which metrics exist (each part declares its own, in one module
called `metrics`) and what ready means (each part passes a function).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from streaming.errors import SettingsError
from streaming.settings import LOOPBACK

Readiness = Callable[[], tuple[bool, Mapping[str, object]]]
"""Whether the part does its work now, and the details as JSON values."""


class Telemetry:
    """The endpoint, running in a daemon thread until `close()`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def serve(port: int, registry: CollectorRegistry, ready: Readiness, host: str = LOOPBACK) -> Telemetry:
    """Serve `registry` and `ready` on `host:port`; `/ready` answers 200 or 503 with the details.

    Raises:
        SettingsError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/ready":
                ok, details = ready()
                body = json.dumps({"ready": ok, **details}, default=str).encode()
                self._answer(200 if ok else 503, "application/json", body)
            else:
                self._answer(404, "text/plain", b"Only /metrics and /ready are here.\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged: a scrape every few seconds would drown what matters."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise SettingsError(
            f"Port {port} for /metrics is taken ({error.strerror}).",
            "Set CRYPTO_METRICS_PORT or CRYPTO_PORT_OFFSET.",
        ) from error
    server.daemon_threads = True
    return Telemetry(server)
