"""Takes the rows of a query out of the warehouse into a Parquet or CSV file, exactly.

What belongs here: types and files. What does not: which query (`snowflake_sql.retention`, the command
`crypto-platform export`), and showing rows to a person (`crypto_platform.query_view`).

Numbers with decimals stay decimals and times keep their nanoseconds. A file appears under its name only when
it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from snowflake.connector import SnowflakeConnection
from snowflake.connector.constants import FIELD_ID_TO_NAME

from streaming.errors import SettingsError

Format = Literal["parquet", "csv"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "csv")

_TYPES: Final = {
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("ns"),
    "TIMESTAMP_LTZ": pa.timestamp("ns", tz="UTC"),
    "TIMESTAMP_TZ": pa.timestamp("ns", tz="UTC"),
}


def format_of(path: Path) -> Format:
    """The format that a file's name asks for.

    Raises:
        SettingsError: neither `.parquet` nor `.csv`.
    """
    for known in FORMATS:
        if path.suffix.lower() == f".{known}":
            return known
    raise SettingsError(f"{path} is neither a .parquet nor a .csv file.", "Name it so.")


def to_file(
    connection: SnowflakeConnection,
    query: str,
    path: Path,
    params: Mapping[str, Any] | Sequence[Any] | None = None,
    kind: Format | None = None,
) -> int:
    """Write the rows of `query` to `path` and return how many there are.

    Raises:
        SettingsError: the format is unknown, or the place cannot be written to.
        snowflake.connector.errors.Error: the query fails.
    """
    kind = kind or format_of(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _write(_batches(connection, query, params), partial, kind)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}.", "Choose another place.") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _write(batches: Iterator[pa.Table], path: Path, kind: Format) -> int:
    first = next(batches)
    rows: int = first.num_rows
    writer = (
        pq.ParquetWriter(path, first.schema, compression="zstd")
        if kind == "parquet"
        else pa_csv.CSVWriter(path, first.schema)
    )
    with writer:
        writer.write_table(first)
        for batch in batches:
            writer.write_table(batch)
            rows += batch.num_rows
    return rows


def _batches(
    connection: SnowflakeConnection, query: str, params: Mapping[str, Any] | Sequence[Any] | None
) -> Iterator[pa.Table]:
    """An empty table with the columns, then the rows."""
    connection.arrow_number_to_decimal_setter = True
    cursor = connection.cursor()
    try:
        cursor.execute(query, params)
        schema = pa.schema([(column.name, _type(column)) for column in cursor.description])
        yield schema.empty_table()
        for batch in cursor.fetch_arrow_batches():
            # The connector hands small numbers over in smaller types than their column's.
            columns = [batch.column(i).cast(field.type) for i, field in enumerate(schema)]
            yield pa.table(columns, schema=schema)
    finally:
        cursor.close()


def _type(column: Any) -> pa.DataType:
    name = FIELD_ID_TO_NAME[column.type_code]
    if name == "FIXED":
        return pa.decimal128(38, column.scale) if column.scale else pa.int64()
    return _TYPES.get(name, pa.string())
