-- Grain: one row a pair and minute (EXCHANGE, PAIR, WINDOW_START) that a late trade touched.
-- Input: RAW.TRADES loaded with :from_time <= LOADED_AT < :to_time, MARKET.BARS_1M.
-- Output: the minutes to recompute with rollups/bars_1m_recompute.sql: a trade was loaded after their bar.
-- Source: a bar is written once, when its minute closes; a trade that is loaded later is not in it.

SELECT DISTINCT t.EXCHANGE, t.PAIR, b.WINDOW_START
FROM RAW.TRADES t
JOIN MARKET.BARS_1M b
  ON b.EXCHANGE = t.EXCHANGE
  AND b.PAIR = t.PAIR
  AND b.WINDOW_START = DATE_TRUNC('MINUTE', t.EXCHANGE_TIME)
WHERE t.LOADED_AT >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND t.LOADED_AT < CAST(:to_time AS TIMESTAMP_NTZ(6))
  AND t.LOADED_AT > b.LOADED_AT
ORDER BY 1, 2, 3;
