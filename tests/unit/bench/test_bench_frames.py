"""The benchmark's frames, read by the producer's own parser and protocol machine."""

import itertools

from streaming.bench.frames import BLOCK, FIRST_ID, TradeFrames
from streaming.exchanges.events import TradeEvent
from streaming.exchanges.registry import venue
from streaming.producer.transport import FrameParser

PAIRS = ["BTC-USDT", "ETH-USDT", "DOGECOIN-USDT"]
NOW_MS = 1_791_369_376_364


def read(stream: bytes) -> list[TradeEvent]:
    okx = venue("okx")
    session = okx.session(okx.connections(PAIRS)[0])
    session.connected(0)
    outputs = [o for message in FrameParser().feed(stream) for o in session.frame(message, 1)]
    return [output for output in outputs if isinstance(output, TradeEvent)]


def taken(frames: TradeFrames, *counts: int) -> tuple[bytes, int]:
    stream, total = b"", 0
    for count in counts:
        data, got = frames.take(count, NOW_MS)
        stream += bytes(data)
        total += got
    return stream, total


def test_every_frame_is_one_trade_and_each_pair_s_ids_are_consecutive_beyond_a_block():
    frames = TradeFrames(PAIRS)
    stream, total = taken(frames, 1, 2, 700, BLOCK, BLOCK, BLOCK)
    trades = read(stream)
    assert len(trades) == total > 2 * BLOCK
    for pair in PAIRS:
        ids = [trade.trade_id for trade in trades if trade.pair == pair]
        assert ids == list(range(FIRST_ID, FIRST_ID + len(ids)))
        assert frames.ranges()[pair] == (FIRST_ID, FIRST_ID + len(ids))


def test_prices_move_and_times_are_those_that_were_given():
    trades = read(taken(TradeFrames(PAIRS), BLOCK)[0])
    prices = [float(trade.price) for trade in trades if trade.pair == "BTC-USDT"]
    assert len(set(prices)) > len(prices) // 2
    assert max(abs(b / a - 1) for a, b in itertools.pairwise(prices)) < 0.01
    assert {trade.exchange_time_us for trade in trades} == {NOW_MS * 1000}
    assert {trade.side for trade in trades} == {"buy", "sell"}


def test_a_tape_can_go_on_where_another_one_ended():
    frames = TradeFrames(["BTC-USDT"], {"BTC-USDT": 1_234_567_890})
    [trade] = read(taken(frames, 1)[0])
    assert trade.trade_id == 1_234_567_890


def test_a_block_s_end_is_the_end_of_one_take():
    frames = TradeFrames(PAIRS)
    taken(frames, BLOCK - 1)
    assert taken(frames, 10)[1] == 1
    assert taken(frames, 10)[1] == 10
