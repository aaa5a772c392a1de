"""Random faults on a real producer, three real brokers and the simulated exchange: none lost, none twice.

`--chaos-seconds` (the whole programme has 600), `--chaos-seed` and `--chaos-report FILE` steer it; `make
chaos` runs the whole.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.comparison import compare
from tests.chaos.faults import Chaos, ProducerKeeper
from tests.chaos.outcome import outages, recovered_s, windows
from tests.chaos.report import RECOVERY_MAX_S, Result
from tests.chaos.schedule import plan
from tests.chaos.watch import Watch
from tests.integration.producer_bench import Bench, settle

TRADES_PER_SECOND = 500


def rest(watch: Watch, chaos: Chaos) -> None:
    """Wait until every fault is overcome and progress was seen, or the time for it is over."""
    deadline_s = watch.now_s() + RECOVERY_MAX_S
    while watch.now_s() < deadline_s:
        ledger = watch.ledger()
        overcome = all(recovered_s(s, watch.health, watch.stored, ledger) is not None for s in chaos.struck)
        if overcome and windows(watch.stored, outages(chaos.struck)):
            return
        time.sleep(1)


def wreak_havoc(running: Bench, seed: int, seconds: float) -> Result:
    """Run a schedule, let everything come to rest, and collect what was seen."""
    keeper = ProducerKeeper(running)
    try:
        running.platform.await_that("the producer is ready", lambda: running.status()["ready"])
        watch = Watch(running)
        chaos = Chaos(running, watch, keeper, plan(seed, seconds))
        watch.start()
        chaos.start()
        try:
            chaos.join()
            running.platform.await_that(
                "no trades wait to be hidden", lambda: not running.exchange_state()["gaps"]
            )
            rest(watch, chaos)
        finally:
            chaos.halt()
            watch.stop()
        settle(running)
    finally:
        code = keeper.stop()
    assert code == 0, running.log("streaming.producer")[-2000:]
    ledger = watch.ledger()
    return Result(
        seed,
        seconds,
        TRADES_PER_SECOND,
        [(s, recovered_s(s, watch.health, watch.stored, ledger)) for s in chaos.struck],
        [compare(running, pair) for pair in running.platform.settings.partitions],
        Counter(gap.status for gap in running.gaps().values()),
        windows(watch.stored, outages(chaos.struck)),
        keeper.kills,
        keeper.exit_codes,
    )


@pytest.mark.stack
@pytest.mark.timeout(1500)
def test_no_trade_is_lost_or_doubled_whatever_fails(
    running: Bench, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    seed: int = pytestconfig.getoption("--chaos-seed")
    seconds: float = pytestconfig.getoption("--chaos-seconds")
    report: Path | None = pytestconfig.getoption("--chaos-report")
    running.platform.control("resume")
    running.platform.control("rate", trades_per_second=TRADES_PER_SECOND)
    result = wreak_havoc(running, seed, seconds)
    with capsys.disabled():
        sys.stdout.write("\n" + result.table())
    if report is not None:
        report.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    assert not result.violations()
