-- Grain: one row a column of a table.
-- Input: the warehouse's own catalogue. Output: schema, table and column.
-- Source: INFORMATION_SCHEMA.COLUMNS, docs.snowflake.com.

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA IN ('RAW', 'MARKET', 'OPS')
ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION;
