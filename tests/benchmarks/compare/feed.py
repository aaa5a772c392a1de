"""`python -m tests.benchmarks.compare.feed FOLDER`: the simulated exchange, also behind TLS: one of the
producers accepts only wss://.

What belongs here: the certificate, and one trade a frame on both of OKX's trade channels. What does not: the
market and OKX's protocol (`streaming.simulator`).

OKX's `trades` sends one row for all fills of a taker order at one price, `trades-all` one row a fill. Here
every order has one fill, so that a reader of either channel gets the same trades in as many frames.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from uvicorn.loops.auto import auto_loop_factory

from streaming import settings
from streaming.settings import LOOPBACK
from streaming.simulator.app import build
from streaming.simulator.events import Quote, RawFill, Source
from streaming.simulator.wire import ClientSocket

CERTIFICATE = "certificate.pem"
KEY = "key.pem"
VALID = timedelta(days=2)


class OneFillAnOrder:
    """A source whose every fill is an order of its own; see `events.Source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.first_id = source.first_id
        self.quotes_move_alone = source.quotes_move_alone

    def start(self, now_us: int) -> None:
        self._source.start(now_us)

    def shift(self, by_us: int) -> None:
        self._source.shift(by_us)

    def set_rate(self, per_second: float, now_us: int) -> None:
        self._source.set_rate(per_second, now_us)

    def take(self, now_us: int) -> Sequence[RawFill]:
        return [fill._replace(continues=False) for fill in self._source.take(now_us)]

    def quote(self, now_us: int) -> Quote | None:
        return self._source.quote(now_us)

    def next_due_us(self) -> int | None:
        return self._source.next_due_us()

    def finished(self) -> bool:
        return self._source.finished()


def tls_port(loaded: settings.Settings) -> int:
    """Where the feed speaks TLS; the simulated exchange's own port serves REST and plain WebSockets."""
    return loaded.ports.simulator + 1


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key into `folder`; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark feed")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"),
            *("encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(identifier, False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / CERTIFICATE
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / KEY).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


async def _serve(loaded: settings.Settings, folder: Path) -> None:
    exchange = build(loaded, keep=False, limits=False)
    for desk in exchange.market.desks.values():
        desk.source = OneFillAnOrder(desk.source)
    plain = partial(
        uvicorn.Config,
        exchange.app,
        host=LOOPBACK,
        ws=cast(Any, partial(ClientSocket, exchange.hub)),
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    servers = [
        uvicorn.Server(plain(port=loaded.ports.simulator)),
        uvicorn.Server(
            plain(
                port=tls_port(loaded),
                ssl_certfile=folder / CERTIFICATE,
                ssl_keyfile=str(folder / KEY),
            )
        ),
    ]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    tasks.append(asyncio.create_task(exchange.engine.run()))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    tasks.pop().cancel()
    await asyncio.gather(*tasks)


def main() -> int:
    """Serve until SIGTERM. The settings come from the environment."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_serve(settings.load(), Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
