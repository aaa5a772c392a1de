"""Which rows the warehouse has already, so that none is written twice.

What belongs here: the question, asked as seldom as possible. What does not: duplicates within a batch
(`streaming.loader.batch`), writing (`streaming.loader.sink`, `streaming.loader.snowpipe`).

Only rows at or below the highest stored identity can be there already, so a tape in order asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from streaming.loader import tables
from streaming.loader.batch import Entry, Identity
from streaming.loader.tables import Mode, Table

Query = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Rows of a statement with its binds."""


class StoredRows:
    """What is known of the APPEND tables.

    Args:
        query: asks the warehouse.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._highest: dict[Table, dict[Identity, int]] = {}

    def refresh(self, among: Iterable[Table] = tables.ALL) -> None:
        """Learn the highest identities anew."""
        self._highest = {
            table: {tuple(row[:-1]): int(row[-1]) for row in self._query(table.select_highest, ())}
            for table in among
            if table.mode is Mode.APPEND
        }

    def known(self, table: Table, entries: Mapping[Identity, Entry]) -> set[Identity]:
        """Which rows are stored already."""
        highest = self._highest[table]
        return self.present(
            table,
            {
                identity: entry
                for identity, entry in entries.items()
                if _number(identity) <= highest.get(identity[:-1], -1)
            },
        )

    def present(self, table: Table, entries: Mapping[Identity, Entry]) -> set[Identity]:
        """Which of these rows are in the table, whatever is believed of it."""
        if not entries:
            return set()
        bound = table.index(table.prune)
        bounds: list[Any] = [entry.row[bound] for entry in entries.values()]
        identities = msgspec.json.encode(list(entries)).decode()
        return {tuple(row) for row in self._query(table.select_known, (identities, min(bounds), max(bounds)))}

    def add(self, table: Table, identities: Iterable[Identity]) -> None:
        """Note rows that are stored now."""
        highest = self._highest[table]
        for identity in identities:
            key, number = identity[:-1], _number(identity)
            if number > highest.get(key, -1):
                highest[key] = number


def _number(identity: Identity) -> int:
    """The growing part of an APPEND table's identity."""
    number = identity[-1]
    assert isinstance(number, int)
    return number
