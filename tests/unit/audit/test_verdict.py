"""The verdict on one pair, case by case."""

from __future__ import annotations

import pytest

from streaming.audit.verdict import TapeSummary, judge, judge_all

KEY = ("OKX_SIM", "BTC-USDT")
HOLES = ("BYBIT_SIM", "BTC-USDT")
"""A venue whose trade ids have holes."""


def tape(*ranges: tuple[int, int], repeated: int = 0, late: int = 0) -> TapeSummary:
    return TapeSummary(ranges, repeated, late)


CASES = {
    "all hops agree": (
        tape((1, 9)),
        tape((1, 9)),
        tape((1, 9)),
        dict(expected=9, lost=0, pending=0, clean=True),
    ),
    "one row is missing in the warehouse": (
        tape((1, 9)),
        tape((1, 4), (6, 9)),
        tape((1, 9)),
        dict(expected=9, lost=1, lost_ranges=((5, 5),), clean=False),
    ),
    "the first row is missing in the warehouse": (
        tape((1, 9)),
        tape((2, 9)),
        None,
        dict(expected=9, lost=1, lost_ranges=((1, 1),), clean=False),
    ),
    "a trade never reached Kafka": (
        tape((1, 4), (6, 9)),
        tape((1, 4), (6, 9)),
        None,
        dict(expected=9, lost=1, lost_ranges=((5, 5),), clean=False),
    ),
    "the loader is behind": (tape((1, 9)), tape((1, 6)), None, dict(lost=0, pending=3, clean=False)),
    "the loader has written nothing": (tape((1, 9)), tape(), None, dict(lost=0, pending=9, clean=False)),
    "the producer is behind the exchange": (
        tape((3, 6)),
        tape((3, 6)),
        tape((1, 9)),
        dict(first_id=3, expected=7, lost=0, pending=3, clean=False),
    ),
    "what was traded before we listened is not ours": (
        tape((5, 9)),
        tape((5, 9)),
        tape((1, 9)),
        dict(first_id=5, expected=5, clean=True),
    ),
    "an id stands twice in the warehouse": (
        tape((1, 9)),
        tape((1, 9), repeated=2),
        None,
        dict(lost=0, duplicated=2, clean=False),
    ),
    "a trade repeated in Kafka is no fault": (tape((1, 9), repeated=3), tape((1, 9)), None, dict(clean=True)),
    "Kafka has already forgotten the beginning": (
        tape((7, 9)),
        tape((1, 9)),
        None,
        dict(expected=9, clean=True),
    ),
    "the warehouse is ahead of what was read of Kafka": (
        tape((1, 9)),
        tape((1, 12)),
        None,
        dict(expected=9, last_id=9, clean=True),
    ),
    "late trades are counted and are no loss": (
        tape((1, 9), late=2),
        tape((1, 9)),
        None,
        dict(late=2, clean=True),
    ),
    "nothing has been listened to": (tape(), tape(), tape((1, 9)), dict(expected=9, pending=9, clean=False)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_follows_from_the_hops(case: str) -> None:
    kafka, warehouse, exchange, wanted = CASES[case]
    audit = judge(KEY, kafka=kafka, warehouse=warehouse, exchange=exchange)
    assert {name: getattr(audit, name) for name in wanted} == wanted


def test_a_bar_that_differs_makes_the_pair_unclean_even_without_trades() -> None:
    (audit,) = judge_all({}, {}, {}, {KEY: ("2026-11-23T10:00:00Z",)})
    assert audit.mismatched_bars == 1
    assert not audit.clean


def test_every_pair_that_a_hop_knows_is_judged() -> None:
    audits = judge_all({KEY: tape((1, 2))}, {("OKX_SIM", "ETH-USDT"): tape((5, 6))}, {}, {})
    assert [(a.pair, a.pending) for a in audits] == [("BTC-USDT", 2), ("ETH-USDT", 0)]


def test_where_ids_have_holes_only_what_kafka_has_is_expected() -> None:
    kafka, warehouse = tape((10, 10), (17, 17), (25, 25)), tape((10, 10), (25, 25))
    (audit,) = judge_all({HOLES: kafka}, {HOLES: warehouse}, {}, {})
    assert (audit.expected, audit.lost_ranges, audit.clean) == (3, ((17, 17),), False)
    (whole,) = judge_all({HOLES: kafka}, {HOLES: kafka}, {}, {})
    assert (whole.expected, whole.clean) == (3, True)
    (same_ids_at_okx,) = judge_all({KEY: kafka}, {KEY: kafka}, {}, {})
    assert (same_ids_at_okx.expected, same_ids_at_okx.lost) == (16, 13)
