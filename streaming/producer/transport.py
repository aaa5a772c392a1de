"""One WebSocket connection: handshake by websocket-client, frames read in bulk.

What belongs here: bytes on the wire, RFC 6455 framing. What does not: what a message means
(`streaming.exchanges`) and when to connect (`connection`).

websocket-client does the handshake, TLS, proxies and sending. Reading is done here because that library
asks the kernel two or three times per frame; one read that may hold hundreds of frames is several times
faster, and all of them carry the time at which they really arrived. Compression is never offered.

Reads that brought something are `READ_EVERY_S` apart, and each takes all that has come. A market of a
thousand trades a second would else wake this process and Kafka's client a thousand times a second, for a
handful of microseconds' work each time. A busy socket is read without any pause.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Final

import websocket

READ_EVERY_S: Final = 0.01
"""Costs a trade 5 ms in the mean, out of the 50 that the way to Kafka may take."""
_READ_BYTES: Final = 262_144
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024
MESSAGE_MAX: Final = 16 * 1024 * 1024
"""A longer message is refused with close code 1009: market data comes in hundreds of bytes."""

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ConnectError(Exception):
    """The connection could not be opened."""


class ConnectionClosedError(Exception):
    """The connection is gone; `code` is the close frame's, None when there was none."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class FrameParser:
    """Server-to-client frames (RFC 6455, section 5) out of a stream of bytes. Pure.

    `feed` returns complete messages; answers to control frames gather in `pongs`, and a close frame ends
    up in `closed`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fragments: bytearray | None = None
        self.pongs: list[bytes] = []
        self.closed: tuple[int | None, str] | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now.

        Raises:
            ConnectionClosedError: the server broke the protocol (1002) or sent too much (1009).
        """
        buffer = self._buffer
        buffer += data
        end = len(buffer)
        at = 0
        messages: list[bytes] = []
        while end - at >= 2 and self.closed is None:
            first, length = buffer[at], buffer[at + 1]
            body = at + 2
            if length == 126:
                body = at + 4
                if body > end:
                    break
                length = buffer[at + 2] << 8 | buffer[at + 3]
            elif length == 127:
                body = at + 10
                if body > end:
                    break
                length = int.from_bytes(buffer[at + 2 : body], "big")
            elif length > 127:
                raise ConnectionClosedError(1002, "a masked frame from the server")
            if length > MESSAGE_MAX:
                raise ConnectionClosedError(1009, f"a frame of {length} bytes")
            if body + length > end:
                break
            payload = bytes(buffer[body : body + length])
            at = body + length
            if first == 0x80 | _TEXT and self._fragments is None:
                messages.append(payload)
            else:
                self._uncommon(first, payload, messages)
        del buffer[:at]
        return messages

    def _uncommon(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        final, opcode = bool(first & 0x80), first & 0x0F
        if first & 0x70:
            raise ConnectionClosedError(1002, "a reserved bit is set")
        if opcode >= _CLOSE:
            if not final or len(payload) > 125:
                raise ConnectionClosedError(1002, "a malformed control frame")
            self._control(opcode, payload)
            return
        if opcode == _CONTINUATION:
            if self._fragments is None:
                raise ConnectionClosedError(1002, "a continuation of nothing")
        elif opcode not in (_TEXT, _BINARY) or self._fragments is not None:
            raise ConnectionClosedError(1002, f"an unexpected frame of type {opcode}")
        else:
            self._fragments = bytearray()
        self._fragments += payload
        if len(self._fragments) > MESSAGE_MAX:
            raise ConnectionClosedError(1009, "a message in too many fragments")
        if final:
            messages.append(bytes(self._fragments))
            self._fragments = None

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.pongs.append(payload)
        elif opcode == _CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None
            self.closed = (code, payload[2:].decode("utf-8", "replace"))
        elif opcode != _PONG:
            raise ConnectionClosedError(1002, f"an unknown control frame {opcode}")


class Transport:
    """An open connection, used by one thread.

    Args:
        url: ws:// or wss:// address.
        timeout_s: for the handshake and for sending.
        poll_s: `receive` returns empty-handed after this.

    Raises:
        ConnectError: the address is wrong, unreachable or refuses.
    """

    def __init__(self, url: str, timeout_s: float, poll_s: float) -> None:
        self._poll_s = poll_s
        self._timeout_s = timeout_s
        self._parser = FrameParser()
        self._read_at_s = 0.0
        self._ended = False
        try:
            self._socket = websocket.create_connection(
                url,
                timeout=timeout_s,
                enable_multithread=False,
                sockopt=(
                    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                    (socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER),
                ),
            )
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise ConnectError(str(error)[:300] or type(error).__name__) from error
        self._raw = self._socket.sock
        self._encrypted = isinstance(self._raw, ssl.SSLSocket)
        self._raw.settimeout(poll_s)

    def receive(self) -> tuple[list[bytes], int]:
        """The messages that have arrived, and the wall-clock time (ns) at which they had.

        Raises:
            ConnectionClosedError: after the last message has been returned.
        """
        if self._parser.closed is not None:
            raise ConnectionClosedError(*self._parser.closed)
        early_s = self._read_at_s + READ_EVERY_S - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)
        data = self._read()
        receive_time_ns = time.time_ns()
        if not data:
            return [], receive_time_ns
        self._read_at_s = time.monotonic()
        messages = self._parser.feed(data)
        while self._parser.pongs:
            self._send(self._parser.pongs.pop(0), _PONG)
        return messages, receive_time_ns

    def _read(self) -> bytes:
        """All that has come, or nothing after `poll_s` without anything."""
        if self._ended:
            raise ConnectionClosedError(None, "the server closed the socket")
        try:
            data: bytes = self._raw.recv(_READ_BYTES)
            if data and self._encrypted:
                data += self._read_records(len(data))
        except TimeoutError:
            return b""
        except OSError as error:
            raise ConnectionClosedError(None, str(error)) from error
        if not data:
            raise ConnectionClosedError(None, "the server closed the socket")
        return data

    def _read_records(self, size: int) -> bytes:
        """What else has come: a read of an encrypted socket brings one record, often a single frame."""
        records: list[bytes] = []
        self._raw.setblocking(False)
        try:
            while size < _READ_BYTES:
                records.append(self._raw.recv(_READ_BYTES))
                if not records[-1]:
                    self._ended = True
                    break
                size += len(records[-1])
        except ssl.SSLWantReadError:
            pass  # nothing more has come
        finally:
            self._raw.settimeout(self._poll_s)
        return b"".join(records)

    def send(self, text: str) -> None:
        """Send a text message. Raises ConnectionClosedError."""
        self._send(text, _TEXT)

    def _send(self, payload: bytes | str, opcode: int) -> None:
        try:
            self._raw.settimeout(self._timeout_s)
            self._socket.send(payload, opcode)
            self._raw.settimeout(self._poll_s)
        except (websocket.WebSocketException, OSError) as error:
            raise ConnectionClosedError(None, str(error)) from error

    def close(self) -> None:
        """Say goodbye if the peer still listens, and free the socket."""
        try:
            self._raw.settimeout(1.0)
            self._socket.send_close()
        except (websocket.WebSocketException, OSError):
            # The peer is gone, which is what closing wants.
            return
        finally:
            self._raw.close()
