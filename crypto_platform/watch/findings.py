"""What a look at one thing found.

What belongs here: the value that every rule of this folder may return. What does not: the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Number = int | float | str


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict about one asset.

    Args:
        asset: its key, parts joined by `/`.
        state: `ok`, or what is wrong in a word; a change of it is news.
        sentence: the verdict with its numbers and, if it is bad, what to do.
        numbers: under stable names, so that they can be plotted over time.
    """

    asset: str
    state: str
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.state == "ok"
