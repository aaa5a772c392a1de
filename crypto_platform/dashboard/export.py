"""Candles as files: CSV and Parquet with the numbers of the API.

What belongs here: the two formats. What does not: choosing candles.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from crypto_platform.dashboard.views import Candle

_DECIMALS: Final = frozenset(
    {
        "open",
        "high",
        "low",
        "close",
        "volume",
        "quote_volume",
        "vwap",
        "buy_volume",
        "sell_volume",
        "spread_bp",
    }
)
_TEXTS: Final = frozenset({"exchange", "pair", "interval"})
_FLAGS: Final = frozenset({"simulated", "closed"})
COLUMNS: Final = Candle.__struct_fields__


def as_csv(candles: Sequence[Candle]) -> bytes:
    """A line a candle below a line of names; decimals as the API writes them, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for candle in candles:
        values = (getattr(candle, name) for name in COLUMNS)
        writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in values])
    return text.getvalue().encode()


def as_parquet(candles: Sequence[Candle]) -> bytes:
    """The same columns; decimals as DECIMAL(38, 18), so no digit is lost."""
    fields, arrays = [], []
    for name in COLUMNS:
        values = [getattr(candle, name) for candle in candles]
        kind: pa.DataType
        if name in _DECIMALS:
            kind = pa.decimal128(38, 18)
            values = [None if value is None else Decimal(value) for value in values]
        elif name in _TEXTS:
            kind = pa.string()
        elif name in _FLAGS:
            kind = pa.bool_()
        elif name == "volatility_bp":
            kind = pa.float64()
        else:
            kind = pa.int64()
        fields.append(pa.field(name, kind))
        arrays.append(pa.array(values, kind))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink)
    return sink.getvalue()
