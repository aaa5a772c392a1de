"""The result of a run: as a table for people, as JSON for machines, and as the list of what is wrong.

What belongs here: wording and the limits that decide. What does not: computing the parts (`outcome`).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from tests.chaos.outcome import WINDOW_S, Struck, TapeVerdict, Window

PROGRESS_MIN: Final = 500
"""Trades that Kafka acknowledges in each window outside of declared outages: a tenth of 500 a second."""
RECOVERY_MAX_S: Final = 180.0
"""60 s until a silent feed is given up, half a minute to fetch what was missed at the 1,000 trades a second
that the exchange's REST limit allows, and the tries that overlapping REST faults cost, up to 30 s apart."""
_WIDTH: Final = 100
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Result:
    """All that a run has shown."""

    seed: int
    seconds: float
    trades_per_second: int
    recoveries: Sequence[tuple[Struck, float | None]]
    tapes: Sequence[TapeVerdict]
    gap_statuses: Counter[str]
    progress: Sequence[Window]
    kills: int
    unplanned_exits: Sequence[int]

    def totals(self) -> dict[str, Any]:
        """The figures below the table."""
        recovered = [seconds for _, seconds in self.recoveries if seconds is not None]
        return {
            "trades": sum(tape.expected for tape in self.tapes),
            "lost": sum(len(tape.lost) for tape in self.tapes),
            "duplicated": sum(len(tape.duplicated) for tape in self.tapes),
            "altered": sum(len(tape.altered) for tape in self.tapes),
            "invented": sum(len(tape.invented) for tape in self.tapes),
            "disordered": sum(len(tape.disordered) for tape in self.tapes),
            "gaps_filled": self.gap_statuses["filled"],
            "gaps_open": self.gap_statuses["open"],
            "gaps_unrecoverable": self.gap_statuses["unrecoverable"],
            "faults": len(self.recoveries),
            "producer_kills": self.kills,
            "unplanned_exits": len(self.unplanned_exits),
            "slowest_recovery_s": round(max(recovered), 2) if recovered else None,
            "windows": len(self.progress),
            "least_progress": min((window.trades for window in self.progress), default=None),
        }

    def faults(self) -> list[dict[str, Any]]:
        """A row for each fault, in the order of their time."""
        return [
            {
                "at_s": round(struck.began_s, 1),
                "fault": struck.fault.kind.value,
                "target": struck.fault.target,
                "seconds": round(struck.ended_s - struck.began_s, 1),
                "amount": struck.fault.amount,
                "recovered_s": None if seconds is None else round(seconds, 2),
            }
            for struck, seconds in sorted(self.recoveries, key=lambda pair: pair[0].began_s)
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "trades_per_second": self.trades_per_second,
            "faults": self.faults(),
            "totals": self.totals(),
            "violations": self.violations(),
        }

    def violations(self) -> list[str]:
        """Promises that were not kept, one line each; empty when all were."""
        found: list[str] = []
        for tape in self.tapes:
            for word, places in (
                ("lost", tape.lost),
                ("duplicated", tape.duplicated),
                ("altered", tape.altered),
                ("invented", tape.invented),
                ("disordered", tape.disordered),
            ):
                if places:
                    shown = ", ".join(map(str, places[:_SHOWN]))
                    found.append(f"{tape.pair}: {len(places)} {word}, such as {shown}")
        for status in ("open", "unrecoverable"):
            if self.gap_statuses[status]:
                found.append(f"{self.gap_statuses[status]} gaps are {status}")
        for struck, seconds in self.recoveries:
            if seconds is None or seconds > RECOVERY_MAX_S:
                said = "no" if seconds is None else f"{seconds:.1f} s to"
                fault = struck.fault
                found.append(f"{said} recovery from {fault.kind} of {fault.target} at {struck.began_s:.1f} s")
        if not self.progress:
            found.append(f"no {WINDOW_S:.0f} s window was free of outages, so progress was not seen")
        slow = [window for window in self.progress if window.trades < PROGRESS_MIN]
        found += [
            f"only {window.trades} trades acknowledged in the {WINDOW_S:.0f} s from {window.from_s:.1f} s on"
            for window in slow[:_SHOWN]
        ]
        if self.unplanned_exits:
            found.append(f"the producer ended by itself with {', '.join(map(str, self.unplanned_exits))}")
        return found

    def table(self) -> str:
        """What a person reads."""
        table = Table(
            title=f"seed {self.seed}, {self.seconds:.0f} s, {self.trades_per_second} trades/s", box=box.SIMPLE
        )
        for name in ("fault", "target", "when", "lasted", "recovered_s"):
            table.add_column(name, justify="left" if name in ("fault", "target") else "right")
        for row in self.faults():
            recovered = "never" if row["recovered_s"] is None else f"{row['recovered_s']:.2f}"
            table.add_row(
                row["fault"], row["target"], f"{row['at_s']:.1f}", f"{row['seconds']:.1f}", recovered
            )
        console = Console(file=io.StringIO(), width=_WIDTH)
        console.print(table)
        console.print(
            "recovered: connected, a later trade came, the gap is filled; for a silent fault from its begin",
            highlight=False,
        )
        console.print("  ".join(f"{name}={value}" for name, value in self.totals().items()), highlight=False)
        output = console.file
        assert isinstance(output, io.StringIO)
        return output.getvalue()
