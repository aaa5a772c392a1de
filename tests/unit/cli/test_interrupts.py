"""Signals of the command line: raised, or noted."""

from __future__ import annotations

import signal

import pytest

from crypto_platform.interrupts import noted_interrupt

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_noted_interrupt_lets_every_step_finish(number: signal.Signals) -> None:
    done = []
    with noted_interrupt() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        done.append("the step after it")
        assert stop.is_set()
    assert done == ["the step after it"]


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with noted_interrupt():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
