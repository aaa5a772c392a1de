"""Which pairs are read, and that no pair ever moves to another partition."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import SettingsError
from streaming.pairs import PAIRS_PER_PARTITION, PairChoice, parse, partition_count, place
from streaming.topics import SEED_PARTITIONS

NAMES = st.lists(st.from_regex(r"[A-Z]{2,4}-USDT", fullmatch=True), unique=True, max_size=80)


@pytest.mark.parametrize(
    ("text", "named", "quotes"),
    [
        ("BTC-USDT", {"BTC-USDT": None}, ()),
        (" BTC-USDT , DOGE-USDT:5 ", {"BTC-USDT": None, "DOGE-USDT": 5}, ()),
        ("all-usdt", {}, ("USDT",)),
        ("ALL-USDC,BTC-USDT,all-usdc", {"BTC-USDT": None}, ("USDC",)),
    ],
)
def test_a_choice_names_pairs_and_currencies(
    text: str, named: dict[str, int | None], quotes: tuple[str, ...]
) -> None:
    assert parse(text) == PairChoice(named, quotes)


def test_named_pairs_come_first_and_a_currency_s_live_pairs_follow_by_name() -> None:
    live = ["ADA-USDT", "BTC-USDT", "AAVE-USDT", "BTC-EUR"]
    assert parse("BTC-USDT,all-usdt").of(live) == ("BTC-USDT", "AAVE-USDT", "ADA-USDT")
    assert parse("SOL-USDT").of(live) == ("SOL-USDT",)


@given(first=NAMES, second=NAMES)
def test_no_pair_ever_moves_and_the_first_five_stand_alone(first: list[str], second: list[str]) -> None:
    choice = PairChoice({})
    before = place([*SEED_PARTITIONS, *first], choice, {})
    after = place([*second, *first], choice, before)
    assert all(after[pair] == before[pair] for pair in first)
    for pair, partition in SEED_PARTITIONS.items():
        assert before[pair] == partition
    both = before | after
    assert all((pair in SEED_PARTITIONS) == (n < len(SEED_PARTITIONS)) for pair, n in both.items())
    assert max(Counter(both.values()).values(), default=0) <= PAIRS_PER_PARTITION


def test_hundreds_of_pairs_share_a_few_dozen_partitions() -> None:
    placed = place([f"SIM{n:03}-USDT" for n in range(300)], PairChoice({}), {})
    assert partition_count(placed) == 5 + 19


def test_a_named_partition_is_kept_free_of_contradictions() -> None:
    choice = parse("DOGE-USDT:5")
    assert place(["DOGE-USDT"], choice, {}) == {"DOGE-USDT": 5}
    assert place(["DOGE-USDT"], choice, {"DOGE-USDT": 5}) == {"DOGE-USDT": 5}
    with pytest.raises(SettingsError, match=r"DOGE-USDT on partition 5, but it is on 6 for good"):
        place(["DOGE-USDT"], choice, {"DOGE-USDT": 6})


def test_there_are_never_fewer_partitions_than_the_first_five_need() -> None:
    assert partition_count({}) == partition_count({"BTC-USDT": 0}) == 5
    assert partition_count({"DOGE-USDT": 9}) == 10
