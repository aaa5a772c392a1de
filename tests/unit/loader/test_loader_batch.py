"""Gathering messages into one transaction's worth of rows."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from streaming import topics
from streaming.loader import tables
from streaming.loader.batch import Batch, gather
from streaming.loader.rows import Message
from tests.unit.loader.test_loader_rows import BAR, GAP, TICKER, TRADE

PLACE = (topics.CLEAN_TRADES, 0)


def trade(offset: int, trade_id: int, place: tuple[str, int] = PLACE, price: str = "5") -> Message:
    record = TRADE | {"first_id": trade_id, "trade_id": trade_id, "count": 1, "price": price}
    return Message(*place, offset, json.dumps(record).encode())


def gathered(messages: list[Message], start: int = 0) -> Batch:
    places = {(message.topic, message.partition): start for message in messages}
    return gather(messages, places, places)


def ids(batch: Batch) -> list[object]:
    return [entry.row[3] for entry in batch.entries.get(tables.TRADES, {}).values()]


def test_a_batch_ends_behind_its_last_message() -> None:
    batch = gathered([trade(5, 1), trade(6, 2), trade(9, 3)], start=5)
    assert batch.expected == {PLACE: 5}
    assert batch.reached == {PLACE: 10}
    assert (batch.rows(), batch.messages) == (3, 3)


def test_of_two_copies_of_a_trade_the_first_stays() -> None:
    batch = gathered([trade(0, 1, price="5"), trade(1, 1, price="6"), trade(2, 2)])
    assert ids(batch) == [1, 2]
    assert batch.entries[tables.TRADES]["OKX", "BTC-USDT", 1].row[5] == "5"
    assert batch.repeated == {"RAW.TRADES": 1}
    assert batch.reached == {PLACE: 3}


def test_the_same_id_of_another_pair_or_exchange_is_another_trade() -> None:
    others = [TRADE | {"pair": "ETH-USDT"}, TRADE | {"exchange": "OKX_SIM"}, TRADE]
    batch = gathered([Message(*PLACE, i, json.dumps(record).encode()) for i, record in enumerate(others)])
    assert batch.rows() == 3


def test_of_two_states_of_a_bar_or_gap_the_later_stays() -> None:
    def states(topic: str, record: dict[str, object], field: str, values: list[str]) -> list[Message]:
        return [
            Message(topic, 0, i, json.dumps(record | {field: value}).encode())
            for i, value in enumerate(values)
        ]

    batch = gathered(
        [
            *states(topics.BARS_1M, BAR, "close", ["1", "2"]),
            *states(topics.GAPS, GAP, "status", ["open", "filled"]),
        ]
    )
    (bar,) = batch.entries[tables.BARS_1M].values()
    (gap,) = batch.entries[tables.GAPS].values()
    assert bar.row[tables.BARS_1M.index("CLOSE")] == "2"
    assert gap.row[tables.GAPS.index("STATUS")] == "filled"


def test_a_ticker_is_known_by_who_wrote_it_and_its_number() -> None:
    numbers = [(1, 1), (1, 2), (2, 1), (1, 2)]
    messages = [
        Message(
            topics.CLEAN_TICKERS, 0, i, json.dumps(TICKER | {"producer_epoch": epoch, "seq": seq}).encode()
        )
        for i, (epoch, seq) in enumerate(numbers)
    ]
    batch = gathered(messages)
    assert batch.rows() == 3
    assert batch.repeated == {"RAW.TICKERS": 1}


def test_a_bad_message_becomes_a_dead_letter_and_its_offset_counts() -> None:
    batch = gathered([trade(0, 1), Message(*PLACE, 1, b"not json"), trade(2, 2)])
    assert ids(batch) == [1, 2]
    assert len(batch.entries[tables.DEAD_LETTERS]) == 1
    assert batch.quarantined == 1
    assert batch.reached == {PLACE: 3}


def test_messages_before_the_position_are_skipped() -> None:
    batch = gathered([trade(3, 1), trade(4, 2), trade(5, 3)], start=5)
    assert ids(batch) == [3]


def test_the_transaction_expects_what_the_warehouse_has_where_kafka_lost_messages() -> None:
    batch = gather([trade(100, 1)], {PLACE: 100}, {PLACE: 40})
    assert (batch.expected, batch.reached) == ({PLACE: 40}, {PLACE: 101})


def test_a_row_the_warehouse_refuses_moves_to_the_dead_letters_with_its_message() -> None:
    batch = gathered([trade(0, 1), trade(1, 2)])
    batch.quarantine(tables.TRADES, ("OKX", "BTC-USDT", 2), "numeric value out of range")
    assert ids(batch) == [1]
    (letter,) = batch.entries[tables.DEAD_LETTERS].values()
    assert letter.row[3] == "numeric value out of range"
    assert letter.row[-1] == 1
    assert batch.quarantined == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=60), st.integers(1, 10))
def test_any_cut_of_a_stream_into_batches_holds_each_trade_once_per_batch(
    stream: list[tuple[int, int]], size: int
) -> None:
    offsets = dict.fromkeys(range(4), 0)
    messages = []
    for partition, trade_id in stream:
        messages.append(trade(offsets[partition], trade_id, (topics.CLEAN_TRADES, partition)))
        offsets[partition] += 1
    position = {(topics.CLEAN_TRADES, partition): 0 for partition in range(4)}
    seen: set[object] = set()
    for start in range(0, len(messages), size):
        batch = gather(messages[start : start + size], position, position)
        assert batch.expected == {place: position[place] for place in batch.reached}
        assert batch.rows() + sum(batch.repeated.values()) == batch.messages
        assert len(set(ids(batch))) == len(ids(batch))
        seen |= set(ids(batch))
        position |= batch.reached
    assert seen == {trade_id for _, trade_id in stream}
    assert position == {(topics.CLEAN_TRADES, partition): end for partition, end in offsets.items()}
