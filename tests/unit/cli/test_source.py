"""Which source a start takes."""

from __future__ import annotations

import pytest

from crypto_platform.source import decide
from streaming import settings
from streaming.errors import ServiceUnavailableError, UnknownPairError
from streaming.settings import Settings


def unreachable(_: Settings) -> None:
    raise ServiceUnavailableError("CRYPTO_OKX_REST_URL cannot be reached.")


def unknown_pair(_: Settings) -> None:
    raise UnknownPairError("CRYPTO_PAIRS names FOO-USDT, which OKX does not have.")


def reachable(_: Settings) -> None:
    return None


@pytest.mark.parametrize(
    ("asked", "probe", "taken", "said"),
    [
        ("auto", reachable, "okx", 0),
        ("auto", unreachable, "sim", 1),
        ("okx", reachable, "okx", 0),
        ("binance", reachable, "binance", 0),
        ("sim", unreachable, "sim", 0),
    ],
)
def test_auto_takes_the_exchange_or_says_why_not(asked: str, probe: object, taken: str, said: int) -> None:
    lines: list[str] = []
    chosen = decide(settings.load({"CRYPTO_SOURCE": asked}), probe, lines.append)  # type: ignore[arg-type]
    assert (chosen.source, len(lines)) == (taken, said)
    assert all("OKX_SIM" in line and "CRYPTO_OKX_REST_URL" in line for line in lines)


@pytest.mark.parametrize("asked", ["okx", "binance", "coinbase"])
def test_a_named_exchange_fails_when_it_cannot_be_reached(asked: str) -> None:
    with pytest.raises(ServiceUnavailableError):
        decide(settings.load({"CRYPTO_SOURCE": asked}), unreachable, print)


@pytest.mark.parametrize("asked", ["auto", "okx", "coinbase"])
def test_a_pair_that_the_exchange_does_not_have_is_never_papered_over(asked: str) -> None:
    with pytest.raises(UnknownPairError):
        decide(settings.load({"CRYPTO_SOURCE": asked}), unknown_pair, print)
