"""What the exchange says it traded, where it can be asked: the simulated exchange's truth.

What belongs here: the simulator's summary as a tape. What does not: a real venue's history, which the
producer's back-fill reads (`streaming.exchanges`), and judging (`streaming.audit.verdict`).
"""

from __future__ import annotations

import httpx

from streaming.audit.verdict import PairKey, TapeSummary
from streaming.errors import ServiceUnavailableError
from streaming.exchanges.registry import ids_are_contiguous
from streaming.records import SIMULATED_SUFFIX
from streaming.settings import Settings

TIMEOUT_S = 10.0


def read(settings: Settings) -> dict[PairKey, TapeSummary]:
    """First and last id of each pair at the simulated exchange; empty when the source is a real one.

    It counts its trades by one. A venue whose ids have holes shows other ids, so it is left out.

    Raises:
        ServiceUnavailableError: the simulated exchange is the source and does not answer.
    """
    if settings.source != "sim":
        return {}
    try:
        answer = httpx.get(f"{settings.simulator_url}/truth/summary", timeout=TIMEOUT_S)
        answer.raise_for_status()
        pairs = answer.json()["pairs"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ServiceUnavailableError(
            f"The simulated exchange at {settings.simulator_url} does not answer ({error}).",
            "`crypto-platform restart simulator`, or audit without it: --no-exchange.",
        ) from error
    wanted = settings.pair_choice.of(pairs)
    return {
        (f"{name.upper()}{SIMULATED_SUFFIX}", pair): TapeSummary(((int(s["first_id"]), int(s["last_id"])),))
        for name in settings.exchanges
        if ids_are_contiguous(name)
        for pair, s in pairs.items()
        if s is not None and pair in wanted
    }
