"""Faults of the REST interface: refusing, hanging, and a history that is behind the live feed.

What belongs here: which fault holds at a time. What does not: a venue's words for it (its `rest` module asks
here before it answers) and the request that asks for a fault (`control`).
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["too_many", "unavailable", "hang", "lag"]
"""`too_many`: refused for its rate; `unavailable`: a 503 that is no JSON; `hang`: no answer until the fault
ends; `lag`: answered without the newest trades, as a server of the exchange does whose cache is behind."""
STRONGEST_FIRST: Final[tuple[Kind, ...]] = ("hang", "unavailable", "too_many")


class RestFaults:
    """Which fault holds until when. Times are the market's; a fault replaces an earlier one of its kind."""

    def __init__(self) -> None:
        self._until_us: dict[Kind, int] = {}
        self._lag_us = 0

    def begin(self, kind: Kind, until_us: int, lag_us: int = 0) -> None:
        """`lag_us`: for `lag`, how far the history is behind."""
        self._until_us[kind] = until_us
        if kind == "lag":
            self._lag_us = lag_us

    def refusal(self, now_us: int) -> Kind | None:
        """Why a request is not answered as usual; None if it is."""
        return next((kind for kind in STRONGEST_FIRST if self._until_us.get(kind, 0) > now_us), None)

    def left_s(self, kind: Kind, now_us: int) -> float:
        """Seconds until a fault ends; 0 when it does not hold."""
        return max(self._until_us.get(kind, 0) - now_us, 0) / 1e6

    def lag_us(self, now_us: int) -> int:
        """How far the history is behind; 0 as a rule."""
        return self._lag_us if self._until_us.get("lag", 0) > now_us else 0

    def state(self, now_us: int) -> dict[str, float]:
        """Seconds that each fault still holds."""
        return {
            kind: round(self.left_s(kind, now_us), 3) for kind in self._until_us if self.left_s(kind, now_us)
        }
