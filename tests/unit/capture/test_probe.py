"""The examination of a venue: of each simulated one, and of addresses that do not answer as they should."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from crypto_platform.capture_view import probe_json
from streaming import settings
from streaming.capture.probe import examine, examine_all, plain_reason
from streaming.pairs import PairChoice
from streaming.producer import source as sources
from streaming.producer.transport import ConnectError
from tests.unit.capture.conftest import PAIRS, VENUES, load
from tests.unit.simulator.conftest import Running

CHOICE = PairChoice(dict.fromkeys(PAIRS))


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener.getsockname()[1]
    listener.close()


def test_every_venue_answers_with_times_a_clock_and_samples(start: Callable[..., Running]) -> None:
    running = start(sim_trades_per_second=400.0, limits=True)
    loaded = load(running)

    reports = examine_all([sources.exchange(loaded, name) for name in VENUES], loaded.pair_choice, 10.0)

    for report in reports:
        assert report.problems == [], report.exchange
        rest = report.rest
        assert rest.latency_min_ms is not None
        assert rest.latency_ms is not None
        assert rest.latency_max_ms is not None
        assert 0 < rest.latency_min_ms <= rest.latency_ms <= rest.latency_max_ms < 900
        assert rest.clock_offset_ms is not None
        assert rest.clock_uncertainty_ms is not None
        assert abs(rest.clock_offset_ms) <= rest.clock_uncertainty_ms + 2
        for connection in report.connections:
            assert connection.ok
            assert connection.handshake_ms is not None
            assert connection.first_ack_ms is not None
            assert connection.first_data_ms is not None
        for pair in report.pairs:
            assert pair.trading
            assert pair.trade is not None
            assert pair.ticker is not None
            assert pair.trade.pair == pair.ticker.pair == pair.pair
    assert probe_json(reports)["ok"]


def test_a_clock_of_whole_seconds_is_only_right_to_half_a_second(start: Callable[..., Running]) -> None:
    loaded = load(start(sim_trades_per_second=400.0))

    kraken, okx = examine_all(
        [sources.exchange(loaded, name) for name in ("kraken", "okx")], loaded.pair_choice, 10.0
    )

    assert kraken.rest.clock_uncertainty_ms is not None
    assert okx.rest.clock_uncertainty_ms is not None
    assert kraken.rest.clock_uncertainty_ms >= 500 > okx.rest.clock_uncertainty_ms


def test_a_pair_that_the_exchange_lacks_is_named_with_near_names(start: Callable[..., Running]) -> None:
    source = sources.exchange(load(start(sim_trades_per_second=400.0)), "okx")

    report = examine(source, PairChoice({"BTC-USDT": None, "BTX-USDT": None}), 5.0)

    assert not report.ok
    assert {pair.pair: pair.trading for pair in report.pairs} == {"BTC-USDT": True, "BTX-USDT": False}
    (problem,) = report.problems
    assert problem.startswith("CRYPTO_PAIRS names BTX-USDT, which OKX_SIM does not have. Did you mean")
    assert report.pairs[0].trade is not None


def test_every_pair_of_a_currency_can_be_asked_for(start: Callable[..., Running]) -> None:
    running = start(sim_trades_per_second=400.0, sim_pairs=8, pairs="all-usdt")
    source = sources.exchange(load(running), "okx")

    report = examine(source, PairChoice({}, ("USDT",)), 5.0)

    assert report.problems == []
    assert len(report.pairs) == 8
    assert all(pair.trading for pair in report.pairs)


def test_refused_connections_are_named_with_the_settings_that_hold_the_addresses() -> None:
    loaded = settings.load(
        {"CRYPTO_KRAKEN_REST_URL": "http://127.0.0.1:1", "CRYPTO_KRAKEN_WS_URL": "ws://127.0.0.1:1"}
    )

    report = examine(sources.exchange(loaded, "kraken"), loaded.pair_choice, 5.0)

    rest, market = report.problems
    assert "http://127.0.0.1:1: nothing listens there" in rest
    assert "CRYPTO_KRAKEN_REST_URL" in rest
    assert "ws://127.0.0.1:1/v2: nothing listens there" in market
    assert "CRYPTO_KRAKEN_WS_URL" in market


def test_a_missing_stack_is_what_a_missing_simulated_exchange_means() -> None:
    loaded = settings.load({"CRYPTO_SOURCE": "sim", "CRYPTO_PORT_OFFSET": "29999"})

    report = examine(sources.preferred(loaded, "okx"), loaded.pair_choice, 5.0)

    assert all("crypto-platform up" in text and "CRYPTO_PORT_OFFSET" in text for text in report.problems)


def test_an_address_that_never_answers_takes_no_longer_than_the_limit(mute: int) -> None:
    loaded = settings.load(
        {"CRYPTO_OKX_REST_URL": f"http://127.0.0.1:{mute}", "CRYPTO_OKX_WS_URL": f"ws://127.0.0.1:{mute}/ws"}
    )
    began_s = time.monotonic()

    report = examine(sources.exchange(loaded, "okx"), loaded.pair_choice, 1.5)

    assert time.monotonic() - began_s < 4
    assert len(report.problems) == 3
    assert all("no answer in time" in text for text in report.problems)


def test_a_feed_that_acknowledges_and_stays_silent_does_not_pass(start: Callable[..., Running]) -> None:
    running = start(sim_trades_per_second=400.0)
    running.control("pause")
    source = sources.exchange(load(running), "binance")

    report = examine(source, CHOICE, 1.5)

    (market,) = report.connections
    assert market.first_ack_ms is not None
    assert market.first_data_ms is None
    assert "no data in time" in report.problems[0]


def test_a_wrong_path_is_told_by_its_status(start: Callable[..., Running]) -> None:
    running = start()
    loaded = load(running, CRYPTO_OKX_WS_URL=f"ws://127.0.0.1:{running.port}/nowhere")

    report = examine(sources.exchange(loaded, "okx"), loaded.pair_choice, 5.0)

    assert all("the WebSocket handshake is answered with HTTP" in (c.error or "") for c in report.connections)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its host name cannot be resolved (DNS)"),
        (TimeoutError(), "no answer in time"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there (connection refused)"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "TLS fails"),
        (OSError(113, "No route to host"), "it failed"),
    ],
)
def test_the_reason_is_said_in_plain_words(cause: Exception, said: str) -> None:
    error = ConnectError("it failed.")
    error.__cause__ = cause

    assert plain_reason(error).startswith(said)
