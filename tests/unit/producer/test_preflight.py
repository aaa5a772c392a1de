"""The check before anything is read, against an exchange in memory."""

import time

import httpx
import pytest

from streaming import settings
from streaming.errors import ServiceUnavailableError, SettingsError, UnknownPairError
from streaming.exchanges.venue import Instrument
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
    (result,) = preflight.probe(load(CRYPTO_PAIRS="BTC-USDT,ETH-USDT"), transport=transport)
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


LISTED = [
    Instrument("BTC-USDT", True, "live"),
    Instrument("XRP-USDT", False, "suspend"),
    Instrument("ADA-USDC", True, "live"),
    Instrument("AAVE-USDC", True, "live"),
    Instrument("DOGE-USDC", False, "preopen"),
]


@pytest.mark.parametrize(
    ("asked", "read", "refused"),
    [
        ("BTC-USDT", ("BTC-USDT",), ()),
        ("BTC-USDT,XRP-USDT", ("BTC-USDT",), ("XRP-USDT",)),
        ("NOPE-USDT,BTC-USDT", ("BTC-USDT",), ("NOPE-USDT",)),
        ("all-usdc", ("AAVE-USDC", "ADA-USDC"), ()),
        ("ADA-USDC,all-usdc,BTC-USDT", ("ADA-USDC", "BTC-USDT", "AAVE-USDC"), ()),
        ("all-eur", (), ("EUR",)),
    ],
)
def test_the_pairs_to_read_are_those_that_are_asked_for_and_trade(asked, read, refused):
    pairs, unknown = preflight.choose_pairs("OKX", load(CRYPTO_PAIRS=asked).pair_choice, LISTED)
    assert (pairs, tuple(unknown)) == (read, refused)
    assert all("CRYPTO_PAIRS" in error.what for error in unknown.values())


def result(name, pairs, **unknown):
    return preflight.ProbeResult(name, True, "", "", 1.0, 0.0, pairs, unknown)


MISSING = UnknownPairError("CRYPTO_PAIRS names NOPE-USDT, which OKX does not have.")
RESTING = preflight.PairNotTradingError("CRYPTO_PAIRS names XRP-USDT, which does not trade on OKX now.")


@pytest.mark.parametrize(
    ("exchanges", "found", "starts"),
    [
        ("okx", [result("OKX", ("BTC-USDT",), NOPE=MISSING)], False),
        ("okx", [result("OKX", ("BTC-USDT",), XRP=RESTING)], True),
        ("okx", [result("OKX", (), XRP=RESTING)], False),
        ("okx,kraken", [result("OKX", ("BTC-USDT",), NOPE=MISSING), result("KRAKEN", ("NOPE-USDT",))], True),
        (
            "okx,kraken",
            [result("OKX", ("BTC-USDT",), NOPE=MISSING), result("KRAKEN", ("BTC-USDT",), NOPE=MISSING)],
            False,
        ),
    ],
)
def test_a_pair_that_no_exchange_has_stops_a_start_and_one_that_rests_does_not(
    monkeypatch, exchanges, found, starts
):
    answers = iter(found)
    monkeypatch.setattr(preflight, "check", lambda *_, **__: next(answers))
    if starts:
        assert preflight.probe(load(CRYPTO_SOURCE=exchanges)) == found
    else:
        with pytest.raises(UnknownPairError):
            preflight.probe(load(CRYPTO_SOURCE=exchanges))


def test_one_exchange_of_several_leaves_out_a_pair_it_lacks(monkeypatch):
    answer = result("OKX", ("BTC-USDT",), NOPE=MISSING)
    monkeypatch.setattr(preflight, "check", lambda *_: answer)
    assert preflight.choose(load(CRYPTO_SOURCE="okx,kraken"), "okx")[1] is answer
    with pytest.raises(UnknownPairError):
        preflight.choose(load(CRYPTO_SOURCE="okx"), "okx")


def test_a_producer_of_several_exchanges_has_to_be_told_which():
    assert source.only_exchange(load(CRYPTO_SOURCE="kraken")) == "kraken"
    with pytest.raises(SettingsError, match="--exchange okx"):
        source.only_exchange(load(CRYPTO_SOURCE="okx,kraken"))


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
    asked = source.preferred(load(CRYPTO_OKX_WS_URL="ws://127.0.0.1:1/ws/v5"), "okx")
    with pytest.raises(ServiceUnavailableError, match=r"CRYPTO_OKX_WS_URL"):
        preflight._try_websockets(asked, ["BTC-USDT"])


def test_auto_falls_back_to_the_simulated_exchange(monkeypatch):
    asked = []

    def check(_, candidate):
        asked.append(candidate.exchange)
        if not candidate.simulated:
            raise ServiceUnavailableError("OKX cannot be reached")
        return preflight.ProbeResult("OKX_SIM", True, "", "", 1.0, 0.0, ("BTC-USDT",), {})

    monkeypatch.setattr(preflight, "check", check)
    chosen, _ = preflight.choose(load(CRYPTO_SOURCE="auto"), "okx")
    assert asked == ["OKX", "OKX_SIM"]
    assert chosen.simulated


def test_okx_alone_does_not_fall_back(monkeypatch):
    def check(_, candidate):
        raise ServiceUnavailableError("OKX cannot be reached")

    monkeypatch.setattr(preflight, "check", check)
    with pytest.raises(ServiceUnavailableError):
        preflight.choose(load(CRYPTO_SOURCE="okx"), "okx")


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
    found = source.preferred(load(**environment), "okx")
    assert (found.exchange, found.ws_url) == (exchange_name, ws_url)
    assert found.simulated is exchange_name.endswith("_SIM")
