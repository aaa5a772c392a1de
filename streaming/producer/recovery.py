"""What an earlier process left in the spool: to Kafka, before anything else is read.

What belongs here: what each spooled record means to a process that starts. What does not: the files
(`spool`) and where Kafka's tape ends (`resume`).

The earlier process's memory is lost, so between Kafka's tape and the spool there may be a hole, and some of
the spool may be in Kafka already. Trades are therefore offered to their tapes as if just received: what is
there is dropped, and a hole becomes a gap. So does a gap that was open in the spool; one that was closed is
found closed again. Dead letters are sent as they are, at least once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from streaming import topics
from streaming.exchanges.events import TradeEvent
from streaming.producer.sink import KafkaSink
from streaming.producer.spool import Spool, SpooledRecord
from streaming.producer.tape import Tape
from streaming.records import Gap, Trade
from streaming.settings import Settings

log = structlog.get_logger(__name__)

_MIB: Final = 1 << 20
_trade_decoder = msgspec.json.Decoder(Trade)
_gap_decoder = msgspec.json.Decoder(Gap)


class _OfPair(msgspec.Struct):
    pair: str


_pair_decoder = msgspec.json.Decoder(_OfPair)


def spool(settings: Settings, exchange: str) -> Spool | None:
    """The spool of `exchange` in `CRYPTO_HOME`, None if it is switched off. Raises like `Spool`."""
    if settings.producer_spool_mib == 0:
        return None
    return Spool(settings.home.absolute() / "spool" / exchange, settings.producer_spool_mib * _MIB)


def pairs(spool: Spool) -> set[str]:
    """The pairs whose trades or gaps an earlier process left: they need a tape, configured or not."""
    return {
        _pair_decoder.decode(record.value).pair
        for record in spool.leftovers()
        if record.topic in (topics.TRADES, topics.GAPS)
    }


def recover(spool: Spool, tapes: Mapping[str, Tape], sink: KafkaSink) -> None:
    """Send what is left, and delete it when Kafka has acknowledged it.

    Args:
        tapes: of every pair in `pairs(spool)`.

    Raises:
        StoppingError, DeliveryError: it was interrupted; nothing was deleted.
    """
    if not spool.has_leftovers:
        return
    log.info("an earlier process left a spool", spool_bytes=spool.bytes)
    records = sent = 0
    for record in spool.leftovers():
        records += 1
        sent += _offer(record, tapes, sink)
    for tape in tapes.values():
        tape.wait_acked()
    spool.forget_leftovers()
    log.info("the earlier process's spool is in Kafka", records=records, sent=sent)


def _offer(record: SpooledRecord, tapes: Mapping[str, Tape], sink: KafkaSink) -> bool:
    if record.topic == topics.TRADES:
        trade = _trade_decoder.decode(record.value)
        return tapes[trade.pair].trade(_event(trade), trade.source)
    if record.topic == topics.GAPS:
        gap = _gap_decoder.decode(record.value)
        if gap.status == "open":
            tapes[gap.pair].expect(gap.to_id)
        return False
    sink.send_and_wait(record.topic, record.partition, record.key, record.value)
    return True


def _event(trade: Trade) -> TradeEvent:
    return TradeEvent(
        trade.pair,
        trade.first_id,
        trade.trade_id,
        trade.count,
        trade.price,
        trade.size,
        trade.side,
        trade.exchange_time_us,
        trade.receive_time_ns,
        trade.source == "snapshot",
    )
