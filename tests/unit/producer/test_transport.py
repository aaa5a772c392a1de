"""RFC 6455 frames out of a stream that is cut anywhere, and out of real sockets."""

import base64
import hashlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.producer.transport import (
    MESSAGE_MAX,
    READ_EVERY_S,
    ConnectError,
    ConnectionClosedError,
    FrameParser,
    Transport,
)


def frame(payload: bytes, opcode: int = 0x1, *, final: bool = True) -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), max_size=4), st.data())
def test_messages_of_every_size_survive_every_cut(sizes, data):
    payloads = [bytes([number]) * size for number, size in enumerate(sizes)]
    stream = b"".join(map(frame, payloads))
    parser = FrameParser()
    found = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert found == payloads


def test_fragments_are_joined_and_control_frames_between_them_are_served():
    stream = frame(b"ab", final=False) + frame(b"hey", 0x9) + frame(b"cd", 0x0) + frame(b"next")
    parser = FrameParser()
    assert parser.feed(stream) == [b"abcd", b"next"]
    assert parser.pongs == [b"hey"]


def test_what_came_before_a_close_is_delivered_and_what_comes_after_is_not():
    parser = FrameParser()
    close = frame((4004).to_bytes(2, "big") + b"no data", 0x8)
    assert parser.feed(frame(b"last") + close + frame(b"late")) == [b"last"]
    assert parser.closed == (4004, "no data")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x81mask!", 1002),
        (b"\xc1\x01x", 1002),
        (frame(b"x", 0x3), 1002),
        (frame(b"x", 0x0), 1002),
        (frame(b"x", 0xB), 1002),
        (frame(b"a", final=False) + frame(b"b"), 1002),
        (frame(b"x" * 126, 0x9), 1002),
        (b"\x81\x7f" + (MESSAGE_MAX + 1).to_bytes(8, "big"), 1009),
    ],
)
def test_a_server_that_breaks_the_protocol_is_left(stream, code):
    with pytest.raises(ConnectionClosedError) as caught:
        FrameParser().feed(stream)
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/x", "ws://", "ws://no-such-host.invalid/"])
def test_an_address_that_cannot_be_reached_is_one_error(url):
    with pytest.raises(ConnectError):
        Transport(url, 2.0, 0.1)


class Server:
    """Accepts one WebSocket connection on loopback and sends what it is told, each piece on its own."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._connected = threading.Event()
        scheme, port = ("wss" if context else "ws"), self._listener.getsockname()[1]
        self.url = f"{scheme}://localhost:{port}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        wire, _ = self._listener.accept()
        self._wire = self._context.wrap_socket(wire, server_side=True) if self._context else wire
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._wire.recv(4096)
        key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        magic = key.split(b": ")[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic).digest()).decode()
        self._wire.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._connected.set()

    def send(self, *pieces: bytes) -> None:
        assert self._connected.wait(5)
        for piece in pieces:
            self._wire.sendall(piece)

    def close(self) -> None:
        self._listener.close()
        self._wire.close()


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory) -> tuple[ssl.SSLContext, str]:
    """A server's context for `localhost`, and the file that makes clients trust it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, str(pem)


@pytest.fixture(params=["plain", "encrypted"])
def server(request, tls_server, monkeypatch):
    context, trusted = tls_server
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", trusted)
    running = Server(context if request.param == "encrypted" else None)
    yield running
    running.close()


def test_one_read_takes_every_frame_that_has_come(server):
    transport = Transport(server.url, 5.0, 2.0)
    server.send(*(frame(b"%d" % number) for number in range(300)))
    found: list[bytes] = []
    reads = 0
    while len(found) < 300:
        messages, _ = transport.receive()
        found += messages
        reads += 1
    transport.close()
    assert found == [b"%d" % number for number in range(300)]
    assert reads < 30


def test_reads_that_bring_something_are_a_few_milliseconds_apart_and_silence_is_waited_for(server):
    transport = Transport(server.url, 5.0, 0.05)
    server.send(frame(b"first"))
    assert transport.receive()[0] == [b"first"]
    server.send(frame(b"second"))
    began_s = time.monotonic()
    assert transport.receive()[0] == [b"second"]
    assert time.monotonic() - began_s >= READ_EVERY_S * 0.8
    began_s = time.monotonic()
    assert transport.receive()[0] == []
    assert time.monotonic() - began_s >= 0.045
    transport.close()


def test_what_a_server_sent_before_it_went_away_is_delivered_first(server):
    transport = Transport(server.url, 5.0, 2.0)
    server.send(*(frame(b"%d" % number) for number in range(50)))
    server.close()
    found: list[bytes] = []

    def read_on() -> None:
        while True:
            found.extend(transport.receive()[0])

    with pytest.raises(ConnectionClosedError):
        read_on()
    assert found == [b"%d" % number for number in range(50)]
