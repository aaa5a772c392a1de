-- Grain: one row a pair and minute (EXCHANGE, PAIR, WINDOW_START) whose bar lacks a trade.
-- Input: RAW.TRADES loaded with :from_time <= LOADED_AT < :to_time, MARKET.BARS_1M. Minutes within
--        :settling_seconds of the newest trade are left out: the stream may still be writing their bars.
-- Output: the minutes to recompute with rollups/bars_1m_recompute.sql: a trade was loaded after their bar, or
--         all of their trades came too late for the stream to write a bar at all.
-- Source: a bar is written once, when its minute closes; a trade that is loaded later is not in it.

SELECT DISTINCT t.EXCHANGE, t.PAIR, DATE_TRUNC('MINUTE', t.EXCHANGE_TIME) AS WINDOW_START
FROM RAW.TRADES t
LEFT JOIN MARKET.BARS_1M b
  ON b.EXCHANGE = t.EXCHANGE
  AND b.PAIR = t.PAIR
  AND b.WINDOW_START = DATE_TRUNC('MINUTE', t.EXCHANGE_TIME)
WHERE t.LOADED_AT >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND t.LOADED_AT < CAST(:to_time AS TIMESTAMP_NTZ(6))
  AND (b.LOADED_AT IS NULL OR t.LOADED_AT > b.LOADED_AT)
  AND DATEADD('MINUTE', 1, DATE_TRUNC('MINUTE', t.EXCHANGE_TIME)) <= (
    SELECT DATEADD('SECOND', -:settling_seconds, MAX(EXCHANGE_TIME)) FROM RAW.TRADES
  )
ORDER BY 1, 2, 3;
