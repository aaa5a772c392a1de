"""What the producer tells Prometheus."""

from types import SimpleNamespace

from streaming.producer import metrics
from streaming.producer.detour import Detour
from streaming.producer.spool import Spool, SpooledRecord


def test_counts_gauges_and_the_latency_histogram_are_readable_by_label(desk):
    desk.live(101, 101, 105)
    [gap] = desk.ledger.open_gaps()
    running = SimpleNamespace(
        connections=[], tapes={"BTC-USDT": desk.tape}, ledger=desk.ledger, sink=desk.sink, exchange="OKX_SIM"
    )
    registry = metrics.registry(running)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(
            f"crypto_producer_{name}", {"exchange": "OKX_SIM", "pair": "BTC-USDT", **labels}
        )

    assert value("trades_total", source="ws") == 2
    assert value("duplicates_dropped_total") == 1
    assert value("gaps_total", status="open") == 1
    assert value("gaps_open") == 1
    assert value("gap_trades_open") == 3
    assert value("receive_to_acked_seconds_count") == 2
    assert value("exchange_to_receive_seconds_count") == 2
    assert value("exchange_clock_ahead_total") == 0
    assert value("last_data_time_seconds", record="trade") > 1e9
    desk.ledger.close(gap)
    assert value("gaps_total", status="filled") == 1
    assert value("gaps_open") == 0


def test_what_waits_on_disk_is_readable(desk, tmp_path):
    detour = desk.sink.detour = Detour(Spool(tmp_path, 1 << 20))
    running = SimpleNamespace(
        connections=[], tapes={}, ledger=desk.ledger, sink=desk.sink, exchange="OKX_SIM"
    )
    registry = metrics.registry(running)

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"crypto_producer_{name}")

    assert value("spool_bytes") == value("spooled_records_total") == value("spooling_seconds_total") == 0
    detour.begin()
    detour.take(SpooledRecord("t", 0, b"k", b"v"), lambda error, message: None)
    assert value("spool_bytes") > 0
    assert value("spooled_records_total") == 1
    assert value("spooling_seconds_total") > 0
    [(_, delivered)] = detour.next()
    delivered(None, None)
    assert detour.end_if_empty()
    assert value("drained_records_total") == 1
    assert value("spool_bytes") == 0
