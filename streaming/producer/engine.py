"""The running producer: builds the parts, starts and stops them in order, replaces connections.

What belongs here: wiring and life cycle. What does not: any part's own work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from streaming import kafka
from streaming.errors import PlatformError
from streaming.exchanges.session import State
from streaming.exchanges.venue import ConnectionPlan
from streaming.producer import resume
from streaming.producer.backoff import RateLimiter
from streaming.producer.connection import Connection
from streaming.producer.filler import Filler
from streaming.producer.ledger import GapLedger
from streaming.producer.rest_client import RestClient
from streaming.producer.sequencer import TradeSequencer
from streaming.producer.sink import KafkaSink
from streaming.producer.source import Source
from streaming.producer.tape import Tape, Writer
from streaming.settings import Settings

log = structlog.get_logger(__name__)

JOIN_S: Final = 5.0
FLUSH_S: Final = 15.0


class Engine:
    """Reads `source` into Kafka until `stop` is set.

    Building it creates the topics and reads the position of every pair from Kafka.

    Raises:
        ServiceUnavailableError: Kafka does not answer.
        SettingsError: the Kafka cluster is too small.
    """

    def __init__(self, settings: Settings, source: Source, stop: threading.Event) -> None:
        self._source = source
        self._stop = stop
        self._failure: PlatformError | None = None
        self._lock = threading.Lock()
        self.exchange = source.exchange
        partitions = settings.partitions
        created = kafka.create_topics(settings)
        if created:
            log.info("topics created or grown", topics=created)
        positions = resume.read(settings, source.exchange, partitions)
        writer = Writer(source.exchange, source.simulated, settings.producer_id, time.time_ns() // 1_000_000)
        self.sink = KafkaSink(settings, stop)
        gaps = [gap for position in positions.values() for gap in position.gaps]
        self.ledger = GapLedger(self.sink, source.exchange, source.simulated, partitions, gaps)
        self.tapes: dict[str, Tape] = {}
        for pair, partition in partitions.items():
            position = positions[pair]
            log.info("resuming", pair=pair, last_id=position.last_id, open_gaps=len(position.gaps))
            sequencer = TradeSequencer(
                position.last_id, position.missing.ranges(), contiguous=source.venue.id_contiguous
            )
            self.tapes[pair] = Tape(
                writer, pair, partition, sequencer, self.sink, self.ledger, position.last_time_us
            )
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
        plans = source.venue.connections(list(partitions))
        self._active: list[Connection] = [self._connection(plan) for plan in plans]
        self._retired: list[Connection] = []

    @property
    def connections(self) -> Sequence[Connection]:
        """Every connection since the start, also those that were replaced."""
        with self._lock:
            return [*self._active, *self._retired]

    def run(self) -> None:
        """Start all parts, wait for the stop, drain. Raises what ended the process, if it was an error."""
        self._filler.start()
        for connection in self._active:
            connection.start()
        self._stop.wait()
        self._drain()
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
            on_fatal=self._fail,
            on_burst=self.sink.serve,
            is_overlap=is_overlap,
        )

    def _replace(self, old: Connection) -> None:
        """Open a second connection beside one whose end is announced; the sequencer drops what both bring."""
        with self._lock:
            if old is not [c for c in self._active if c.plan.name == old.plan.name][-1]:
                return
            new = self._connection(old.plan, is_overlap=True)
            old.supersede()
            self._active.append(new)
        new.start()

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

    def _fail(self, error: PlatformError) -> None:
        with self._lock:
            self._failure = self._failure or error
        self._stop.set()

    def _drain(self) -> None:
        log.info("stopping")
        for connection in self.connections:
            connection.stop()
        for connection in self.connections:
            if not connection.join(JOIN_S):
                log.warning("thread did not end in time", connection=connection.plan.name)
        if not self._filler.join(JOIN_S):
            log.warning("thread did not end in time", thread="filler")
        self._client.close()
        left = self.sink.close(FLUSH_S)
        if left:
            log.warning("Kafka did not take everything; the next start fetches it again", messages=left)
        log.info("stopped", trades=sum(tape.trades_acked for tape in self.tapes.values()))


def _age_s(now_ns: int, then_ns: int) -> float | None:
    return round((now_ns - then_ns) / 1e9, 3) if then_ns else None
