"""What one transaction writes: rows by table without duplicates among themselves, and the offsets they reach.

What belongs here: gathering and deduplication as pure code. What does not: duplicates of rows already in the
warehouse (`streaming.loader.sink` asks it), decoding (`streaming.loader.rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streaming.loader.rows import Loadable, Message, Row, Value, refused, to_row
from streaming.loader.tables import Mode, Table

TopicPartition = tuple[str, int]
Identity = tuple[Value, ...]


@dataclass(slots=True)
class Entry:
    """A row, the message it came from, and its latency mark."""

    row: Row
    message: Message
    exchange_time_us: int | None


@dataclass(slots=True)
class Batch:
    """Rows for one transaction.

    `expected` is where each touched partition stands before it and `reached` after it: the first offset that
    is not loaded yet.
    """

    entries: dict[Table, dict[Identity, Entry]] = field(default_factory=dict)
    expected: dict[TopicPartition, int] = field(default_factory=dict)
    reached: dict[TopicPartition, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    messages: int = 0

    def rows(self) -> int:
        """How many rows it would write."""
        return sum(len(entries) for entries in self.entries.values())

    def add(self, loadable: Loadable, message: Message) -> None:
        """Take a row in; of two with the same identity the first stays, or for an upsert the last."""
        table = loadable.table
        entry = Entry(loadable.row, message, loadable.exchange_time_us)
        entries = self.entries.setdefault(table, {})
        if table.mode is Mode.KEEP:
            entries[(message.topic, message.partition, message.offset)] = entry
            return
        identity = table.identity_of(loadable.row)
        if identity in entries:
            self.repeated[table.name] = self.repeated.get(table.name, 0) + 1
            if table.mode is Mode.APPEND:
                return
        entries[identity] = entry

    def quarantine(self, table: Table, identity: Identity, reason: str) -> None:
        """Move a row that the warehouse refuses to the dead letters."""
        entry = self.entries[table].pop(identity)
        self.quarantined += 1
        self.add(refused(entry.message, reason), entry.message)


def gather(
    messages: Iterable[Message], position: Mapping[TopicPartition, int], stored: Mapping[TopicPartition, int]
) -> Batch:
    """The batch of `messages`.

    Args:
        messages: in offset order within each partition.
        position: the first offset wanted of each partition; messages before it are skipped.
        stored: the offset the warehouse has for each partition; it is what the transaction expects there.
    """
    batch = Batch()
    for message in messages:
        place = (message.topic, message.partition)
        if message.offset < batch.reached.get(place, position[place]):
            continue
        loadable = to_row(message)
        batch.quarantined += loadable.refused
        batch.add(loadable, message)
        batch.messages += 1
        batch.expected[place] = stored[place]
        batch.reached[place] = message.offset + 1
    return batch
