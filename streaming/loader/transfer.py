"""Writes a large batch as a Parquet file for PUT and COPY INTO.

What belongs here: the file. What does not: small batches, which travel as one JSON bind, and the statements
(`streaming.loader.sink`).

Every column is text and COPY casts it, so that decimals and nanoseconds arrive exactly as they were written.
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

from streaming.loader.rows import Row, Value
from streaming.loader.tables import Table

BULK_ROWS: Final = 20_000
"""Rows of one table from which a file is faster than a bind, and a bind nears Snowflake's size limit."""


@contextmanager
def staged_file(table: Table, rows: list[Row]) -> Iterator[Path]:
    """A Parquet file of `rows` under a name that was never used, deleted at the end of the block."""
    columns = {
        name: pa.array([_text(row[i]) for row in rows], pa.string())
        for i, name in enumerate(table.column_names)
    }
    with tempfile.TemporaryDirectory(prefix="crypto-loader-") as folder:
        path = Path(folder) / f"{table.name.lower().replace('.', '_')}-{uuid.uuid4().hex}.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd")
        yield path


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
