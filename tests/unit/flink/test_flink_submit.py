"""What the submitting process says, and how it is told from what it logs."""

from __future__ import annotations

import msgspec
import pytest

from streaming.flink import submit
from streaming.flink.submit import Submitted

LOGGED = '{"job": "crypto-tick", "event": "kept plan cannot be read, planning anew", "level": "warning"}'


def test_outcomes_are_read_and_the_log_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    told = [
        Submitted("tick", "1a2b", submitted=True, restored_from="file:///checkpoints/chk-7"),
        Submitted("bars", "3c4d", submitted=False, restored_from=None),
    ]
    lines = [LOGGED, *(msgspec.json.encode(one).decode() for one in told), "WARNING: something of Java's"]
    assert submit.outcomes(lines) == told
    assert capsys.readouterr().out.splitlines() == [LOGGED, "WARNING: something of Java's"]
