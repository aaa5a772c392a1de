"""The judge of a chaos run turns red for each single thing that may be wrong, and only then."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from streaming.records import Trade
from tests.chaos.outcome import (
    GRACE_S,
    FoundGap,
    Health,
    Stored,
    Struck,
    TapeVerdict,
    Window,
    judge_tape,
    outages,
    recovered_s,
    windows,
)
from tests.chaos.report import PROGRESS_MIN, RECOVERY_MAX_S, Result
from tests.chaos.schedule import TICKERS, TRADES, Fault, Kind

PAIR = "BTC-USDT"


def trade(trade_id: int, seq: int, epoch: int = 1) -> Trade:
    return Trade(
        exchange="OKX_SIM",
        pair=PAIR,
        first_id=trade_id,
        trade_id=trade_id,
        count=1,
        price=f"{trade_id}.5",
        size="0.1",
        side="buy",
        exchange_time_us=trade_id * 1000,
        receive_time_ns=1,
        producer_id="p",
        producer_epoch=epoch,
        seq=seq,
        source="ws",
        simulated=True,
    )


def row(trade_id: int) -> dict[str, Any]:
    return {"id": trade_id, "price": f"{trade_id}.5", "size": "0.1", "side": "buy", "time_ms": trade_id}


TRUTH = [row(i) for i in range(10, 16)]
TAPE = [trade(10, 1), trade(11, 2), trade(15, 1, epoch=2), trade(12, 2, 2), trade(13, 3, 2), trade(14, 4, 2)]


def test_a_tape_with_every_trade_once_is_clean_whatever_order_the_back_fill_came_in() -> None:
    assert judge_tape(PAIR, TAPE, TRUTH) == TapeVerdict(PAIR, 6, (), (), (), (), ())


@pytest.mark.parametrize(
    ("tape", "truth", "wrong"),
    [
        (TAPE[:-1], TRUTH, {"lost": (14,)}),
        ([*TAPE, trade(11, 5, 2)], TRUTH, {"duplicated": (11,)}),
        ([msgspec.structs.replace(TAPE[0], price="10.50"), *TAPE[1:]], TRUTH, {"altered": (10,)}),
        ([msgspec.structs.replace(TAPE[0], size="1"), *TAPE[1:]], TRUTH, {"altered": (10,)}),
        ([msgspec.structs.replace(TAPE[0], side="sell"), *TAPE[1:]], TRUTH, {"altered": (10,)}),
        ([msgspec.structs.replace(TAPE[0], exchange_time_us=1), *TAPE[1:]], TRUTH, {"altered": (10,)}),
        ([*TAPE, trade(99, 5, 2)], TRUTH, {"invented": (99,)}),
        ([TAPE[1], TAPE[0], *TAPE[2:]], TRUTH, {"disordered": 2}),
        ([TAPE[0], *TAPE[2:], trade(11, 3)], TRUTH, {"disordered": 1}),
    ],
)
def test_a_tape_is_red_for_what_is_wrong_with_it(
    tape: list[Trade], truth: list[dict[str, Any]], wrong: dict[str, Any]
) -> None:
    verdict = judge_tape(PAIR, tape, truth)
    assert not verdict.clean
    for name in ("lost", "duplicated", "altered", "invented", "disordered"):
        expected = wrong.get(name, ())
        found = getattr(verdict, name)
        assert (len(found) if isinstance(expected, int) else found) == expected, name


def struck(
    kind: Kind = Kind.CUT, target: str = TRADES, began_s: float = 10.0, ended_s: float = 12.0
) -> Struck:
    return Struck(
        Fault(began_s, kind, target, ended_s - began_s, 0), began_s, ended_s, {PAIR: 90}, {PAIR: 100}
    )


def health(at_s: float, last_id: int | None = 100, **changes: Any) -> Health:
    usual = {"ready": True, "ticker_at_s": {PAIR: at_s}}
    return Health(at_s, last_ids={PAIR: last_id}, **usual | changes)


DEAD = Health(13.0, False, {}, {})


@pytest.mark.parametrize(
    ("fault", "samples", "seconds"),
    [
        (struck(), [health(11), health(13), health(14)], 1.0),
        (struck(), [health(13, ready=False), health(14)], 2.0),
        (struck(), [health(13, 99), health(14)], 2.0),
        (struck(), [health(13, None), health(14)], 2.0),
        (struck(), [DEAD, health(14)], 2.0),
        (struck(), [health(11), health(13, 99)], None),
        (struck(), [], None),
        (struck(Kind.MUTE), [health(9), health(11)], 1.0),
        (struck(target=TICKERS), [health(13, ticker_at_s={PAIR: 12.1}), health(14)], 2.0),
        (struck(target=TICKERS), [health(13, ticker_at_s={}), health(14)], 2.0),
        (struck(Kind.KILL, "producer"), [health(13, ticker_at_s={PAIR: 5.0}), health(14)], 2.0),
    ],
)
def test_recovery_ends_with_the_first_sample_in_which_all_is_well(
    fault: Struck, samples: list[Health], seconds: float | None
) -> None:
    assert recovered_s(fault, samples, [], []) == seconds


@pytest.mark.parametrize(
    ("gap", "seconds"),
    [
        (FoundGap(PAIR, 80, 89, 20.0), 1.0),
        (FoundGap(PAIR, 80, 90, 20.0), 8.0),
        (FoundGap(PAIR, 95, 96, 12.5), 1.0),
        (FoundGap(PAIR, 100, 130, 20.0), 8.0),
        (FoundGap(PAIR, 101, 130, 20.0), 1.0),
        (FoundGap(PAIR, 95, 96, None), None),
        (FoundGap(PAIR, 101, 130, None), 1.0),
    ],
)
def test_recovery_waits_for_the_gaps_of_the_fault_and_no_others(gap: FoundGap, seconds: float | None) -> None:
    assert recovered_s(struck(), [health(13)], [], [gap]) == seconds


def test_a_broker_s_death_is_overcome_when_every_copy_is_there_again() -> None:
    fault = struck(Kind.BROKER_KILL, "kafka-1")
    samples = [health(t) for t in range(13, 20)]
    copies = [Stored(11, 0, True), Stored(13, 0, False), Stored(16, 0, True)]
    assert recovered_s(fault, samples, copies, []) == 4.0
    assert recovered_s(fault, samples, copies[:2], []) is None


def steady(rate: int, seconds: int, idle: range = range(0)) -> list[Stored]:
    total, found = 0, []
    for second in range(seconds):
        found.append(Stored(float(second), total, True))
        total += 0 if second in idle else rate
    return found


def test_windows_see_a_pause_unless_it_is_excused() -> None:
    stored = steady(100, 40, idle=range(20, 30))
    assert min(window.trades for window in windows(stored, [])) == 0
    excused = windows(stored, [(20.0, 30.0)])
    assert {window.trades for window in excused} == {1000}
    assert {window.from_s for window in excused} == set(range(11))


def test_the_last_samples_make_no_window_that_is_not_over() -> None:
    assert windows(steady(100, 10), []) == []
    assert windows(steady(100, 11), []) == [Window(0.0, 1000)]


def test_outages_last_until_the_grace_is_over() -> None:
    assert outages([struck(), struck(Kind.KILL, "producer", 5.0, 7.0)]) == [(5.0, 7.0 + GRACE_S)]


def result(**changes: Any) -> Result:
    usual: dict[str, Any] = {
        "seed": 1,
        "seconds": 60.0,
        "trades_per_second": 500,
        "recoveries": [(struck(), 1.5)],
        "tapes": [judge_tape(PAIR, TAPE, TRUTH)],
        "gap_statuses": Counter(filled=3),
        "progress": [Window(0.0, PROGRESS_MIN)],
        "kills": 1,
        "unplanned_exits": [],
    }
    return Result(**usual | changes)


def test_a_clean_result_has_no_violation_and_its_table_names_each_fault() -> None:
    assert result().violations() == []
    assert "cut" in result().table()
    assert result().as_json()["faults"] == [
        {"at_s": 10.0, "fault": "cut", "target": TRADES, "seconds": 2.0, "amount": 0, "recovered_s": 1.5}
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tapes": [judge_tape(PAIR, TAPE[:-1], TRUTH)]}, "1 lost, such as 14"),
        ({"gap_statuses": Counter(open=1)}, "1 gaps are open"),
        ({"gap_statuses": Counter(unrecoverable=2)}, "2 gaps are unrecoverable"),
        ({"recoveries": [(struck(), None)]}, "no recovery from cut"),
        ({"recoveries": [(struck(), RECOVERY_MAX_S + 1)]}, "recovery from cut"),
        ({"progress": []}, "no 10 s window"),
        ({"progress": [Window(3.0, PROGRESS_MIN - 1)]}, "only 499 trades"),
        ({"unplanned_exits": [2]}, "ended by itself with 2"),
    ],
)
def test_each_broken_promise_is_a_violation(changes: dict[str, Any], words: str) -> None:
    [violation] = result(**changes).violations()
    assert words in violation
