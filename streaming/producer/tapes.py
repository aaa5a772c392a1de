"""The tapes of all pairs of one exchange, which may grow while others read.

What belongs here: the mapping. What does not: a tape's own work (`tape`), opening one (`engine`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streaming.producer.tape import Tape


class Tapes(Mapping[str, Tape]):
    """Tapes by pair. Whoever iterates sees the tapes of that moment; one thread adds."""

    def __init__(self) -> None:
        self._tapes: dict[str, Tape] = {}

    def add(self, tapes: Mapping[str, Tape]) -> None:
        """From now on these are there too."""
        self._tapes = self._tapes | dict(tapes)

    def __getitem__(self, pair: str) -> Tape:
        return self._tapes[pair]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tapes)

    def __len__(self) -> int:
        return len(self._tapes)
