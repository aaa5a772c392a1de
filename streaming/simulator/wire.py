"""One WebSocket connection of a client, fast enough for tens of thousands of frames a second.

What belongs here: handshake, framing, buffering, closing. What does not: what the text means (a venue's
`Session`) and who gets what (`hub`).

The server hands an upgraded connection to `ClientSocket`. Reading and the handshake are done by the
`websockets` library's protocol object; outgoing text is framed here (RFC 6455, section 5.2: a server's frames
are not masked), many frames go out in one write, and a frame for many clients is made once.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from streaming.simulator.hub import Hub, Session

MAX_MESSAGE_BYTES = 64 * 1024
BUFFER_LIMIT_BYTES = 32 * 1024 * 1024
CLOSE_WAIT_SECONDS = 2.0


def text_frame(payload: bytes) -> bytes:
    """A complete, unmasked text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class ClientSocket(asyncio.Protocol):
    """One connection. All methods are called in the event loop.

    Args:
        hub: where it registers.
        config, server_state, app_state: given by the server that hands the connection over.
    """

    def __init__(
        self,
        hub: Hub,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._hub = hub
        self._open_connections: set[Any] = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._transport: asyncio.Transport
        self._session: Session | None = None
        self._out: list[bytes] = []
        self._parts: list[bytes] = []
        self._closing = False
        self.path = ""
        self.connection_id = secrets.token_hex(4)
        now = self._loop.time()
        self.last_activity = now
        """Loop time of the last push or ping."""
        self.ponged_at = now
        """Loop time of the last answer to a ping, or of the connection."""
        self.unsubscribed_since: float | None = now
        self.topics: set[tuple[str, str]] = set()
        self.silent_until = 0.0
        """Loop time until which nothing is pushed."""
        self.mute_until = 0.0
        """Loop time until which nothing is answered either."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Event loops other than asyncio's own have transports that only look like asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BUFFER_LIMIT_BYTES)
        self._open_connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._handshake(event)
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.ponged_at = self._loop.time()
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    text = b"".join(self._parts)
                    self._parts.clear()
                    self._received(text)
        if self._loop.time() < self.mute_until:
            self._protocol.data_to_send()
            return
        self._send_protocol_data()
        if self._protocol.close_rcvd is not None:
            self._closing = True
            self._transport.close()
        elif self._protocol.close_expected():
            # Closing with unread bytes would reset the connection and lose the close frame.
            self._closing = True
            self._loop.call_later(CLOSE_WAIT_SECONDS, self._transport.abort)

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._open_connections.discard(self)
        self._hub.forget(self)

    def shutdown(self) -> None:
        """The server is going away."""
        self.close(1001, "going away")
        self._transport.close()

    def pause_writing(self) -> None:
        """The client does not read: more than the buffer limit waits for it."""
        self._hub.overflowed(self)

    def push(self, frames: bytes) -> None:
        """Queue complete frames of market data until `flush`; dropped while the connection is silent."""
        now = self._loop.time()
        if now < self.silent_until or self._closing:
            return
        if not self._out:
            self._hub.dirty.append(self)
        self._out.append(frames)
        self.last_activity = now

    def answer(self, text: str) -> None:
        """Queue one text in reply to the client; dropped while the connection is mute."""
        if self._loop.time() < self.mute_until or self._closing:
            return
        if not self._out:
            self._hub.dirty.append(self)
        self._out.append(text_frame(text.encode()))

    def pinged(self) -> None:
        """The client has sent its heartbeat."""
        self.last_activity = self._loop.time()

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping; not while the connection is mute."""
        if self._loop.time() < self.mute_until or self._closing:
            return
        self.flush()
        self._protocol.send_ping(payload)
        self._send_protocol_data()

    def flush(self) -> None:
        """Write what is queued, in one go."""
        if self._out and not self._closing:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def close(self, code: int, reason: str) -> None:
        """Close with a code; without an answer from the client the connection is aborted soon after."""
        if self._closing:
            return
        self.flush()
        self._closing = True
        try:
            self._protocol.send_close(code, reason)
        except ConnectionClosed:
            self._transport.abort()
            return
        self._send_protocol_data()
        self._loop.call_later(CLOSE_WAIT_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Cut the connection without a closing handshake, as a lost network does."""
        self._closing = True
        self._transport.abort()

    def vanish(self, seconds: float) -> None:
        """Read and write nothing more, as a host that lost its power; cut after `seconds`."""
        self._closing = True
        self._out.clear()
        self._transport.pause_reading()
        self._loop.call_later(seconds, self._transport.abort)

    def _handshake(self, request: Request) -> None:
        self.path = request.path.partition("?")[0]
        venue = self._hub.venue_of(self.path)
        if venue is None:
            response = self._protocol.reject(HTTPStatus.NOT_FOUND, f"There is no WebSocket at {self.path}.\n")
        else:
            response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send_protocol_data()
        if venue is not None and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._session = venue.open(self)
            self._hub.add(self)

    def _received(self, text: bytes) -> None:
        if self._session is not None and not self._closing:
            self._session.received(text)
            self.flush()

    def _send_protocol_data(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                # TLS knows no half-closed connection.
                self._transport.close()
