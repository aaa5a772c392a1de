"""Back-fill: fetches the trades of open gaps over REST, sends them, closes the gaps.

What belongs here: which gap is tried when, and when one is given up. What does not: paging
(`streaming.exchanges.<venue>.rest`), duplicates (`tape`), the ledger's form (`ledger`).

A gap is given up only after `COMPLETE_WALKS` walks that saw all of the exchange's history and still lacked
trades: one answer may come from a server that is behind. As long as the exchange cannot be asked, the gap
stays open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from streaming.errors import PlatformError
from streaming.exchanges.venue import RestError, SparseTradeHistory, Venue
from streaming.producer.backoff import Backoff
from streaming.producer.ledger import GapLedger
from streaming.producer.rest_client import RestClient
from streaming.producer.sequencer import IdRange
from streaming.producer.sink import StoppingError
from streaming.producer.tape import Tape
from streaming.records import Gap

log = structlog.get_logger(__name__)

COMPLETE_WALKS: Final = 4
RETRY_BASE_S: Final = 1.0
RETRY_CAP_S: Final = 30.0
IDLE_S: Final = 0.2


class _Attempts:
    """What is known about one open gap's attempts."""

    def __init__(self) -> None:
        self.backoff = Backoff(RETRY_BASE_S, RETRY_CAP_S)
        self.complete_walks = 0
        self.not_before_s = 0.0


class Filler:
    """One thread for all gaps of a venue.

    Args:
        on_stalled: called with a pair whose feed is silent although it trades.
        on_fatal: called with what ends the process.
    """

    def __init__(
        self,
        venue: Venue,
        client: RestClient,
        tapes: Mapping[str, Tape],
        ledger: GapLedger,
        stop: threading.Event,
        *,
        on_stalled: Callable[[str], None],
        on_fatal: Callable[[PlatformError], None],
    ) -> None:
        self._venue = venue
        self._client = client
        self._tapes = tapes
        self._ledger = ledger
        self._stop = stop
        self._on_stalled = on_stalled
        self._on_fatal = on_fatal
        self._attempts: dict[tuple[str, int], _Attempts] = {}
        self._to_check: set[str] = set()
        self.errors = 0
        self._thread = threading.Thread(target=self._run, name="filler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def check(self, pair: str) -> None:
        """Ask soon whether a silent pair has traded meanwhile."""
        self._to_check.add(pair)

    def _run(self) -> None:
        try:
            while not self._stop.wait(IDLE_S):
                self.work()
        except StoppingError:
            return
        except PlatformError as error:
            self._on_fatal(error)
        except Exception as error:
            log.exception("the filler failed")
            self._on_fatal(PlatformError(f"The back-fill failed: {error!r}."))

    def work(self) -> None:
        """Try every gap that is due once, oldest first, then the pending checks."""
        gaps = sorted(self._ledger.open_gaps(), key=lambda gap: gap.detected_at_us)
        known = {(gap.pair, gap.from_id) for gap in gaps}
        self._attempts = {key: value for key, value in self._attempts.items() if key in known}
        for gap in gaps:
            attempts = self._attempts.setdefault((gap.pair, gap.from_id), _Attempts())
            if time.monotonic() >= attempts.not_before_s and not self._stop.is_set():
                self._try(gap, attempts)
        while self._to_check and not self._stop.is_set():
            self._check(self._to_check.pop())

    def _try(self, gap: Gap, attempts: _Attempts) -> None:
        tape = self._tapes[gap.pair]
        bounds = IdRange(gap.from_id, gap.to_id)
        retry_after_s = 0.0
        complete = bool(tape.missing(bounds))
        for part in tape.missing(bounds):
            try:
                complete = self._walk(tape, part) and complete
            except RestError as error:
                if self._stop.is_set():
                    return
                complete = False
                retry_after_s = error.retry_after_s
                self.errors += 1
                log.warning("back-fill failed", pair=gap.pair, from_id=gap.from_id, error=str(error))
                break
        left = tape.missing(bounds)
        attempts.complete_walks += complete
        if left and attempts.complete_walks < COMPLETE_WALKS:
            delay_s = max(retry_after_s, attempts.backoff.next_delay_s())
            attempts.not_before_s = time.monotonic() + delay_s
            return
        for ids in left:
            tape.give_up(ids)
        tape.wait_acked()
        self._ledger.close(gap, left)

    def _walk(self, tape: Tape, part: IdRange) -> bool:
        """Walk the exchange's history once over `part`; return whether all of it was seen."""
        history = self._venue.history(tape.pair, part.first, part.last)
        while (request := history.next_request()) is not None:
            for trade in history.receive(self._client.get(request)):
                tape.trade(trade, "rest")
        if isinstance(history, SparseTradeHistory):
            seen_from = history.seen_from
            if seen_from is not None and seen_from <= part.last:
                # What has not come from there on are holes in the ids, not trades.
                tape.give_up(IdRange(max(seen_from, part.first), part.last))
        return history.covered

    def _check(self, pair: str) -> None:
        try:
            newest = self._venue.newest_id(self._client.get(self._venue.newest_request(pair)))
        except RestError as error:
            log.info("silent pair could not be checked", pair=pair, error=str(error))
            return
        last_id = self._tapes[pair].last_id
        if newest is not None and last_id is not None and newest > last_id:
            log.warning("feed is stalled", pair=pair, last_id=last_id, newest_id=newest)
            # A later trade may not come for long, and not every venue repeats its last one after a
            # subscription: what is missing is fetched now, and is no stall a second time.
            self._tapes[pair].expect(newest)
            self._on_stalled(pair)
