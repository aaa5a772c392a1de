"""Quantiles, growth and the proof: what the benchmark's figures are made of."""

import math

import pytest

from streaming.bench import parse
from streaming.bench.growth import theil_sen
from streaming.bench.proof import compare
from streaming.bench.scrape import between, quantile_ms


def test_a_quantile_is_interpolated_within_its_bucket():
    cumulative = {0.01: 50, 0.02: 100, math.inf: 100}
    assert quantile_ms(cumulative, 0.5) == pytest.approx(10)
    assert quantile_ms(cumulative, 0.75) == pytest.approx(15)
    assert quantile_ms(cumulative, 0.99) == pytest.approx(19.8)


def test_a_quantile_beyond_the_last_bound_is_that_bound_and_without_data_there_is_none():
    assert quantile_ms({0.01: 1, math.inf: 100}, 0.5) == 10
    assert quantile_ms({0.01: 0, math.inf: 0}, 0.5) is None


def test_only_what_was_observed_in_the_window_counts():
    assert between({0.1: 5, math.inf: 7}, {0.1: 5, math.inf: 9}) == {0.1: 0, math.inf: 2}


def test_growth_is_the_slope_and_outliers_do_not_move_it():
    times = [float(t) for t in range(60)]
    values = [100 + 0.25 * t for t in times]
    values[10] = 500
    values[50] = 0
    assert theil_sen(times, values) == pytest.approx(0.25)
    assert theil_sen(times[:1], values[:1]) == 0


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([1, 2, 3, 4], {}),
        ([1, 2, 4], {"lost": 1}),
        ([1, 2, 2, 3, 4], {"duplicated": 1, "out_of_order": 1}),
        ([1, 3, 2, 4], {"out_of_order": 1}),
        ([1, 2, 3, 4, 5], {"unexpected": 1}),
        ([], {"lost": 4}),
    ],
)
def test_the_proof_names_each_kind_of_fault(found, wrong):
    proof = compare((1, 5), found)
    none = {"lost": 0, "duplicated": 0, "unexpected": 0, "out_of_order": 0}
    assert {name: getattr(proof, name) for name in none} == none | wrong
    assert proof.exact is (not wrong)


def test_every_frame_that_is_parsed_becomes_a_record(monkeypatch):
    monkeypatch.setattr(parse, "FRAMES", 5_000)
    assert parse.frames_per_core_second(["BTC-USDT", "ETH-USDT"], rounds=1) > 0
