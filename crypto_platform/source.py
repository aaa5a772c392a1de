"""Deciding where market data comes from, before anything starts.

What belongs here: `auto` becoming `okx` or `sim`, and that a named exchange must answer. What does not: the
check of the exchange itself (`streaming.producer.preflight`).
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.errors import ServiceUnavailableError
from streaming.records import SIMULATED_SUFFIX
from streaming.settings import Settings


def decide(settings: Settings, probe: Callable[[Settings], object], say: Callable[[str], None]) -> Settings:
    """The settings with a decided source.

    `sim` needs no check. Exchanges that are named are checked and must answer. `auto` takes OKX if it answers
    and otherwise says so in one line and takes the simulated exchange. A pair that no exchange has is an
    error in both.

    Raises:
        UnknownPairError: the exchange answers and lacks a configured pair.
        ServiceUnavailableError: an exchange was asked for by name and does not answer.
    """
    if settings.source == "sim":
        return settings
    chosen = settings.model_copy(update={"source": "okx"}) if settings.source == "auto" else settings
    try:
        probe(chosen)
    except ServiceUnavailableError as error:
        if settings.source != "auto":
            raise
        labels = ", ".join(f"{name.upper()}{SIMULATED_SUFFIX}" for name in settings.sim_exchanges.split(","))
        say(f"{error.what} Using the simulated exchange; its data is labelled {labels}.")
        return settings.model_copy(update={"source": "sim"})
    return chosen
