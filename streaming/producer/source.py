"""Which exchange this process reads, at which addresses, and under which name its records go.

What belongs here: the meaning of CRYPTO_SOURCE. What does not: whether the addresses answer (`preflight`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streaming.exchanges.registry import venue
from streaming.exchanges.venue import Venue
from streaming.producer.rest_client import is_loopback
from streaming.records import SIMULATED_SUFFIX
from streaming.settings import LOOPBACK, Settings, environment_names

SIMULATED_VENUE: Final = "OKX"
"""The stack reads the simulated exchange in this venue's protocol."""
STACK_SETTING: Final = "CRYPTO_PORT_OFFSET"
"""What moves the address of the stack's own simulated exchange."""
SIMULATED_PATHS: Final[dict[str, tuple[str, str]]] = {
    "OKX": ("/ws/v5", ""),
    "BINANCE": ("/binance", "/binance"),
    "BYBIT": ("/bybit", "/bybit"),
    "COINBASE": ("/coinbase", "/coinbase"),
    "KRAKEN": ("/kraken", "/kraken"),
}
"""Where the simulated exchange serves each venue's protocol: WebSocket base, REST base."""


@dataclass(frozen=True, slots=True)
class Source:
    """An exchange and its addresses. `ws_setting` and `rest_setting` name what a user would change."""

    venue: Venue
    ws_url: str
    rest_url: str
    exchange: str
    simulated: bool
    ws_setting: str
    rest_setting: str


def simulator(settings: Settings, name: str = SIMULATED_VENUE) -> Source:
    """The simulated exchange of the local stack, speaking the protocol of `name`.

    Raises:
        SettingsError: there is no such venue.
    """
    found = venue(name)
    ws_path, rest_path = SIMULATED_PATHS[found.name]
    return Source(
        venue=found,
        ws_url=f"ws://{LOOPBACK}:{settings.ports.simulator}{ws_path}",
        rest_url=settings.simulator_url + rest_path,
        exchange=found.name + SIMULATED_SUFFIX,
        simulated=True,
        ws_setting=STACK_SETTING,
        rest_setting=STACK_SETTING,
    )


def exchange(settings: Settings, name: str) -> Source:
    """The exchange `name` at its configured addresses; one on this machine counts as simulated."""
    found = venue(name)
    names = environment_names()
    ws_url: str = getattr(settings, found.ws_url_field)
    rest_url: str = getattr(settings, found.rest_url_field)
    simulated = is_loopback(ws_url)
    return Source(
        venue=found,
        ws_url=ws_url.rstrip("/"),
        rest_url=rest_url.rstrip("/"),
        exchange=found.name + (SIMULATED_SUFFIX if simulated else ""),
        simulated=simulated,
        ws_setting=names[found.ws_url_field],
        rest_setting=names[found.rest_url_field],
    )


def preferred(settings: Settings) -> Source:
    """What CRYPTO_SOURCE asks for first: `auto` means the exchange."""
    if settings.source == "sim":
        return simulator(settings)
    return exchange(settings, "okx" if settings.source == "auto" else settings.source)


def named(settings: Settings, name: str) -> Source:
    """The source for a venue's name, or for `sim`; all venues are simulated if CRYPTO_SOURCE is sim.

    Raises:
        SettingsError: there is no such venue.
    """
    if name.lower() == "sim":
        return simulator(settings)
    return simulator(settings, name) if settings.source == "sim" else exchange(settings, name)
