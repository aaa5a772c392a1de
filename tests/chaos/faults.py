"""Carries a schedule out on a real producer, the simulated exchange and real brokers.

What belongs here: striking at the right time, and keeping the producer alive as a supervisor would. What does
not: when (`schedule`), what came of it (`outcome`).

Faults overlap, so each one has a thread of its own from its time to its end.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterable
from typing import Final

from tests.chaos.outcome import Struck
from tests.chaos.schedule import BOTH, SILENT, Fault, Kind
from tests.chaos.watch import Watch
from tests.integration.producer_bench import Bench

PRODUCER: Final = "streaming.producer"
RESTART_DELAY_S: Final = 1.0
HALF_OPEN_S: Final = 300.0
CLOSE_CODES: Final = {
    Kind.CUT: None,
    Kind.CLOSE_4004: 4004,
    Kind.CLOSE_4005: 4005,
    Kind.CLOSE_1009: 1009,
}
REST_KINDS: Final = {
    Kind.REST_TOO_MANY: "too_many",
    Kind.REST_UNAVAILABLE: "unavailable",
    Kind.REST_HANG: "hang",
}


class ProducerKeeper:
    """Runs the producer and starts it again whenever it ends, as a supervisor does."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._killed = False
        self._process = bench.start(PRODUCER)
        self.kills = 0
        self.exit_codes: list[int] = []
        """How lives ended that nobody ended."""
        self._thread = threading.Thread(target=self._keep, name="chaos-keeper")
        self._thread.start()

    def kill(self, absent_s: float) -> None:
        """kill -9, and a new life after `absent_s`."""
        with self._lock:
            self._killed = True
            self._process.kill()
            self._process.wait(10)
            self.kills += 1
        self._stopping.wait(absent_s)
        with self._lock:
            self._process = self._bench.start(PRODUCER)
            self._killed = False

    def suspend(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after `seconds` to the same life, if it still lives."""
        process = self._process
        self._signal(process, signal.SIGSTOP)
        self._stopping.wait(seconds)
        self._signal(process, signal.SIGCONT)

    def stop(self) -> int:
        """End for good by SIGTERM; the exit code."""
        self._stopping.set()
        self._thread.join(30)
        self._signal(self._process, signal.SIGTERM)
        return self._process.wait(30)

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with self._lock:
            if process.poll() is None:
                process.send_signal(number)

    def _keep(self) -> None:
        while not self._stopping.wait(RESTART_DELAY_S):
            with self._lock:
                code = None if self._killed else self._process.poll()
                if code is not None:
                    self.exit_codes.append(code)
                    self._process = self._bench.start(PRODUCER)


class Chaos:
    """Carries out `faults`. Errors of a fault's thread come out of `join`."""

    def __init__(self, bench: Bench, watch: Watch, keeper: ProducerKeeper, faults: Iterable[Fault]) -> None:
        self._bench = bench
        self._watch = watch
        self._keeper = keeper
        self._halt = threading.Event()
        self._errors: list[Exception] = []
        self.struck: list[Struck] = []
        self._threads = [
            threading.Thread(target=self._run, args=(fault,), name=f"chaos-{fault.kind}") for fault in faults
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Return when every fault has ended. Raises what went wrong in the test's own machinery."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise ExceptionGroup("faults that could not be carried out", self._errors)

    def halt(self) -> None:
        """Begin no further fault."""
        self._halt.set()

    def _run(self, fault: Fault) -> None:
        try:
            if self._halt.wait(max(fault.at_s - self._watch.now_s(), 0.0)):
                return
            began_s = self._watch.now_s()
            from_ids = self._next_ids()
            self._strike(fault)
            goal_ids = self._next_ids() if fault.kind in SILENT else {}
            if fault.kind is Kind.HIDE:
                goal_ids = {pair: next_id + fault.amount for pair, next_id in self._next_ids().items()}
            if fault.kind not in (Kind.KILL, Kind.SIGSTOP):
                self._halt.wait(fault.seconds)
            ended_s = self._watch.now_s()
            self.struck.append(Struck(fault, began_s, ended_s, from_ids, goal_ids or self._next_ids()))
        except Exception as error:  # noqa: BLE001 - raised by `join`
            error.add_note(f"while carrying out {fault}")
            self._errors.append(error)

    def _strike(self, fault: Fault) -> None:
        control = self._bench.platform.control
        path = None if fault.target == BOTH else fault.target
        match fault.kind:
            case Kind.KILL:
                self._keeper.kill(fault.seconds)
            case Kind.SIGSTOP:
                self._keeper.suspend(fault.seconds)
            case Kind.BROKER_KILL:
                self._bench.kill_broker(fault.target)
            case Kind.STALL | Kind.MUTE:
                control("stall", path=path, seconds=fault.seconds, pong=fault.kind is Kind.STALL)
            case Kind.HALF_OPEN:
                control("half_open", path=path, seconds=HALF_OPEN_S)
            case Kind.NOTICE:
                control("notice", path=path, seconds=fault.seconds)
            case Kind.DUPLICATE:
                control("duplicate", n=fault.amount)
            case Kind.HIDE:
                control("gap", n=fault.amount)
            case Kind.REORDER:
                control("reorder", seconds=fault.seconds, window_ms=fault.amount)
            case Kind.BAD_FRAMES:
                control("bad_frame", path=path)
            case Kind.TICKER_STORM:
                control("tickers", seconds=fault.seconds, per_second=fault.amount)
            case Kind.REST_LAG:
                control("rest", kind="lag", seconds=fault.seconds, lag_s=fault.amount)
            case Kind.REST_TOO_MANY | Kind.REST_UNAVAILABLE | Kind.REST_HANG:
                control("rest", kind=REST_KINDS[fault.kind], seconds=fault.seconds)
            case Kind.CUT | Kind.CLOSE_4004 | Kind.CLOSE_4005 | Kind.CLOSE_1009:
                control("drop", path=path, code=CLOSE_CODES[fault.kind])

    def _next_ids(self) -> dict[str, int]:
        return {pair: desk["next_id"] for pair, desk in self._bench.exchange_state()["pairs"].items()}
