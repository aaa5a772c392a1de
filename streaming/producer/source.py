"""Which exchange this process reads, at which addresses, and under which name its records go.

What belongs here: the meaning of CRYPTO_SOURCE. What does not: whether the addresses answer (`preflight`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streaming.errors import SettingsError
from streaming.exchanges.registry import venue
from streaming.exchanges.venue import Venue
from streaming.producer.rest_client import is_loopback
from streaming.records import SIMULATED_SUFFIX
from streaming.settings import Settings, environment_names

STACK_SETTING: Final = "CRYPTO_PORT_OFFSET"
"""What moves the address of the stack's own simulated exchange."""
SIMULATED_BASES: Final[dict[str, tuple[str, str]]] = {
    "okx": ("/ws/v5", ""),
    "binance": ("/binance", "/binance"),
    "coinbase": ("/coinbase", "/coinbase"),
    "kraken": ("/kraken", "/kraken"),
    "bybit": ("/bybit", "/bybit"),
}
"""Below which WebSocket and REST paths the simulated exchange speaks each venue's protocol."""


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


def simulator(settings: Settings, name: str = "okx") -> Source:
    """The simulated exchange of the local stack, speaking the protocol of `name`."""
    found = venue(name)
    ws_path, rest_path = SIMULATED_BASES[name.lower()]
    return Source(
        venue=found,
        ws_url=f"ws://{settings.host('simulator')}:{settings.ports.simulator}{ws_path}",
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


def preferred(settings: Settings, name: str) -> Source:
    """Where `name` (one of `Settings.exchanges`) is read first: `auto` means the real exchange."""
    return simulator(settings, name) if settings.source == "sim" else exchange(settings, name)


def named(settings: Settings, names: Sequence[str]) -> list[Source]:
    """The sources that a person names, each once; all are simulated if CRYPTO_SOURCE is sim.

    Args:
        names: of exchanges; `sim` is each that the simulated one stands for. Empty: those of CRYPTO_SOURCE.

    Raises:
        SettingsError: there is no such exchange.
    """
    found: dict[tuple[str, bool], Source] = {}
    for name in names or settings.exchanges:
        if name.lower() == "sim":
            simulated = settings.model_copy(update={"source": "sim"})
            chosen = [simulator(settings, each) for each in simulated.exchanges]
        else:
            chosen = [preferred(settings, name)]
        found |= {(source.exchange, source.simulated): source for source in chosen}
    return list(found.values())


def only_exchange(settings: Settings) -> str:
    """The exchange of a process that was told none.

    Raises:
        SettingsError: several are configured.
    """
    if len(settings.exchanges) > 1:
        raise SettingsError(
            f"A producer reads one exchange, and CRYPTO_SOURCE names {', '.join(settings.exchanges)}.",
            f"Say which: --exchange {settings.exchanges[0]}.",
        )
    return settings.exchanges[0]
