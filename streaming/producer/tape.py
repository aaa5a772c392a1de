"""One pair's way into Kafka: sequencing, numbering, encoding, sending, and the count of acknowledgements.

What belongs here: what happens to one trade or ticker, under one lock per pair. What does not: id
arithmetic (`sequencer`), Kafka's rules (`sink`), the ledger (`ledger`).

Acknowledgements of one partition come in the order of sending. So of the trades that one read of the socket
brought, only the last asks for its acknowledgement: it counts for all of them, and since they were received
together, it gives the latency of all of them (never less than theirs). At low rates that is every trade.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from confluent_kafka import KafkaError, Message

from streaming import topics
from streaming.errors import PlatformError
from streaming.exchanges.events import BadFrame, TickerEvent, TradeEvent
from streaming.producer.ledger import GapLedger
from streaming.producer.sequencer import IdRange, TradeSequencer
from streaming.producer.sink import KafkaSink, StoppingError
from streaming.records import DeadLetter, Source, Ticker, Trade, encode, key_of

log = structlog.get_logger(__name__)

# fmt: off
LATENCY_BUCKETS_S: Final = (
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.025, 0.03,
    0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
)
# fmt: on
_BOUNDS_NS: Final = [int(bound * 1e9) for bound in LATENCY_BUCKETS_S]
RAW_MAX: Final = 65_536
ACK_POLL_S: Final = 0.1
RESTART: Final = "restart"
SKIPPED: Final = "skipped"
"""Why a gap came about, when it was no lost connection: this process was not there, or ids were left out."""
HOLES: Final = ", ids with holes"
"""Stands in a gap's cause when its ids do not tell how many trades it has, which may be none."""
_RESTART_MARGIN_US: Final = 60_000_000


class TapeRestartedError(PlatformError):
    """The exchange counts its trades from the beginning again, so ids no longer identify trades."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: copied into every record."""

    exchange: str
    simulated: bool
    producer_id: str
    epoch_ms: int


