-- Grain: one row a run of trade ids that is missing (EXCHANGE, PAIR, FROM_ID); no row means none is.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time, UTC.
-- Output: the missing ids FROM_ID..TO_ID, how many, and the times of the trades on both sides.
-- Source: a venue numbers the trades of a pair by one (streaming/records.py), so a row that does not begin
--         where the ones before it end leaves ids out. A row covers FIRST_ID..TRADE_ID. Bybit's ids have
--         holes (streaming/exchanges/bybit/venue.py), so nothing can be said of them.

WITH covered AS (
  SELECT
    EXCHANGE,
    PAIR,
    FIRST_ID,
    EXCHANGE_TIME,
    MAX(TRADE_ID) OVER (
      PARTITION BY EXCHANGE, PAIR ORDER BY FIRST_ID, TRADE_ID ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS COVERED_TO,
    LAG(EXCHANGE_TIME) OVER (PARTITION BY EXCHANGE, PAIR ORDER BY FIRST_ID, TRADE_ID) AS TIME_BEFORE
  FROM RAW.TRADES
  WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
    AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
    AND EXCHANGE NOT IN ('BYBIT', 'BYBIT_SIM')
)
SELECT
  EXCHANGE,
  PAIR,
  COVERED_TO + 1 AS FROM_ID,
  FIRST_ID - 1 AS TO_ID,
  FIRST_ID - COVERED_TO - 1 AS MISSING,
  TIME_BEFORE,
  EXCHANGE_TIME AS TIME_AFTER
FROM covered
WHERE FIRST_ID > COVERED_TO + 1
ORDER BY EXCHANGE, PAIR, FROM_ID;
