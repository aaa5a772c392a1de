"""Kafka's tape against the exchange's own, on a bench that runs.

What belongs here: fetching both. What does not: judging (`outcome`).
"""

from __future__ import annotations

from tests.chaos.outcome import TapeVerdict, judge_tape
from tests.integration.producer_bench import Bench


def compare(running: Bench, pair: str) -> TapeVerdict:
    """Judge a pair's tape from its first trade to the last one that the exchange has traded."""
    tape = running.trades(pair)
    last_id = running.exchange_state()["pairs"][pair]["next_id"] - 1
    first_id = min(trade.trade_id for trade in tape)
    return judge_tape(pair, tape, running.truth(pair, first_id, last_id))
