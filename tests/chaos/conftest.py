"""One bench for all tests of the producer's failures: to start it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.producer_bench import Bench, bench

OFFSET = 2_300
RATES = {"CRYPTO_SIM_TRADES_PER_SECOND": "200", "CRYPTO_SIM_TICKERS_PER_SECOND": "5"}


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Three brokers and the simulated exchange, until the last test of this folder."""
    with bench(tmp_path_factory.mktemp("producer"), OFFSET, **RATES) as started:
        yield started
