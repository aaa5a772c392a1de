"""The port check before a start."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from infra.local.ports import PortTakenError, PortUse, is_free, is_open, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_its_purpose_holder_and_remedy(taken: int) -> None:
    with pytest.raises(PortTakenError) as caught:
        require_free([PortUse(taken, "Kafka broker 1")])
    message = str(caught.value)
    assert f"port {taken} (Kafka broker 1)" in message
    assert f"(pid {os.getpid()})" in message
    assert "CRYPTO_PORT_OFFSET" in message
    assert caught.value.exit_code == 2


def test_every_taken_port_is_named_at_once(taken: int) -> None:
    with pytest.raises(PortTakenError, match=r"one.*two"):
        require_free([PortUse(taken, "one"), PortUse(taken, "two")])


def test_a_port_is_free_again_when_its_listener_is_gone(taken: int) -> None:
    assert not is_free(taken)
    assert is_open(taken)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert is_free(port)
    assert not is_open(port)
