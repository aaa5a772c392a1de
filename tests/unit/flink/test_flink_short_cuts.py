"""The looks that spare most messages a closer one: what they let pass is in order, and real messages pass."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import settings as settings_module
from streaming.flink import jobs
from streaming.flink.jobs import TICK
from tests.unit.loader.test_loader_rows import TICKER, TRADE

STATEMENTS = "\n".join(jobs.statements(TICK, settings_module.load({}), 5))
FLAT_OBJECT = re.compile(next(iter(re.findall(r"'(\^\[\{\].*?\$)'", STATEMENTS))))
GOOD_TRADE = re.compile(next(iter(re.findall(r"'(\^\(\?:\[0-8\].*?\$)'", STATEMENTS))))
FIELDS = (
    *("first_id", "trade_id", "exchange_time_us", "receive_time_ns", "producer_epoch", "seq"),
    *("count", "side", "source", "simulated", "price", "size"),
)
GOOD = TRADE

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
pieces = st.lists(
    st.sampled_from(
        ["{", "}", '"', "a", '"a"', ":", ",", "1", "0", "01", "-", "true", "null", "\\", "\n", "[", "]"]
    )
).map("".join)


def joined(fields: dict[str, Any]) -> str:
    """The fields as the SQL joins them: NULL is left out, a flag is text."""
    texts = (fields.get(name) for name in FIELDS)
    return ",".join(str(t).lower() if isinstance(t, bool) else str(t) for t in texts if t is not None)


@given(values.map(json.dumps) | pieces | values.map(lambda v: json.dumps(v, separators=(",", ":"))))
def test_what_passes_for_a_flat_object_is_a_json_object(text: str) -> None:
    if FLAT_OBJECT.match(text):
        assert isinstance(json.loads(text), dict)


def test_what_the_producer_writes_needs_no_closer_look() -> None:
    for record in (TRADE, TICKER):
        assert FLAT_OBJECT.match(json.dumps(record, separators=(",", ":")))
    assert GOOD_TRADE.match(joined(GOOD))


@pytest.mark.parametrize(
    "change",
    [
        {"price": "0.000"},
        {"price": "1e5"},
        {"price": "0.12345678901"},
        {"price": "123456789"},
        {"price": "-1"},
        {"size": "0"},
        {"size": "1.123456789"},
        {"count": 0},
        {"trade_id": -1},
        {"trade_id": "seven"},
        {"seq": 9_999_999_999_999_999_999},
        {"side": "hold"},
        {"source": "mail"},
        {"simulated": "maybe"},
        {"size": None},
    ],
    ids=str,
)
def test_a_trade_that_breaks_a_rule_gets_the_closer_look(change: dict[str, Any]) -> None:
    assert not GOOD_TRADE.match(joined(GOOD | change))
