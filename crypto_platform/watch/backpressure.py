"""Whether a part of a Flink job waits for those behind it.

What belongs here: the verdict on the levels Flink has sampled. What does not: asking Flink
(`defs/flink/resources.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from crypto_platform.watch.findings import Finding


def judge(job: str, asset: str, levels: Mapping[str, str | None]) -> Finding:
    """`levels` by vertex: ok, low, high, or None until Flink has sampled it."""
    high = sorted(name for name, level in levels.items() if level == "high")
    low = [name for name, level in levels.items() if level == "low"]
    numbers = {
        "vertices": len(levels),
        "vertices_backpressure_low": len(low),
        "vertices_backpressure_high": len(high),
    }
    if high:
        shown = "; ".join(name[:60] for name in high[:3])
        sentence = (
            f"{job} is held up: {len(high)} of {len(levels)} vertices wait for those behind them ({shown})."
        )
        return Finding(asset, "high", sentence, numbers)
    return Finding(asset, "ok", f"{job} keeps up: no vertex waits for those behind it.", numbers)