class Latency:
    """A histogram that costs a bisection; read by the metrics endpoint.

    Two clocks may differ, so a difference can be negative: it counts as none, and in `negative`.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.sum_ns = 0
        self.negative = 0

    def observe(self, ns: int, count: int = 1) -> None:
        """Count `count` observations of `ns` nanoseconds each."""
        if ns < 0:
            self.negative += count
            ns = 0
        self.counts[bisect_left(_BOUNDS_NS, ns)] += count
        self.sum_ns += ns * count


class Tape:
    """One (exchange, pair). `trade`, `trades` and `ticker` may be called from any thread.

    Args:
        writer: who writes.
        pair: which pair.
        partition: its partition in every topic.
        sequencer: the position to continue from.
        last_time_us: exchange time of the last trade in Kafka, None if there is none.
    """

    def __init__(
        self,
        writer: Writer,
        pair: str,
        partition: int,
        sequencer: TradeSequencer,
        sink: KafkaSink,
        ledger: GapLedger,
        last_time_us: int | None = None,
    ) -> None:
        self.pair = pair
        self._writer = writer
        self._partition = partition
        self._key = key_of(writer.exchange, pair)
        self._sequencer = sequencer
        self._sink = sink
        self._ledger = ledger
        self._last_time_us = last_time_us or 0
        self._lock = threading.Lock()
        self._ticker_lock = threading.Lock()
        self._halted = False
        self._delivered = self._on_trade_delivered
        self._unacked: deque[tuple[int, int]] = deque()
        """How many trades each awaited acknowledgement stands for, and when they were received (ns)."""
        self._awaited = threading.Event()
        self._awaited_count = 0
        self._last_ticker: TickerEvent | None = None
        self._waiting_ticker: TickerEvent | None = None
        self._cause = RESTART
        self.receive_to_acked = Latency()
        self.exchange_to_receive = Latency()
        """Of live trades; their milliseconds are the exchange's, so it is no finer than that."""
        self.trades_sent = 0
        self.trades_acked = 0
        self.trades_by_source: dict[Source, int] = {"ws": 0, "snapshot": 0, "rest": 0}
        self.duplicates = 0
        self.tickers_sent = 0
        self.tickers_conflated = 0
        self.last_trade_ns = 0
        self.last_ticker_ns = 0

    @property
    def last_id(self) -> int | None:
        """The highest trade id seen."""
        return self._sequencer.last_id

    def missing(self, bounds: IdRange) -> list[IdRange]:
        """The ids in `bounds` that have not come yet."""
        with self._lock:
            return self._sequencer.missing.within(bounds)

    def give_up(self, ids: IdRange) -> None:
        """Stop waiting for `ids`: the exchange does not have them."""
        with self._lock:
            self._sequencer.missing.remove(ids)

    def interrupted(self, cause: str) -> None:
        """The feed has been interrupted: the next gap, if there is one, has come about by `cause`."""
        with self._lock:
            self._cause = cause
            self._sequencer.interrupted()

    def expect(self, newest_id: int) -> None:
        """The exchange says that it has traded up to `newest_id`. Raises like `trade`."""
        with self._lock:
            if self._halted:
                raise StoppingError
            gap = self._sequencer.expect(newest_id)
            if gap is not None:
                self._open(gap, self._cause)

    def _open(self, gap: IdRange, cause: str) -> None:
        try:
            self._ledger.open(self.pair, gap, cause + ("" if self._sequencer.contiguous else HOLES))
        except BaseException:
            self._halted = True
            raise

    def trade(self, event: TradeEvent, source: Source) -> bool:
        """Send a trade unless it was seen before; return whether it was sent. Raises like `trades`."""
        return self._take((event,), source) == 1

    def trades(self, events: Sequence[TradeEvent]) -> int:
        """Send the trades that one read of the socket brought, but for those seen before; return how many.

        Raises:
            StoppingError, DeliveryError: from some trade on nothing was sent, and this tape takes nothing
                more: a later trade would hide the hole from the process that resumes.
            TapeRestartedError: the exchange's ids began anew.
        """
        return self._take(events, None)

    def _take(self, events: Sequence[TradeEvent], source: Source | None) -> int:
        """`source` None: live, as each event says."""
        with self._lock:
            if self._halted:
                raise StoppingError
            sent = self.trades_sent
            offer = self._sequencer.offer
            run: list[TradeEvent] = []
            try:
                for event in events:
                    verdict = offer(event.first_id, event.trade_id)
                    if verdict.gap is not None:
                        self._send(run, source)
                        run = []
                        self._open(verdict.gap, self._cause if verdict.take else "overlap")
                    if verdict.take:
                        run.append(event)
                    else:
                        self._send(run, source)
                        run = []
                        self._refuse_restart(event, source)
                        self.duplicates += source != "rest"
                self._send(run, source)
            except TapeRestartedError:
                raise
            except BaseException:
                self._halted = True
                raise
            return self.trades_sent - sent

    def _send(self, run: list[TradeEvent], source: Source | None) -> None:
        """Send trades that were received together and follow each other; the last asks for all of them."""
        if not run:
            return
        writer, send, partition, key = self._writer, self._sink.send, self._partition, self._key
        seq = self.trades_sent
        last = run[-1]
        for event in run:
            seq += 1
            kind: Source = source or ("snapshot" if event.is_snapshot else "ws")
            value = encode(
                Trade(
                    exchange=writer.exchange,
                    pair=event.pair,
                    first_id=event.first_id,
                    trade_id=event.trade_id,
                    count=event.count,
                    price=event.price,
                    size=event.size,
                    side=event.side,
                    exchange_time_us=event.exchange_time_us,
                    receive_time_ns=event.receive_time_ns,
                    producer_id=writer.producer_id,
                    producer_epoch=writer.epoch_ms,
                    seq=seq,
                    source=kind,
                    simulated=writer.simulated,
                )
            )
            if event is last:
                self._unacked.append((len(run), event.receive_time_ns))
                send(topics.TRADES, partition, key, value, self._delivered)
            else:
                send(topics.TRADES, partition, key, value, None)
            self.trades_by_source[kind] += 1
            if kind == "ws":
                self.exchange_to_receive.observe(event.receive_time_ns - event.exchange_time_us * 1000)
        self.trades_sent = seq
        if source != "rest":
            self._cause = SKIPPED
            self.last_trade_ns = last.receive_time_ns
            self._last_time_us = last.exchange_time_us

    def _refuse_restart(self, event: TradeEvent, source: Source | None) -> None:
        """A known id with a time far after the newest trade's is another trade with a used number."""
        newer_us = event.exchange_time_us - self._last_time_us
        if source != "rest" and self._last_time_us and newer_us > _RESTART_MARGIN_US:
            raise TapeRestartedError(
                f"{self._writer.exchange} {self.pair} sends trade {event.trade_id}, "
                f"{newer_us // 1_000_000} s newer than trade {self._sequencer.last_id}, the last in Kafka.",
                "The exchange has begun to number anew: keep its trades apart by purging the old data "
                "(`crypto-platform purge`) or by another CRYPTO_HOME.",
            )

    def _on_trade_delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._sink.check(error, message)
            return
        count, receive_time_ns = self._unacked.popleft()
        self.trades_acked += count
        self.receive_to_acked.observe(time.time_ns() - receive_time_ns, count)
        if self.trades_acked >= self._awaited_count:
            self._awaited.set()

    def wait_acked(self) -> None:
        """Return when Kafka has all trades that were sent until now; for one thread at a time.

        Raises like `KafkaSink.send`.
        """
        self._awaited.clear()
        self._awaited_count = self.trades_sent
        while self.trades_acked < self._awaited_count:
            self._awaited.wait(ACK_POLL_S)
            self._sink.raise_if_ending()

    def ticker(self, event: TickerEvent, source: Source) -> None:
        """Send a ticker, or keep it until there is room: a newer one then replaces it.

        One that is older than the last, or equal to it, comes from a second connection or a
        re-subscription and is dropped.
        """
        with self._ticker_lock:
            last = self._last_ticker
            if last is not None and _is_repeat(event, last):
                return
            self._last_ticker = event
            self.last_ticker_ns = event.receive_time_ns
            if self._waiting_ticker is not None:
                self.tickers_conflated += 1
            self._waiting_ticker = None if self._send_ticker(event, source) else event

    def retry_ticker(self) -> None:
        """Send the ticker that found no room, if there is one."""
        if self._waiting_ticker is None:
            return
        with self._ticker_lock:
            event = self._waiting_ticker
            if event is not None and self._send_ticker(event, "snapshot" if event.is_snapshot else "ws"):
                self._waiting_ticker = None

    def _send_ticker(self, event: TickerEvent, source: Source) -> bool:
        writer = self._writer
        fields = msgspec.structs.asdict(event)
        del fields["is_snapshot"]
        record = Ticker(
            exchange=writer.exchange,
            producer_id=writer.producer_id,
            producer_epoch=writer.epoch_ms,
            seq=self.tickers_sent + 1,
            source=source,
            simulated=writer.simulated,
            **fields,
        )
        if not self._sink.try_send(
            topics.TICKERS, self._partition, self._key, encode(record), self._sink.check
        ):
            return False
        self.tickers_sent += 1
        return True

    def dead_letter(self, bad: BadFrame) -> None:
        """Keep what could not become a record."""
        letter = DeadLetter(
            exchange=self._writer.exchange,
            pair=bad.pair,
            stage="parse",
            reason=bad.reason,
            raw=bad.raw[:RAW_MAX],
            receive_time_ns=bad.receive_time_ns,
            producer_id=self._writer.producer_id,
        )
        self._sink.send(topics.DEAD_LETTERS, self._partition, self._key, encode(letter), self._sink.check)


def _is_repeat(event: TickerEvent, last: TickerEvent) -> bool:
    if event.exchange_time_us != last.exchange_time_us:
        return event.exchange_time_us < last.exchange_time_us
    same = msgspec.structs.replace(event, receive_time_ns=last.receive_time_ns, is_snapshot=last.is_snapshot)
    return same == last
