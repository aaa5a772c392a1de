"""The dashboard's REST API over a real warehouse: its own document, its limits, and equal numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from crypto_platform.dashboard import stream
from crypto_platform.dashboard.address import BARS_MAX
from crypto_platform.dashboard.api import LATEST_MS
from crypto_platform.dashboard.application import Dashboard, create
from streaming import topics, warehouse
from tests.browser import scripted
from tests.integration import emulator_process
from tests.unit.dashboard.market_records import MINUTE, NOON_MS, anomaly, bar, forming, ticker
from tests.unit.dashboard.test_market_state import told

EXCHANGE, PAIR = "OKX_SIM", "BTC-USDT"
BARS = 1_440
BASE = "http://127.0.0.1"
HOST = {"Host": "127.0.0.1"}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A day of minutes in the warehouse, and in memory what Kafka would have brought since."""
    with emulator_process.running(tmp_path_factory.mktemp("dashboard")) as emulator:
        with warehouse.connect(emulator.settings) as connection:
            for pair in (PAIR, "ETH-USDT"):
                bars = [scripted.bar(pair, NOON_MS - n * MINUTE, n) for n in range(1, BARS + 1) if n != 30]
                scripted.store(connection, "MARKET.BARS_1M", bars)
        made = Dashboard(emulator.settings)
        told(
            made.state,
            ticker("65000.10"),
            ticker("65010", exchange="KRAKEN_SIM"),
            ticker("3200", pair="ETH-USDT"),
            anomaly(),
            bar(NOON_MS),
            forming(NOON_MS + MINUTE),
        )
        told(made.state, bar(NOON_MS - 5 * MINUTE, 5 * MINUTE), topic=topics.BARS_5M)
        yield made
        made.history.close()


@asynccontextmanager
async def nothing_starts(app: FastAPI) -> AsyncIterator[None]:
    """In place of the parts' threads: there is no Kafka here to read."""
    yield


@pytest.fixture(scope="module")
def app(dashboard: Dashboard) -> FastAPI:
    made = create(dashboard, with_pages=False)
    made.router.lifespan_context = nothing_starts
    return made


@pytest.fixture(scope="module")
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/markets", "/candles", "/anomalies", "/comparison", "/pipeline"])
def test_every_answer_is_as_the_document_says(app: FastAPI, path: str) -> None:
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HOST)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=document[path]["GET"].as_strategy())
    def every_case(case: Any) -> None:
        case.call_and_validate(headers=HOST)

    every_case()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    interval=st.sampled_from(["1m", "5m", "15m", "1h"]),
    start_ms=st.one_of(st.integers(0, LATEST_MS), st.integers(NOON_MS - 10**8, NOON_MS + 10**8)),
    length_ms=st.integers(-10, BARS_MAX * 3_600_000 * 2),
    form=st.sampled_from(["json", "csv", "parquet"]),
)
def test_no_range_of_a_market_makes_an_error(
    client: TestClient, interval: str, start_ms: int, length_ms: int, form: str
) -> None:
    answer = candles(client, interval=interval, start_ms=start_ms, end_ms=start_ms + length_ms, format=form)
    assert answer.status_code in (200, 400, 422)
    if answer.status_code == 200 and form == "json":
        assert len(answer.json()["candles"]) <= BARS_MAX + 1


def candles(client: TestClient, **params: Any) -> Any:
    return client.get("/api/v1/candles", params={"exchange": EXCHANGE, "pair": PAIR} | params)


def test_a_day_of_minutes_is_one_answer_with_the_numbers_of_the_warehouse(
    client: TestClient, dashboard: Dashboard
) -> None:
    begin, end = NOON_MS - BARS * MINUTE, NOON_MS + 5 * MINUTE
    answer = candles(client, start_ms=begin, end_ms=end)
    assert answer.status_code == 200
    found = answer.json()
    assert found["incomplete"] is None
    assert len(found["candles"]) == BARS - 1 + 2
    assert [c["closed"] for c in found["candles"][-2:]] == [True, False]
    with warehouse.connect(dashboard.settings) as connection:
        rows = warehouse.rows(
            connection,
            "SELECT OPEN, HIGH, LOW, CLOSE, VOLUME, SPREAD_BP FROM MARKET.BARS_1M "
            "WHERE EXCHANGE = %(e)s AND PAIR = %(p)s ORDER BY WINDOW_START",
            {"e": EXCHANGE, "p": PAIR},
        )
    names = ("open", "high", "low", "close", "volume", "spread_bp")
    shown = [tuple(Decimal(c[name]) for name in names) for c in found["candles"][: BARS - 1]]
    assert shown == rows


def test_files_have_the_numbers_of_the_api(client: TestClient) -> None:
    params: dict[str, Any] = {"start_ms": NOON_MS - 90 * MINUTE, "end_ms": NOON_MS + 5 * MINUTE}
    plain = candles(client, **params).json()["candles"]
    text = candles(client, **params, format="csv")
    assert text.headers["content-disposition"].startswith('attachment; filename="OKX_SIM_BTC-USDT_1m_')
    lines = list(csv.DictReader(io.StringIO(text.text)))
    assert [line["close"] for line in lines] == [c["close"] for c in plain]
    assert [line["vwap"] for line in lines] == [c["vwap"] for c in plain]
    table = pq.read_table(io.BytesIO(candles(client, **params, format="parquet").content)).to_pylist()
    assert [row["close"] for row in table] == [Decimal(c["close"]) for c in plain]
    assert [row["start_ms"] for row in table] == [c["start_ms"] for c in plain]


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"pair": "DOGE-USDT"}, 404, "no market DOGE-USDT"),
        ({"start_ms": 5, "end_ms": 5}, 400, "later"),
        ({"start_ms": 0, "end_ms": 10**11}, 400, "At most 1500"),
        ({"interval": "2m"}, 422, "1m"),
        ({"start_ms": -1}, 422, "greater"),
        ({"exchange": "x" * 100}, 422, "40"),
        ({"pair": "'; DROP TABLE MARKET.BARS_1M; --"}, 404, "no market"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    client: TestClient, params: dict[str, Any], status: int, words: str
) -> None:
    answer = candles(client, **params)
    assert answer.status_code == status
    assert words in answer.text


def test_one_pair_is_compared_over_exchanges(client: TestClient) -> None:
    found = client.get("/api/v1/comparison", params={"pair": PAIR}).json()
    assert found["median_price"] == "65005.05"
    assert {e["exchange"]: e["deviation_bp"] for e in found["exchanges"]} == {
        "KRAKEN_SIM": "0.7615",
        "OKX_SIM": "-0.7615",
    }


def test_nothing_can_be_changed_through_the_api(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert {method for path in document["paths"].values() for method in path} == {"get"}
    for path in document["paths"]:
        assert client.post(f"/api/v1{path}").status_code == 405


def test_another_host_name_is_refused_and_no_page_may_frame_ours(client: TestClient) -> None:
    assert client.get("/api/v1/markets", headers={"Host": "evil.example"}).status_code == 400
    headers = client.get("/api/v1/markets").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_one_viewer_too_many_is_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "VIEWERS_MAX", 0)
    answer = client.get("/api/v1/stream")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_metrics_and_readiness_are_served(client: TestClient) -> None:
    assert client.get("/ready").status_code == 503  # no Kafka here
    text = client.get("/metrics").text
    assert 'crypto_dashboard_last_exchange_time_seconds{exchange="OKX_SIM",pair="BTC-USDT"}' in text
    assert "crypto_dashboard_viewers 0.0" in text
