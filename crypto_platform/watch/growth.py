"""Whether the loader's lag grows although it works, and what to do about it: restart once, then say so.

What belongs here: the trend over the latest looks. What does not: measuring the lag (`watch/lag.py`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Literal

import msgspec

from crypto_platform.watch.lag import LIMIT_MESSAGES

LOOKS: Final = 5
"""Growing from each look to the next, five looks long: a burst that the loader works off is over by then."""
PATIENCE_S: Final = 300.0
"""After a restart the loader gets this long before its lag is judged again."""

Verdict = Literal["calm", "restart", "wait", "give_up", "gave_up", "calm_again"]


class Trend(msgspec.Struct, frozen=True):
    """The latest lags, the newest last, when the loader was restarted for them (0: not), and whether that
    did not help."""

    lags: tuple[int, ...] = ()
    restarted_at_s: float = 0.0
    given_up: bool = False


def remember(cursor: str | None) -> Trend:
    """The trend in a cursor; one that cannot be read is a fresh start."""
    try:
        return msgspec.json.decode(cursor, type=Trend) if cursor else Trend()
    except msgspec.DecodeError:
        return Trend()


def write_cursor(trend: Trend) -> str:
    """The trend as a cursor."""
    return msgspec.json.encode(trend).decode()


def judge(trend: Trend, lag_messages: int, now_s: float) -> tuple[Verdict, Trend]:
    """What follows from one more look. `restart` comes once for each time the lag grows too large."""
    lags = (*trend.lags, lag_messages)[-LOOKS:]
    after = Trend(lags, trend.restarted_at_s, trend.given_up)
    if lag_messages <= LIMIT_MESSAGES:
        was_troubled = trend.given_up
        return ("calm_again" if was_troubled else "calm"), Trend(lags)
    growing = len(lags) == LOOKS and all(one < two for one, two in pairwise(lags))
    if not after.restarted_at_s:
        return ("restart", Trend(lags, now_s)) if growing else ("calm", after)
    if after.given_up:
        return "gave_up", after
    if now_s - after.restarted_at_s < PATIENCE_S or not growing:
        return "wait", after
    return "give_up", Trend(lags, after.restarted_at_s, given_up=True)


def explain(trend: Trend) -> str:
    """The trend in one sentence."""
    shown = ", ".join(map(str, trend.lags))
    if trend.given_up:
        return f"The loader's lag keeps growing after a restart ({shown} messages): more loaders are needed."
    if trend.restarted_at_s:
        return f"The loader's lag grew ({shown} messages); it is restarted once."
    return f"The loader's lag at the latest looks: {shown} messages."
