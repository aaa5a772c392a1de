"""Columns and column lineage, read from SQL."""

import pytest

from crypto_platform import table_schemas

TABLES = """
-- Grain: a comment; with a semicolon
CREATE SCHEMA IF NOT EXISTS RAW COMMENT = 'x';
CREATE TRANSIENT TABLE IF NOT EXISTS RAW.TRADES (
  PAIR VARCHAR NOT NULL COMMENT 'Pair; as BASE-QUOTE',
  PRICE NUMBER(38, 18) COMMENT 'Price',
  CONSTRAINT TRADES_IDENTITY PRIMARY KEY (PAIR)
) DATA_RETENTION_TIME_IN_DAYS = 1;
ALTER TABLE RAW.TRADES ADD COLUMN RULES VARCHAR COMMENT 'Rules';
ALTER TABLE RAW.TRADES ALTER COLUMN PAIR DROP NOT NULL;
CREATE STAGE IF NOT EXISTS RAW.LOADER COMMENT = 'not a TABLE';
"""

MERGE = """
-- Grain: one row a pair; bind :from_time
MERGE INTO MARKET.BARS_1H AS target USING (
  WITH tape AS (SELECT PAIR, PRICE, SIZE AS AMOUNT FROM RAW.TRADES WHERE EXCHANGE_TIME >= :from_time)
  SELECT PAIR, MAX(PRICE) AS HIGH, SUM(PRICE * AMOUNT) AS QUOTE_VOLUME, 'rollup' AS COMPUTED_BY
  FROM tape GROUP BY PAIR
) AS source ON target.PAIR = source.PAIR
WHEN MATCHED THEN UPDATE SET HIGH = source.HIGH
WHEN NOT MATCHED THEN INSERT (PAIR, HIGH, QUOTE_VOLUME, REVISION, COMPUTED_BY)
VALUES (source.PAIR, source.HIGH, source.QUOTE_VOLUME, 0, source.COMPUTED_BY)
"""


def test_a_table_is_read_with_types_comments_and_nullability() -> None:
    (schema,) = table_schemas.parse_schemas(TABLES).values()
    assert [
        (column.name, column.type, column.description, column.constraints.nullable)
        for column in schema.columns
    ] == [
        ("PAIR", "VARCHAR", "Pair; as BASE-QUOTE", True),
        ("PRICE", "NUMBER(38, 18)", "Price", True),
        ("RULES", "VARCHAR", "Rules", True),
    ]


@pytest.mark.parametrize(
    ("column", "sources"),
    [
        ("PAIR", [("RAW.TRADES", "PAIR")]),
        ("HIGH", [("RAW.TRADES", "PRICE")]),
        ("QUOTE_VOLUME", [("RAW.TRADES", "PRICE"), ("RAW.TRADES", "SIZE")]),
        ("REVISION", []),
        ("COMPUTED_BY", []),
    ],
)
def test_a_merged_column_is_traced_to_the_columns_it_is_made_of(
    column: str, sources: list[tuple[str, str]]
) -> None:
    assert table_schemas.merge_lineage(MERGE)[column] == sources


def test_the_schema_file_describes_every_table_that_is_an_asset() -> None:
    assert {
        "RAW.TRADES",
        "RAW.TICKERS",
        "RAW.DEAD_LETTERS",
        "MARKET.BARS_1M",
        "MARKET.BARS_5M",
        "MARKET.BARS_15M",
        "MARKET.BARS_1H",
        "MARKET.QUOTE_BARS_1S",
        "OPS.LATE_TRADES",
        "OPS.GAPS",
    } <= (table_schemas.schemas().keys())


def test_every_column_that_the_hourly_rollup_computes_has_its_lineage() -> None:
    columns = {column.name for column in table_schemas.schemas()["MARKET.BARS_1H"].columns}
    traced = table_schemas.merge_lineage(table_schemas.sql_files.read("rollups/bars_1h"))
    of_the_stream = {"SPREAD", "SPREAD_BP", "QUOTED_MS", "KAFKA_PARTITION", "KAFKA_OFFSET"}
    assert traced.keys() == columns - of_the_stream
    assert ("RAW.TRADES", "PRICE") in traced["CLOSE"]
