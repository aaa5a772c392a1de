"""One audit from beginning to end: read the hops, wait for what is on its way, judge.

What belongs here: the order of reading, and waiting. What does not: each hop's reading, the comparison.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from streaming.audit import exchange_hop, kafka_hop, warehouse_hop
from streaming.audit.verdict import PairAudit, judge_all
from streaming.settings import Settings

POLL_S = 0.5


def audit(
    settings: Settings, since: datetime, *, ask_exchange: bool = True, wait_s: float = 15.0
) -> list[PairAudit]:
    """Compare the hops as they stood when the audit began.

    The exchange is asked first, then Kafka, then the warehouse, so a trade that happens meanwhile can only be
    seen further right, never be missed. What is still on its way is waited for up to `wait_s` seconds, and
    then reported as pending.

    Raises:
        ServiceUnavailableError: a hop does not answer.
    """
    exchange = exchange_hop.read(settings) if ask_exchange else {}
    kafka = kafka_hop.read(settings, since)
    deadline = time.monotonic() + wait_s
    while True:
        warehouse = warehouse_hop.read(settings, since)
        mismatched = warehouse_hop.mismatched_bars(settings, since)
        audits = judge_all(kafka, warehouse, exchange, mismatched)
        waiting = any(a.pending or a.mismatched_bars for a in audits)
        if not waiting or time.monotonic() >= deadline:
            return audits
        time.sleep(POLL_S)


def to_json(audit: PairAudit) -> dict[str, Any]:
    """A verdict as JSON values, with `clean`."""
    return {**asdict(audit), "clean": audit.clean}
