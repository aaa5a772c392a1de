"""What the warehouse is asked every minute: the gap ledger and what was refused.

What belongs here: the questions. What does not: verdicts (`watch/ledger.py`), SQL (`snowflake_sql`).
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.looks import Context, Look, check_of, sensor_of
from crypto_platform.watch import ledger
from crypto_platform.watch.findings import Finding

REFUSED_WITHIN: Final = timedelta(hours=1)
GAPS: Final = catalog.table_key("OPS.GAPS")
DEAD_LETTERS: Final = catalog.table_key("RAW.DEAD_LETTERS")


def _gaps(context: Context) -> list[Finding]:
    counts, oldest_s = context.resources.warehouse.gaps()
    return [ledger.judge_gaps(GAPS.to_user_string(), counts, oldest_s)]


def _refused(context: Context) -> list[Finding]:
    by_stage = context.resources.warehouse.refused(REFUSED_WITHIN)
    return [ledger.judge_refused(DEAD_LETTERS.to_user_string(), by_stage, REFUSED_WITHIN.total_seconds())]


OPEN_GAPS: Final = Look(
    name="gaps_open",
    check="no_gap_stays_open",
    meaning=f"No gap of the ledger has been open for more than {ledger.OPEN_LIMIT_S:.0f} s.",
    assets=[GAPS],
    resources=frozenset({"warehouse"}),
    ask=_gaps,
)

REFUSED: Final = Look(
    name="dead_letters_grew",
    check="nothing_was_refused",
    meaning="No message became a dead letter within the hour, and the loader put no row into quarantine.",
    assets=[DEAD_LETTERS],
    resources=frozenset({"warehouse"}),
    ask=_refused,
    severity=dg.AssetCheckSeverity.WARN,
)

gaps_open_sensor, gaps_check = sensor_of(OPEN_GAPS), check_of(OPEN_GAPS)
dead_letters_grew_sensor, dead_letters_check = sensor_of(REFUSED), check_of(REFUSED)
