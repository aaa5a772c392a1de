"""Writes a large batch as a Parquet file for PUT and COPY INTO.

What belongs here: the file. What does not: small batches, which travel as one JSON bind, and the statements
(`streaming.loader.sink`).

Decimals and times are text and COPY casts it, so that they arrive exactly as they were written.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from streaming.loader.rows import Row
from streaming.loader.tables import FLAG, FLOAT, INTEGER, Table

_KINDS: Final = {INTEGER: pa.int64(), FLOAT: pa.float64(), FLAG: pa.bool_()}

BULK_ROWS: Final = 20_000
"""Rows of one table from which a file is faster than a bind, and a bind nears Snowflake's size limit."""


@contextmanager
def staged_file(table: Table, rows: list[Row]) -> Iterator[Path]:
    """A Parquet file of `rows` under a name that was never used, deleted at the end of the block."""
    columns = {
        name: pa.array(values, _KINDS.get(kind, pa.string()))
        for (name, kind), values in zip(table.columns, zip(*rows, strict=True), strict=True)
    }
    with tempfile.TemporaryDirectory(prefix="crypto-loader-") as folder:
        path = Path(folder) / f"{table.name.lower().replace('.', '_')}-{uuid.uuid4().hex}.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd")
        yield path
