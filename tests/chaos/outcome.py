"""What came of a run: is the tape true, did trades flow all the time, how long did each recovery take.

What belongs here: judging samples and records that others have collected; everything is a pure function.
What does not: collecting (`watch`), printing (`report`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streaming.records import Trade
from tests.chaos.schedule import BOTH, SILENT, TICKERS, Fault, Kind

WINDOW_S: Final = 10.0
TICKER_MARGIN_S: Final = 0.3
"""A ticker this much younger than a fault was not under way when it struck."""
GRACE_S: Final = 8.0
"""What a producer that was killed, stopped or cut off gets to deliver again before progress is demanded."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that was carried out. Times count in seconds from the beginning of the run.

    `from_ids`: by pair, the id of the exchange's next trade right before the fault. `goal_ids`: the same when
    the recovery's clock began to run, or after the last hidden trade: who has a trade with that id has
    outlived the fault. A gap that touches the ids in between has come about by it.
    """

    fault: Fault
    began_s: float
    ended_s: float
    from_ids: Mapping[str, int]
    goal_ids: Mapping[str, int]

    @property
    def measured_from_s(self) -> float:
        """Silent faults last as long as the producer keeps the connection, so finding out counts."""
        return self.began_s if self.fault.kind in SILENT else self.ended_s


@dataclass(frozen=True, slots=True)
class Health:
    """What the producer said of itself at one time; `last_ids` is empty when it did not answer."""

    at_s: float
    ready: bool
    last_ids: Mapping[str, int | None]
    ticker_at_s: Mapping[str, float]
    """When each pair's last ticker came."""


@dataclass(frozen=True, slots=True)
class FoundGap:
    """A gap of the ledger; `filled_s` is None while it is open and when it was given up."""

    pair: str
    from_id: int
    to_id: int
    filled_s: float | None


@dataclass(frozen=True, slots=True)
class Stored:
    """What Kafka had acknowledged at one time, in trades, and whether every partition had all its copies."""

    at_s: float
    trades: int
    in_sync: bool


@dataclass(frozen=True, slots=True)
class TapeVerdict:
    """One pair's tape in Kafka against the exchange's own. Ids of what is wrong."""

    pair: str
    expected: int
    lost: tuple[int, ...]
    duplicated: tuple[int, ...]
    altered: tuple[int, ...]
    invented: tuple[int, ...]
    disordered: tuple[str, ...]
    """Places where the numbers of one life of a producer do not go up by one."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.altered or self.invented or self.disordered)


def judge_tape(pair: str, tape: Sequence[Trade], truth: Iterable[Mapping[str, Any]]) -> TapeVerdict:
    """Compare trade by trade.

    Args:
        tape: in Kafka's order.
        truth: what was traded, from the tape's first id to the exchange's last, in the words of /truth.
    """
    by_id: dict[int, Trade] = {}
    duplicated: list[int] = []
    disordered: list[str] = []
    last_seq: dict[int, int] = {}
    for trade in tape:
        if trade.trade_id in by_id:
            duplicated.append(trade.trade_id)
        by_id[trade.trade_id] = trade
        before = last_seq.get(trade.producer_epoch, 0)
        if trade.seq != before + 1:
            disordered.append(f"number {trade.seq} follows {before} in life {trade.producer_epoch}")
        last_seq[trade.producer_epoch] = trade.seq
    lost: list[int] = []
    altered: list[int] = []
    expected = 0
    unexplained = set(by_id)
    for row in truth:
        expected += 1
        unexplained.discard(row["id"])
        found = by_id.get(row["id"])
        if found is None:
            lost.append(row["id"])
        elif (found.price, found.size, found.side, found.exchange_time_us) != (
            row["price"],
            row["size"],
            row["side"],
            row["time_ms"] * 1000,
        ):
            altered.append(row["id"])
    return TapeVerdict(
        pair,
        expected,
        tuple(lost),
        tuple(duplicated),
        tuple(altered),
        tuple(sorted(unexplained)),
        tuple(disordered),
    )


def recovered_s(
    struck: Struck, health: Sequence[Health], stored: Sequence[Stored], ledger: Sequence[FoundGap]
) -> float | None:
    """Seconds until the producer was connected, had a trade from after the fault, and the fault's gaps were
    filled.

    After a fault that concerns tickers they must flow again too, after a broker's death every partition must
    have all its copies. None: not within the samples.
    """
    since_s = struck.measured_from_s
    ends = [_delivers_s(struck, health), *(gap.filled_s for gap in ledger if _is_of(gap, struck))]
    if struck.fault.kind is Kind.BROKER_KILL:
        ends.append(next((s.at_s for s in stored if s.at_s >= since_s and s.in_sync), None))
    known = [end_s for end_s in ends if end_s is not None]
    return max(known) - since_s if len(known) == len(ends) else None


def _is_of(gap: FoundGap, struck: Struck) -> bool:
    goal = struck.goal_ids[gap.pair]
    return gap.from_id <= goal and gap.to_id >= struck.from_ids[gap.pair]


def _delivers_s(struck: Struck, health: Sequence[Health]) -> float | None:
    """When the producer was seen to be connected and to have what came after the fault."""
    since_s = struck.measured_from_s
    tickers = struck.fault.target in (TICKERS, BOTH, "producer")
    for sample in health:
        if sample.at_s < since_s or not sample.ready:
            continue
        if any((sample.last_ids.get(pair) or -1) < goal for pair, goal in struck.goal_ids.items()):
            continue
        if tickers and any(
            sample.ticker_at_s.get(pair, -1.0) < since_s + TICKER_MARGIN_S for pair in struck.goal_ids
        ):
            continue
        return sample.at_s
    return None


def outages(struck: Iterable[Struck]) -> list[tuple[float, float]]:
    """When no progress is promised."""
    return [(s.began_s, s.ended_s + GRACE_S) for s in struck if s.fault.stops_trades]


@dataclass(frozen=True, slots=True)
class Window:
    """How many trades Kafka acknowledged within `WINDOW_S` from `from_s` on."""

    from_s: float
    trades: int


def windows(stored: Sequence[Stored], excused: Sequence[tuple[float, float]]) -> list[Window]:
    """The progress in each window that begins with a sample and touches no excused interval."""
    found: list[Window] = []
    after = 0
    for sample in stored:
        until_s = sample.at_s + WINDOW_S
        while after < len(stored) and stored[after].at_s < until_s:
            after += 1
        if after == len(stored):
            break
        if not any(start < until_s and stop > sample.at_s for start, stop in excused):
            found.append(Window(sample.at_s, stored[after].trades - sample.trades))
    return found
