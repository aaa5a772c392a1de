"""The comparison itself: what each hop holds of a pair, and what follows from it.

What belongs here: pure functions over summaries. What does not: reading the hops (`streaming.audit.hops`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streaming.audit import ids
from streaming.audit.ids import Range
from streaming.exchanges.registry import ids_are_contiguous

PairKey = tuple[str, str]
"""Exchange and pair."""


@dataclass(frozen=True, slots=True)
class TapeSummary:
    """What one hop holds of a pair: its ids, how many times ids repeat, and how many came late.

    `late` counts trades that arrived behind the watermark, which only a stream can tell.
    """

    ranges: tuple[Range, ...]
    repeated: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class PairAudit:
    """The verdict on one pair. Counts are of trade ids, `mismatched_bars` of 1-minute bars.

    `lost` stand below the newest id in the warehouse, `pending` above it: they are in Kafka (or at the
    exchange) and the loader has not written them.
    """

    exchange: str
    pair: str
    first_id: int
    last_id: int
    expected: int
    lost: int
    pending: int
    duplicated: int
    late: int
    mismatched_bars: int
    lost_ranges: tuple[Range, ...] = ()
    mismatched_windows: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        return not (self.lost or self.pending or self.duplicated or self.mismatched_bars)


def judge(
    key: PairKey,
    *,
    kafka: TapeSummary,
    warehouse: TapeSummary,
    exchange: TapeSummary | None,
    mismatched_windows: tuple[str, ...] = (),
    contiguous: bool = True,
) -> PairAudit:
    """Compare the hops of one pair.

    Every id from the first that Kafka or the warehouse has to the last that the exchange or Kafka has is
    expected: ids of a tape are consecutive, so an id that no hop has is a trade that was lost before Kafka.
    What the exchange traded before our first id is not ours, and what the warehouse holds beyond the last
    expected id arrived after the others were read. Where ids have holes (`contiguous` false) only the ids
    that Kafka or the exchange has are expected.
    """
    first = min([r[0] for r in (*kafka.ranges, *warehouse.ranges)], default=None)
    at_exchange = list(exchange.ranges) if exchange else []
    last = max([r[1] for r in (*kafka.ranges, *at_exchange)], default=None)
    if first is None:
        first = min([r[0] for r in at_exchange], default=0)
    if last is None:
        last = max([r[1] for r in warehouse.ranges], default=first - 1)
    expected = [(first, last)] if first <= last else []
    if not contiguous:
        expected = ids.merge([*kafka.ranges, *at_exchange])
    absent = ids.subtract(expected, warehouse.ranges)
    newest = max([r[1] for r in warehouse.ranges], default=first - 1)
    pending = [r for r in absent if r[0] > newest]
    lost = [r for r in absent if r[0] <= newest]
    return PairAudit(
        *key,
        first_id=first,
        last_id=last,
        expected=ids.count(expected),
        lost=ids.count(lost),
        pending=ids.count(pending),
        duplicated=warehouse.repeated,
        late=kafka.late,
        mismatched_bars=len(mismatched_windows),
        lost_ranges=tuple(lost),
        mismatched_windows=mismatched_windows,
    )


def judge_all(
    kafka: Mapping[PairKey, TapeSummary],
    warehouse: Mapping[PairKey, TapeSummary],
    exchange: Mapping[PairKey, TapeSummary],
    mismatched: Mapping[PairKey, tuple[str, ...]],
) -> list[PairAudit]:
    """The verdict on every pair that any hop knows, in order."""
    nothing = TapeSummary(())
    keys = sorted({*kafka, *warehouse, *exchange, *mismatched})
    return [
        judge(
            key,
            kafka=kafka.get(key, nothing),
            warehouse=warehouse.get(key, nothing),
            exchange=exchange.get(key),
            mismatched_windows=mismatched.get(key, ()),
            contiguous=ids_are_contiguous(key[0]),
        )
        for key in keys
    ]
