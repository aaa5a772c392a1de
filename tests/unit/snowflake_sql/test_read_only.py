"""What a person may ask of the warehouse."""

from __future__ import annotations

import pytest

from snowflake_sql import read_only
from snowflake_sql.read_only import NotReadOnlyError


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM MARKET.BARS",
        "WITH x AS (SELECT 1 AS A) SELECT A FROM x ORDER BY 1",
        "SELECT 1 UNION ALL SELECT 2",
        "(SELECT 1)",
        "SELECT value:price::VARCHAR FROM T, LATERAL FLATTEN(INPUT => PARSE_JSON('[]'))",
        "SELECT 'DROP TABLE X; DELETE' AS TEXT",
        "SELECT 1 -- ; DROP TABLE X",
        "SHOW TABLES IN SCHEMA RAW",
        "SHOW CHANNELS",
        "DESCRIBE TABLE RAW.TRADES",
        "SELECT 1;",
    ],
)
def test_what_only_reads_is_let_through(text: str) -> None:
    assert read_only.require(text) == text.rstrip(";")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("DELETE FROM RAW.TRADES", "DELETE"),
        ("INSERT INTO T SELECT 1", "INSERT"),
        ("UPDATE T SET A = 1", "UPDATE"),
        ("MERGE INTO T USING S ON TRUE WHEN MATCHED THEN DELETE", "MERGE"),
        ("TRUNCATE TABLE RAW.TRADES", "TRUNCATE"),
        ("DROP TABLE RAW.TRADES", "DROP"),
        ("CREATE TABLE X AS SELECT 1", "CREATE"),
        ("ALTER TABLE X ADD COLUMN Y NUMBER(38, 0)", "ALTER"),
        ("COPY INTO T FROM @S", "COPY"),
        ("GRANT ROLE A TO USER B", "GRANT"),
        ("CALL P()", "CALL"),
        ("USE ROLE ACCOUNTADMIN", "USE"),
        ("EXECUTE IMMEDIATE 'DROP TABLE X'", "EXECUTE"),
        ("BEGIN", "BEGIN"),
        ("SELECT SYSTEM$CANCEL_QUERY('x')", "SYSTEM$CANCEL_QUERY"),
        ("SELECT S.NEXTVAL", "NEXTVAL"),
        ("SELECT 1; DROP TABLE X", "2"),
        ("", "0"),
        ("SELEC 1 FROM", "understood"),
        ("SELECT (", "understood"),
    ],
)
def test_everything_else_is_refused_with_its_word_before_it_is_sent(text: str, word: str) -> None:
    with pytest.raises(NotReadOnlyError) as refusal:
        read_only.require(text)
    assert word in str(refusal.value)
    assert refusal.value.exit_code == 2
