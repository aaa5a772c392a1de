-- Grain: one row.
-- Input: RAW.TRADES with EXCHANGE = :exchange, PAIR = :pair and EXCHANGE_TIME >= :from_time, UTC.
-- Output: the lowest id from that time on, and how many rows there are (none: the id means nothing).
-- Source: ids grow with time, so a back-fill of what is before that time need not look above it.

SELECT MIN(FIRST_ID) AS FIRST_ID, COUNT(*) AS TRADES
FROM RAW.TRADES
WHERE EXCHANGE = :exchange
  AND PAIR = :pair
  AND EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6));
