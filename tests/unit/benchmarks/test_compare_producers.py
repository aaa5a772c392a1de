"""What the comparison with other producers counts, and when it says that ours is not the cheapest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streaming.records import Trade
from streaming.settings import load
from tests.benchmarks.compare import contestants as entries
from tests.benchmarks.compare.arena import Measurement
from tests.benchmarks.compare.contestants import BBO_TAP, CRYPTOFEED, OURS, Contestant
from tests.benchmarks.compare_producers import Table
from tests.integration.platform_process import Platform

PUSH = (
    '{"arg":{"channel":"trades","instId":"ETH-USDT"},"data":[{"instId":"ETH-USDT","tradeId":"17","px":"3000.1",'
    '"sz":"0.5","side":"buy","ts":"1795576598032","count":"1","source":"0","seqId":80000000017}]}'
)
ACK = '{"event":"subscribe","arg":{"channel":"trades","instId":"ETH-USDT"},"connId":"a4d3ae55"}'


def measured(name: str, cpu_s: float, trades: int = 1000) -> Measurement:
    return Measurement(name, trades, cpu_s, lost=0, repeated=0, rss_mib=50)


@pytest.fixture
def three(tmp_path: Path) -> dict[str, Contestant]:
    platform = Platform(tmp_path, {"CRYPTO_HOME": str(tmp_path)})
    config, interpreter = load({}), Path("python")
    found = [
        entries.ours(platform, "wss://127.0.0.1:1", "http://127.0.0.1:2"),
        entries.cryptofeed(config, interpreter, "wss://127.0.0.1:1", "http://127.0.0.1:2"),
        entries.bbo_tap(config, interpreter, "wss://127.0.0.1:1", tmp_path),
    ]
    return {contestant.name: contestant for contestant in found}


def test_a_trade_is_found_in_each_producers_own_message(three: dict[str, Contestant]) -> None:
    ours = Trade(
        exchange="OKX_SIM",
        pair="ETH-USDT",
        first_id=17,
        trade_id=17,
        count=1,
        price="3000.1",
        size="0.5",
        side="buy",
        exchange_time_us=1_795_576_598_032_000,
        receive_time_ns=1_795_576_598_033_000_000,
        producer_id="producer-1",
        producer_epoch=1,
        seq=1,
        source="ws",
        simulated=True,
    )
    messages = {
        OURS: msgspec.json.encode(ours),
        CRYPTOFEED: b'{"exchange":"OKX","symbol":"ETH-USDT","side":"buy","price":3000.1,"id":"17"}',
        BBO_TAP: msgspec.json.encode({"exchange": "okx", "conn_id": "okx-0-1", "seq": 6, "payload": PUSH}),
    }
    for name, message in messages.items():
        assert three[name].trade(message) == ("ETH-USDT", 17)


@pytest.mark.parametrize("payload", ["pong", ACK])
def test_a_frame_that_bbo_tap_copied_but_is_no_trade_does_not_count(
    three: dict[str, Contestant], payload: str
) -> None:
    assert three[BBO_TAP].trade(msgspec.json.encode({"payload": payload})) is None


def test_cost_is_cpu_seconds_for_a_thousand_trades_of_the_feed() -> None:
    assert measured(OURS, cpu_s=0.5, trades=20_000).cpu_s_per_thousand == pytest.approx(0.025)


def test_the_lowest_median_decides_not_one_bad_round() -> None:
    table = Table(1000, "one at a time")
    table.add([measured(OURS, cpu_s) for cpu_s in (0.02, 0.02, 0.9)])
    table.add([measured(CRYPTOFEED, 0.03) for _ in range(3)])
    assert table.ours_is_lowest()


@pytest.mark.parametrize("other", [CRYPTOFEED, BBO_TAP])
def test_one_cheaper_producer_is_enough_to_lose(other: str) -> None:
    table = Table(1000, "all at once")
    table.add([measured(OURS, 0.02), measured(CRYPTOFEED, 0.03), measured(BBO_TAP, 0.03)])
    table.add([measured(OURS, 0.02), measured(other, 0.001), measured(other, 0.001)])
    assert not table.ours_is_lowest()
