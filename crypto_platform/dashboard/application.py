"""The parts of one dashboard put together, and the web application that serves them.

What belongs here: wiring, life and death of the parts, and what holds for every answer. What does not:
answers (`api`, `pages`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crypto_platform.dashboard.acknowledgements import Acknowledgements
from crypto_platform.dashboard.feed import Feed
from crypto_platform.dashboard.frames import Frames
from crypto_platform.dashboard.history import History
from crypto_platform.dashboard.metrics import DashboardCollector, registry
from crypto_platform.dashboard.pipeline import Picture, Pipeline
from crypto_platform.dashboard.state import MarketState
from crypto_platform.dashboard.stream import Stream
from streaming.settings import LOOPBACK, Settings

log = structlog.get_logger(__name__)

CATCH_UP_S: Final = 10.0
HOSTS: Final = (LOOPBACK, "localhost")
"""Names under which a browser may ask: another one would be a page elsewhere that points at this machine."""

# Vue compiles the pages' templates in the browser, which is what 'unsafe-eval' is for.
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; "
        "frame-ancestors 'none'; base-uri 'self'"
    ),
}


class Dashboard:
    """Everything one dashboard consists of.

    Raises:
        SettingsError: its folder cannot be written.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.halt = threading.Event()
        self.acknowledgements = Acknowledgements(settings.home.absolute() / "dashboard")
        self.state = MarketState(self.acknowledgements.ids)
        self.feed = Feed(settings, self.state, self.halt)
        self.history = History(settings)
        self.pipeline = Pipeline(settings, self.state, self.feed, self.halt)
        self._sent: Picture | None = None
        self.frames = Frames(self.state, self._new_picture)
        self.stream = Stream(self.frames, lambda: {"pipeline": self.pipeline.picture})
        self.metrics = registry(
            DashboardCollector(self.state, self.feed, self.frames, self.history, lambda: self.stream.viewers)
        )

    def _new_picture(self) -> dict[str, Any] | None:
        picture = self.pipeline.picture
        if picture is self._sent:
            return None
        self._sent = picture
        return {"pipeline": picture}

    def acknowledge(self, finding_id: str) -> bool:
        """Remember that a finding was seen; False if there is no such finding."""
        if not self.state.acknowledge(finding_id):
            return False
        self.acknowledgements.add(finding_id)
        return True

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether it shows what is in Kafka now, and the details."""
        ok = self.feed.connected and self.feed.caught_up.is_set()
        return ok, {
            "ready": ok,
            "kafka": "connected" if self.feed.connected else "down",
            "markets": len(self.state.markets()),
            "viewers": self.stream.viewers,
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All threads and tasks, until the block ends; it begins when Kafka has been read, or after 10 s."""
        self.feed.start()
        self.pipeline.start()
        task = asyncio.create_task(self.stream.run(), name="frames")
        # Who asks before Kafka has been read would be told that there are no markets.
        if not await asyncio.to_thread(self.feed.caught_up.wait, CATCH_UP_S):
            log.warning("serving before Kafka has been read", seconds=CATCH_UP_S)
        try:
            yield
        finally:
            self.halt.set()
            await self.stream.stop()
            await task
            await asyncio.to_thread(self.feed.join)
            await asyncio.to_thread(self.pipeline.join)
            self.history.close()


class SecurityHeaders:
    """Adds the headers above to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def create(dashboard: Dashboard, *, with_pages: bool = True) -> FastAPI:
    """The web application; without pages it serves the API alone."""
    from crypto_platform.dashboard import api

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        begun_s = time.monotonic()
        async with dashboard.running():
            log.info("dashboard serves", seconds=round(time.monotonic() - begun_s, 2))
            yield

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))

    @app.get("/ready")
    def ready() -> Response:
        ok, details = dashboard.ready()
        return JSONResponse(details, status_code=200 if ok else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(dashboard.metrics), media_type=CONTENT_TYPE_LATEST)

    app.mount("/api/v1", api.create(dashboard))
    if with_pages:
        from crypto_platform.dashboard import pages

        pages.register(dashboard, app)
    return app
