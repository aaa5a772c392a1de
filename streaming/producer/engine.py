"""The running producer: builds the parts, starts and stops them in order, replaces and adds connections.

What belongs here: wiring and life cycle. What does not: any part's own work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import structlog

from streaming import kafka, pair_registry
from streaming.errors import PlatformError
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan
from streaming.pairs import partition_count
from streaming.producer import recovery, resume
from streaming.producer.backoff import RateLimiter
from streaming.producer.connection import Connection
from streaming.producer.filler import Filler
from streaming.producer.ledger import GapLedger
from streaming.producer.listing import Changes, ListingWatch
from streaming.producer.rest_client import RestClient
from streaming.producer.resume import Position
from streaming.producer.sequencer import TradeSequencer
from streaming.producer.sink import DeliveryError, KafkaSink, StoppingError
from streaming.producer.source import Source
from streaming.producer.tape import Tape, Writer
from streaming.producer.tapes import Tapes
from streaming.settings import Settings

log = structlog.get_logger(__name__)

JOIN_S: Final = 5.0
FLUSH_S: Final = 15.0


class Engine:
    """Reads `pairs` of `source` into Kafka until `stop` is set.

    Building it creates the topics, places new pairs, and reads the position of every pair from Kafka.

    Raises:
        ServiceUnavailableError: Kafka does not answer.
        SettingsError: the Kafka cluster is too small, or a pair cannot be placed as configured.
        SpoolError: the spool's folder cannot be used, or another producer has it.
    """

    def __init__(
        self, settings: Settings, source: Source, pairs: Sequence[str], stop: threading.Event
    ) -> None:
        self._settings = settings
        self._source = source
        self._stop = stop
        self._failure: PlatformError | None = None
        self._lock = threading.Lock()
        self.exchange = source.exchange
        self._partitions: dict[str, int] = {}
        self._resting: set[str] = set()
        self._additions = 0
        self._writer = Writer(
            source.exchange, source.simulated, settings.producer_id, time.time_ns() // 1_000_000
        )
        # First of all, because it also says that no other producer of this exchange and home still writes.
        self._spool = recovery.spool(settings, source.exchange)
        with ExitStack() as undo:
            if self._spool is not None:
                undo.callback(self._spool.close)
                spooled = recovery.pairs(self._spool)
                self._resting |= spooled.difference(pairs)
            self._create_topics(0)
            self._place([*pairs, *sorted(self._resting)])
            positions = resume.read(settings, source.exchange, self._partitions)
            undo.pop_all()
        self.sink = KafkaSink(settings, stop, self._spool)
        self.sink.await_partitions(partition_count(self._partitions))
        self.ledger = GapLedger(self.sink, source.exchange, source.simulated, self._partitions)
        self.tapes = Tapes()
        self._open_tapes(positions)
        self._client = RestClient(source.rest_url, stop)
        self._limiter = RateLimiter(source.venue.connect_limit)
        self._filler = Filler(
            source.venue,
            self._client,
            self.tapes,
            self.ledger,
            stop,
            on_stalled=self._reconnect_pair,
            on_fatal=self._fail,
        )
        self.listing = ListingWatch(
            source.venue,
            self._client,
            settings.pair_choice,
            settings.instruments_refresh_s,
            stop,
            reading=lambda: [pair for pair in self.tapes if pair not in self._resting],
            on_change=self._change_pairs,
            on_fatal=self._fail,
        )
        plans = source.venue.connections(list(pairs))
        self._active: list[Connection] = [self._connection(plan) for plan in plans]
        self._retired: list[Connection] = []

    def _create_topics(self, partitions: int) -> None:
        created = kafka.create_topics(self._settings, partitions)
        if created:
            log.info("topics created or grown", topics=created)

    def _place(self, pairs: Sequence[str]) -> None:
        """Learn the partitions of pairs; the topics grow when one lies beyond their end."""
        placed = pair_registry.placements(self._settings, pairs)
        self._create_topics(partition_count(placed))
        self._partitions |= placed

    def _open_tapes(self, positions: Mapping[str, Position]) -> None:
        opened: dict[str, Tape] = {}
        for pair, position in positions.items():
            log.info("resuming", pair=pair, last_id=position.last_id, open_gaps=len(position.gaps))
            self.ledger.adopt(position.gaps)
            sequencer = TradeSequencer(
                position.last_id, position.missing.ranges(), contiguous=self._source.venue.id_contiguous
            )
            opened[pair] = Tape(
                self._writer,
                pair,
                self._partitions[pair],
                sequencer,
                self.sink,
                self.ledger,
                position.last_time_us,
            )
        self.tapes.add(opened)

    @property
    def connections(self) -> Sequence[Connection]:
        """Every connection since the start, also those that were replaced."""
        with self._lock:
            return [*self._active, *self._retired]

    def run(self) -> None:
        """Start all parts, wait for the stop, drain. Raises what ended the process, if it was an error."""
        if self._recover():
            self._filler.start()
            self.listing.start()
            for connection in self._active:
                connection.start()
            self._stop.wait()
            self._end_parts()
        self._close_sink()
        failure = self.sink.failure or self._failure
        if failure is not None:
            raise failure

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """Whether every connection delivers, with the state of each and the age of each pair's data."""
        with self._lock:
            states: dict[str, str] = {}
            for connection in self._active:
                if states.get(connection.plan.name) != State.READY.value:
                    states[connection.plan.name] = connection.state.value
        now_ns = time.time_ns()
        details: dict[str, object] = {
            "exchange": self.exchange,
            "simulated": self._source.simulated,
            "connections": states,
            "pairs": {
                pair: {
                    "last_trade_id": tape.last_id,
                    "last_trade_age_s": _age_s(now_ns, tape.last_trade_ns),
                    "last_ticker_age_s": _age_s(now_ns, tape.last_ticker_ns),
                }
                for pair, tape in self.tapes.items()
            },
            "gaps_open": len(self.ledger.open_gaps()),
            "queue_depth": self.sink.depth,
            "spooling": self.sink.spooling,
            "pairs_resting": sorted(self._resting),
        }
        ok = not self._stop.is_set() and all(state == State.READY.value for state in states.values())
        return ok, details

    def _connection(self, plan: ConnectionPlan, *, is_overlap: bool = False) -> Connection:
        return Connection(
            self._source.venue,
            plan,
            self._source.ws_url + plan.path,
            self.tapes,
            self._limiter,
            on_notice=self._replace,
            on_ready=self._retire_older,
            on_stale=self._check_pair,
            on_refused=self._refused,
            on_fatal=self._fail,
            on_burst=self.sink.serve,
            is_overlap=is_overlap,
        )

    def _replace(self, old: Connection, plan: ConnectionPlan | None = None) -> None:
        """Open a second connection beside one whose end is announced; the sequencer drops what both bring."""
        with self._lock:
            if old not in self._active or old is not self._newest(old.plan.name):
                return
            new = self._connection(plan or old.plan, is_overlap=True)
            old.supersede()
            self._active.append(new)
        new.start()

    def _newest(self, name: str) -> Connection:
        return [c for c in self._active if c.plan.name == name][-1]

    def _change_pairs(self, changes: Changes) -> None:
        """Begin to read pairs that have begun to trade, and stop reading those that no longer do."""
        new = [pair for pair in changes.begun if pair not in self.tapes]
        if new:
            self._place(new)
            self.sink.await_partitions(partition_count(self._partitions))
            wanted = {pair: self._partitions[pair] for pair in new}
            self._open_tapes(resume.read(self._settings, self.exchange, wanted))
        for pair in changes.begun:
            self.tapes[pair].interrupted("not trading")
        self._resting = (self._resting | set(changes.ended)) - set(changes.begun)
        if changes.begun:
            self._additions += 1
            for plan in self._source.venue.connections(list(changes.begun)):
                self._add(replace(plan, name=f"{plan.name}+{self._additions}"))
        for name in dict.fromkeys(c.plan.name for c in self._active):
            self._forget(self._newest(name), changes.ended)

    def _add(self, plan: ConnectionPlan) -> None:
        connection = self._connection(plan)
        with self._lock:
            self._active.append(connection)
        connection.start()

    def _forget(self, connection: Connection, ended: Sequence[str]) -> None:
        """Go on without the pairs that have ended: a request that names one would be refused."""
        left = tuple(pair for pair in connection.plan.pairs if pair not in ended)
        if left and left != connection.plan.pairs:
            self._replace(connection, replace(connection.plan, pairs=left))
        elif not left:
            with self._lock:
                self._active.remove(connection)
                self._retired.append(connection)
            connection.stop()

    def _retire_older(self, ready: Connection) -> None:
        with self._lock:
            same = [c for c in self._active if c.plan.name == ready.plan.name]
            older = same[: same.index(ready)] if ready in same else []
            for connection in older:
                self._active.remove(connection)
                self._retired.append(connection)
        for connection in older:
            connection.stop()
            log.info("connection replaced", connection=connection.plan.name)

    def _check_pair(self, connection: Connection, pair: str) -> None:
        if connection.plan.carries_trades:
            self._filler.check(pair)

    def _reconnect_pair(self, pair: str) -> None:
        with self._lock:
            for connection in self._active:
                if connection.plan.carries_trades and pair in connection.plan.pairs:
                    connection.drop("pair-stalled")

    def _refused(self, connection: Connection, error: PlatformError) -> None:
        """A pair may have been delisted since the list was read: then go on without it, else end."""
        self.listing.refresh()
        if self._resting.isdisjoint(connection.plan.pairs):
            self._fail(error)
        else:
            log.warning("subscription refused, going on without what no longer trades", reason=error.what)

    def _fail(self, error: PlatformError) -> None:
        with self._lock:
            self._failure = self._failure or error
        self._stop.set()

    def _recover(self) -> bool:
        """Send what an earlier process left in the spool; return whether that was not interrupted."""
        if self._spool is not None:
            try:
                recovery.recover(self._spool, self.tapes, self.sink)
            except (StoppingError, DeliveryError):
                return False
        return True

    def _end_parts(self) -> None:
        log.info("stopping")
        for connection in self.connections:
            connection.stop()
        for connection in self.connections:
            if not connection.join(JOIN_S):
                log.warning("thread did not end in time", connection=connection.plan.name)
        for name, thread in (("filler", self._filler), ("listing", self.listing)):
            if not thread.join(JOIN_S):
                log.warning("thread did not end in time", thread=name)
        self._client.close()

    def _close_sink(self) -> None:
        left = self.sink.close(FLUSH_S)
        if left:
            log.warning("Kafka did not take everything; the next start fetches it again", messages=left)
        if self._spool is not None and self._spool.bytes:
            log.warning("the spool stays on disk for the next start", spool_bytes=self._spool.bytes)
        log.info("stopped", trades=sum(tape.trades_acked for tape in self.tapes.values()))


def _age_s(now_ns: int, then_ns: int) -> float | None:
    return round((now_ns - then_ns) / 1e9, 3) if then_ns else None
