-- Grain: one row a pair whose newest bar is older than its trades; no row means that none is.
-- Input: RAW.TRADES and MARKET.BARS_1M from :from_time on, UTC; :to_time is the end of the newest minute that must
--        have its bar.
-- Output: the newest trade before :to_time, the newest bar, and how many seconds it is behind.
-- Source: a minute with a trade has a bar (streaming/records.py, Bar), seconds after it is over.

WITH traded AS (
  SELECT EXCHANGE, PAIR, MAX(EXCHANGE_TIME) AS NEWEST_TRADE
  FROM RAW.TRADES
  WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
    AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
  GROUP BY EXCHANGE, PAIR
),
barred AS (
  SELECT EXCHANGE, PAIR, MAX(WINDOW_END) AS NEWEST_BAR
  FROM MARKET.BARS_1M
  WHERE WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  GROUP BY EXCHANGE, PAIR
)
SELECT t.EXCHANGE, t.PAIR, t.NEWEST_TRADE, b.NEWEST_BAR, DATEDIFF('SECOND', b.NEWEST_BAR, t.NEWEST_TRADE) AS BEHIND_S
FROM traded t
LEFT JOIN barred b ON b.EXCHANGE = t.EXCHANGE AND b.PAIR = t.PAIR
WHERE b.NEWEST_BAR IS NULL OR b.NEWEST_BAR <= t.NEWEST_TRADE
ORDER BY t.EXCHANGE, t.PAIR;
