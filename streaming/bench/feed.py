"""`python -m streaming.bench.feed`: a loopback exchange whose only skill is speed.

What belongs here: OKX's handshake, subscriptions, `trades-all` and `tickers`, and the REST answers that a
producer's start asks for. What does not: a market, history, faults, limits (`streaming.simulator`).

Without a rate it sends as fast as the reader takes: the socket blocks, which is TCP's own back-pressure.
With a rate, whatever has become due is sent every millisecond; what the reader does not take in time is sent
later, and counted as overdue.

`GET /feed` says what was sent, `POST /feed/stop` ends the sending; connections stay open until the process
ends.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from streaming.bench.frames import BLOCK, FRAME_SHAPE, TradeFrames
from streaming.settings import LOOPBACK

SLICE_S: Final = 0.001
CHUNK: Final = BLOCK // 4
TICKER_S: Final = 1.0
_SEND_BUFFER: Final = 1024 * 1024
_WAIT_S: Final = 0.2
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""


class _Wanted(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str


class _Request(msgspec.Struct):
    op: str
    args: list[_Wanted]
    id: str = ""


_request_decoder: Final = msgspec.json.Decoder(_Request)


def text_frame(text: str) -> bytes:
    """One unmasked text message (RFC 6455, section 5.2) of less than 64 KiB."""
    body = text.encode()
    size = bytes([len(body)]) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
    return b"\x81" + size + body


def unmask(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take the first complete client frame (masked) out of `buffer`: its opcode and payload."""
    if len(buffer) < 6:
        return None
    length, at = buffer[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(buffer[2:4], "big"), 4
    end = at + 4 + length
    if len(buffer) < end:
        return None
    mask, payload, opcode = buffer[at : at + 4], buffer[at + 4 : end], buffer[0] & 0x0F
    del buffer[:end]
    return opcode, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Feed:
    """The tape, its pace, and what has been sent of it.

    Args:
        rate: trades a second over all pairs; None for as fast as they are read.
        seconds: sending ends by itself after this long.
    """

    def __init__(self, pairs: Sequence[str], rate: float | None, seconds: float) -> None:
        self.frames = TradeFrames(pairs)
        self.rate = rate
        self.seconds = seconds
        self.sent = 0
        self.sent_bytes = 0
        self.overdue_max = 0
        self.sending_s = 0.0
        self.stopped = threading.Event()
        self._taken = threading.Lock()
        self._busy = threading.Lock()

    def claim(self) -> bool:
        """Whether the caller may send the tape; one connection may, and only once."""
        return self._taken.acquire(blocking=False)

    def run(self, connection: socket.socket) -> None:
        """Send until stopped, or until the reader is gone."""
        began_s = time.monotonic()
        while not self.stopped.is_set():
            elapsed_s = time.monotonic() - began_s
            if elapsed_s >= self.seconds:
                break
            due = CHUNK if self.rate is None else int(elapsed_s * self.rate) - self.sent
            if due <= 0:
                time.sleep(SLICE_S)
                continue
            if self.rate is not None:
                self.overdue_max = max(self.overdue_max, due)
            with self._busy:
                data, count = self.frames.take(min(due, CHUNK), time.time_ns() // 1_000_000)
                connection.sendall(data)
                self.sent += count
                self.sent_bytes += len(data)
                self.sending_s = time.monotonic() - began_s
        self.stopped.set()

    def report(self) -> dict[str, object]:
        """What was sent, and by how many trades it was ever late."""
        return {
            "frames": self.sent,
            "bytes": self.sent_bytes,
            "seconds": self.sending_s,
            "overdue_max": self.overdue_max,
            "stopped": self.stopped.is_set(),
            "cpu_seconds": time.process_time(),
            "frame_shape": FRAME_SHAPE,
            "ids": self.frames.ranges(),
        }

    def stop(self) -> None:
        """Stop sending, and return when the last frame is out."""
        self.stopped.set()
        with self._busy:
            return


class Client(threading.Thread):
    """One accepted connection: a REST request, or a WebSocket until its end."""

    def __init__(self, connection: socket.socket, feed: Feed) -> None:
        super().__init__(daemon=True)
        self._socket = connection
        self._feed = feed
        self._buffer = bytearray()
        self._ticker_pairs: list[str] = []
        self._ticker_due_s = 0.0

    def run(self) -> None:
        try:
            with self._socket:
                self._serve()
        except OSError:
            # The reader has gone away, which ends this connection and nothing else.
            return

    def _serve(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65_536)
            if not data:
                return
            self._buffer += data
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        request, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("upgrade", "").lower() == "websocket":
            digest = hashlib.sha1((headers["sec-websocket-key"] + _GUID).encode()).digest()
            accept = base64.b64encode(digest).decode()
            self._socket.sendall(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            self._converse()
        else:
            self._answer(method, target.partition("?")[0])

    def _answer(self, method: str, path: str) -> None:
        status, body = "200 OK", self._rest(method, path)
        if body is None:
            status, body = "404 Not Found", {"code": "404", "msg": "not here", "data": []}
        data = json.dumps(body).encode()
        self._socket.sendall(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + data
        )

    def _rest(self, method: str, path: str) -> dict[str, object] | None:
        match method, path:
            case "GET", "/api/v5/public/time":
                return {"code": "0", "msg": "", "data": [{"ts": str(time.time_ns() // 1_000_000)}]}
            case "GET", "/api/v5/public/instruments":
                rows = [{"instId": pair, "state": "live"} for pair in self._feed.frames.pairs]
                return {"code": "0", "msg": "", "data": rows}
            case "POST", "/feed/stop":
                self._feed.stop()
                return self._feed.report()
            case "GET", "/feed":
                return self._feed.report()
        return None

    def _converse(self) -> None:
        while True:
            while (frame := unmask(self._buffer)) is not None:
                opcode, payload = frame
                if opcode == 0x8:
                    return
                if payload == b"ping":
                    self._socket.sendall(text_frame("pong"))
                elif opcode == 0x1 and self._subscribe(_request_decoder.decode(payload)):
                    self._feed.run(self._socket)
            self._push_tickers()
            if not select.select([self._socket], [], [], _WAIT_S)[0]:
                continue
            data = self._socket.recv(65_536)
            if not data:
                return
            self._buffer += data

    def _subscribe(self, request: _Request) -> bool:
        """Acknowledge every subscription; return whether this connection now carries the trades."""
        for wanted in request.args:
            arg = {"channel": wanted.channel, "instId": wanted.inst_id}
            answer = {"id": request.id, "event": "subscribe", "arg": arg, "connId": "b3ac41ed"}
            self._socket.sendall(text_frame(json.dumps(answer)))
        self._ticker_pairs = [wanted.inst_id for wanted in request.args if wanted.channel == "tickers"]
        if any(wanted.channel == "trades-all" for wanted in request.args):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._feed.claim()
        return False

    def _push_tickers(self) -> None:
        if not self._ticker_pairs or time.monotonic() < self._ticker_due_s:
            return
        self._ticker_due_s = time.monotonic() + TICKER_S
        for pair in self._ticker_pairs:
            row = {"instId": pair, "last": "5", "bidPx": "4.9", "bidSz": "1", "askPx": "5.1", "askSz": "1"}
            row["ts"] = str(time.time_ns() // 1_000_000)
            push = {"arg": {"channel": "tickers", "instId": pair}, "data": [row]}
            self._socket.sendall(text_frame(json.dumps(push)))


def serve(listener: socket.socket, feed: Feed) -> None:
    """Accept connections until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        Client(connection, feed).start()


def main(arguments: list[str] | None = None) -> int:
    """Listen, say the port on standard output, serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m streaming.bench.feed", description=__doc__)
    parser.add_argument("--pairs", required=True, help="separated by commas")
    parser.add_argument("--rate", type=float, help="trades a second; without it, as fast as they are read")
    parser.add_argument("--seconds", type=float, default=600.0, help="the longest it will send")
    given = parser.parse_args(arguments)
    listener = socket.create_server((LOOPBACK, 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    serve(listener, Feed(given.pairs.split(","), given.rate, given.seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
