"""How pairs are spread over connections.

What belongs here: the cut into connections of a size. What does not: a venue's sizes, paths and channels
(`streaming.exchanges.<venue>.venue`).
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming.exchanges.venue import ConnectionPlan


def spread(
    name: str,
    path: str,
    channels: tuple[str, ...],
    pairs: Sequence[str],
    size: int,
    *,
    carries_trades: bool = True,
) -> list[ConnectionPlan]:
    """Connections of at most `size` pairs each: `name`, or `name-1`, `name-2`, … when there are several."""
    shards = [tuple(pairs[at : at + size]) for at in range(0, len(pairs), size)]
    names = [name] if len(shards) == 1 else [f"{name}-{number + 1}" for number in range(len(shards))]
    return [
        ConnectionPlan(own, path, channels, shard, carries_trades)
        for own, shard in zip(names, shards, strict=True)
    ]
