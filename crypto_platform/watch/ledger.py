"""Whether the gap ledger is settled and nothing has been refused.

What belongs here: the verdicts on counts. What does not: counting (`snowflake_sql`, `defs/warehouse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crypto_platform.watch.findings import Finding

OPEN_LIMIT_S: Final = 120.0
"""A back-fill takes seconds; one that takes longer than this does not work."""


def judge_gaps(asset: str, counts: Mapping[str, int], oldest_open_s: float | None) -> Finding:
    """The ledger: counts of gaps by status, and the age of the oldest one that is open."""
    numbers = {
        "gaps_open": counts.get("open", 0),
        "gaps_filled": counts.get("filled", 0),
        "gaps_unrecoverable": counts.get("unrecoverable", 0),
        "oldest_open_gap_s": round(oldest_open_s or 0.0, 1),
    }
    if oldest_open_s is not None and oldest_open_s > OPEN_LIMIT_S:
        sentence = (
            f"{numbers['gaps_open']} gaps are open, the oldest for {oldest_open_s:.0f} s. Look at the "
            "producer's log: the exchange's REST interface may refuse it."
        )
        return Finding(asset, "open", sentence, numbers)
    return Finding(
        asset, "ok", f"{numbers['gaps_open']} gaps are open, {numbers['gaps_filled']} were filled.", numbers
    )


def judge_refused(asset: str, by_stage: Mapping[str, int], window_s: float) -> Finding:
    """Messages refused within the window, by the part that refused them; `load` is the loader's
    quarantine.
    """
    total = sum(by_stage.values())
    quarantined = by_stage.get("load", 0)
    numbers = {
        "dead_letters": total,
        "quarantined_rows": quarantined,
        **{f"dead_letters_{stage}": count for stage, count in sorted(by_stage.items())},
    }
    minutes = f"{window_s / 60:.0f} min"
    if quarantined:
        return Finding(
            asset, "quarantine", f"The loader refused {quarantined} rows within {minutes}.", numbers
        )
    if total:
        stages = ", ".join(f"{stage} {count}" for stage, count in sorted(by_stage.items()))
        return Finding(
            asset, "refused", f"{total} messages were refused within {minutes}: {stages}.", numbers
        )
    return Finding(asset, "ok", f"Nothing was refused within {minutes}.", numbers)
