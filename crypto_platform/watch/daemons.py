"""Whether Dagster's own daemons beat.

What belongs here: the verdict on heartbeats. What does not: reading them (`defs/housekeeping/sensors.py`). A
dead daemon process runs no sensor, so that is its supervisor's to see, and `crypto-platform status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crypto_platform.watch.findings import Finding

AGE_LIMIT_S: Final = 300.0


def judge(asset: str, ages_s: Mapping[str, float | None], errors: Mapping[str, str]) -> Finding:
    """`ages_s`: seconds since each required daemon's last heartbeat, None if it never beat; `errors`: what
    those said that failed last."""
    silent = sorted(name for name, age in ages_s.items() if age is None or age > AGE_LIMIT_S)
    known = [age for age in ages_s.values() if age is not None]
    numbers = {
        "daemons": len(ages_s),
        "daemons_silent": len(silent),
        "oldest_heartbeat_s": round(max(known, default=0.0), 1),
        "daemons_with_errors": len(errors),
    }
    if silent:
        return Finding(
            asset, "silent", f"No heartbeat for over {AGE_LIMIT_S:.0f} s: {', '.join(silent)}.", numbers
        )
    if errors:
        shown = "; ".join(f"{name}: {text[:200]}" for name, text in sorted(errors.items()))
        return Finding(asset, "errors", f"Daemons with errors: {shown}", numbers)
    return Finding(asset, "ok", f"All {len(ages_s)} daemons beat.", numbers)
