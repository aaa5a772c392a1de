"""The check before anything is read, against an exchange in memory."""

import time

import httpx
import pytest

from streaming import settings
from streaming.errors import ServiceUnavailableError, UnknownPairError
from streaming.producer import preflight, source


def exchange(instruments=None, clock_ms=None):
    rows = instruments or [
        {"instId": pair, "state": "live"} for pair in ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT")
    ] + [{"instId": "XRP-USDT", "state": "suspend"}]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/public/time"):
            data = [{"ts": str(clock_ms or time.time_ns() // 1_000_000)}]
        else:
            data = rows
        return httpx.Response(200, json={"code": "0", "msg": "", "data": data})

    return httpx.MockTransport(answer)


def load(**environment: str) -> settings.Settings:
    return settings.load(environment)


def test_live_pairs_and_the_clocks_offset_are_reported():
    transport = exchange(clock_ms=time.time_ns() // 1_000_000 + 5000)
    result = preflight.probe(load(CRYPTO_PAIRS="BTC-USDT,ETH-USDT"), transport=transport)
    assert result.pairs == ("BTC-USDT", "ETH-USDT")
    assert result.exchange == "OKX"
    assert not result.simulated
    assert 4500 < result.clock_offset_ms < 5500


def test_a_pair_that_does_not_exist_is_named_with_near_names():
    with pytest.raises(UnknownPairError, match=r"CRYPTO_PAIRS names BTC-USDX.*BTC-USDT"):
        preflight.probe(load(CRYPTO_PAIRS="BTC-USDX:7"), transport=exchange())


def test_a_pair_that_does_not_trade_is_named_with_its_state():
    with pytest.raises(UnknownPairError, match=r"XRP-USDT.*suspend"):
        preflight.probe(load(CRYPTO_PAIRS="XRP-USDT"), transport=exchange())


def test_a_rest_address_that_does_not_answer_is_named_with_its_setting():
    with pytest.raises(ServiceUnavailableError) as caught:
        preflight.probe(load(CRYPTO_SOURCE="okx", CRYPTO_OKX_REST_URL="http://127.0.0.1:1"))
    message = str(caught.value)
    assert "CRYPTO_OKX_REST_URL" in message
    assert "http://127.0.0.1:1" in message
    assert "\n" not in message


def test_an_answer_that_is_not_the_exchanges_is_named_with_its_setting():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>login to the wifi</html>"))
    with pytest.raises(ServiceUnavailableError, match="CRYPTO_OKX_REST_URL"):
        preflight.probe(load(), transport=transport)


def test_a_websocket_address_that_does_not_answer_is_named_with_its_setting():
    asked = source.preferred(load(CRYPTO_OKX_WS_URL="ws://127.0.0.1:1/ws/v5"))
    with pytest.raises(ServiceUnavailableError, match=r"CRYPTO_OKX_WS_URL"):
        preflight._try_websockets(asked, ["BTC-USDT"])


def test_auto_falls_back_to_the_simulated_exchange(monkeypatch):
    asked = []

    def check(candidate, pairs):
        asked.append(candidate.exchange)
        if not candidate.simulated:
            raise ServiceUnavailableError("OKX cannot be reached")
        return "result"

    monkeypatch.setattr(preflight, "check", check)
    chosen, _ = preflight.choose(load(CRYPTO_SOURCE="auto"))
    assert asked == ["OKX", "OKX_SIM"]
    assert chosen.simulated


def test_okx_alone_does_not_fall_back(monkeypatch):
    def check(candidate, pairs):
        raise ServiceUnavailableError("OKX cannot be reached")

    monkeypatch.setattr(preflight, "check", check)
    with pytest.raises(ServiceUnavailableError):
        preflight.choose(load(CRYPTO_SOURCE="okx"))


@pytest.mark.parametrize(
    ("environment", "exchange_name", "ws_url"),
    [
        ({"CRYPTO_SOURCE": "okx"}, "OKX", "wss://ws.okx.com/ws/v5"),
        (
            {"CRYPTO_SOURCE": "sim", "CRYPTO_PORT_OFFSET": "100"},
            "OKX_SIM",
            "ws://127.0.0.1:8865/ws/v5",
        ),
        (
            {"CRYPTO_SOURCE": "okx", "CRYPTO_OKX_WS_URL": "ws://127.0.0.1:9/ws/v5/"},
            "OKX_SIM",
            "ws://127.0.0.1:9/ws/v5",
        ),
    ],
)
def test_data_from_this_machine_is_labelled_as_simulated(environment, exchange_name, ws_url):
    found = source.preferred(load(**environment))
    assert (found.exchange, found.ws_url) == (exchange_name, ws_url)
    assert found.simulated is exchange_name.endswith("_SIM")
