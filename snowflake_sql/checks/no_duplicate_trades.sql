-- Grain: one row an identity (EXCHANGE, PAIR, TRADE_ID) that stands more than once; no row means none does.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time, UTC.
-- Output: how often it stands, and the offsets of its first and last copy.
-- Source: identity of a trade in streaming/records.py; Snowflake does not enforce the primary key.

SELECT
  EXCHANGE,
  PAIR,
  TRADE_ID,
  COUNT(*) AS COPIES,
  MIN(KAFKA_OFFSET) AS FIRST_OFFSET,
  MAX(KAFKA_OFFSET) AS LAST_OFFSET
FROM RAW.TRADES
WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
GROUP BY EXCHANGE, PAIR, TRADE_ID
HAVING COUNT(*) > 1
ORDER BY EXCHANGE, PAIR, TRADE_ID;
