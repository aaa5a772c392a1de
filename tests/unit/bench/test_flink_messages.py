"""The messages of `bench flink` are records of the contract, in order, with the times they were given."""

from __future__ import annotations

import msgspec

from streaming.bench.flink_messages import FIRST_ID, TICKER_EVERY, Messages
from streaming.records import Ticker, Trade

PAIRS = ["BTC-USDT", "ETH-USDT"]
TIME_US, TIME_NS = 1_767_225_600_123_456, 1_767_225_600_223_456_789


def test_each_message_is_a_record_with_its_own_number_and_times() -> None:
    messages = Messages(PAIRS)
    for n in range(4_000):
        is_ticker, pair, text = messages.next(TIME_US + n, TIME_NS + n)
        record = msgspec.json.decode(text, type=Ticker if is_ticker else Trade)
        assert (record.pair, record.seq) == (pair, FIRST_ID + n // 2)
        assert (record.exchange_time_us, record.receive_time_ns) == (TIME_US + n, TIME_NS + n)
        if isinstance(record, Trade):
            assert record.first_id == record.trade_id == FIRST_ID + n // 2
        assert record.simulated


def test_every_pair_has_its_share_of_tickers() -> None:
    messages = Messages(PAIRS)
    kinds = [
        (pair, is_ticker) for is_ticker, pair, _ in (messages.next(TIME_US, TIME_NS) for _ in range(10_240))
    ]
    for pair in PAIRS:
        share = kinds.count((pair, True)) / 5_120
        assert abs(share - 1 / TICKER_EVERY) < 0.01
