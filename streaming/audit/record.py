"""Keeps the verdicts of an audit in the warehouse.

What belongs here: writing OPS.AUDITS. What does not: auditing (`streaming.audit.run`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from snowflake_sql import catalog
from streaming import warehouse
from streaming.audit.verdict import PairAudit
from streaming.settings import Settings


def store(settings: Settings, audits: Iterable[PairAudit], since: datetime) -> None:
    """Write one row a pair, all with the same time.

    Raises:
        ServiceUnavailableError: the warehouse does not answer.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    statement = catalog.statement("reports/store_audit")
    with warehouse.connect(settings) as connection, warehouse.transaction(connection):
        for audit in audits:
            values = {
                name: getattr(audit, name)
                for name in (
                    *("exchange", "pair", "first_id", "last_id", "expected", "lost", "pending"),
                    *("duplicated", "late", "mismatched_bars"),
                )
            }
            moments = {"audited_at": now, "since": since.astimezone(UTC).replace(tzinfo=None)}
            connection.cursor().execute(statement, values | moments | {"is_clean": audit.clean})
