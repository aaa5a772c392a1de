-- Grain: one row a pair and window of :window_seconds (EXCHANGE, PAIR, WINDOW_START) whose bar lacks a trade.
-- Input: RAW.TRADES and OPS.LATE_TRADES loaded with :from_time <= LOADED_AT < :to_time, and the bars. Windows that end
--        within :settling_seconds of the newest trade are left out: the stream may still be writing their bars.
-- Output: the windows to recompute: their bar counts other trade ids than are stored, or there is none at all.
-- Source: the stream takes a trade into its bars or sends it to the late trades. Times cannot tell which, because a
--         trade may be loaded before the bar that lacks it; the count can, since both sides hold each trade once.

WITH loaded AS (
  SELECT EXCHANGE, PAIR, EXCHANGE_TIME
  FROM RAW.TRADES
  WHERE LOADED_AT >= CAST(:from_time AS TIMESTAMP_NTZ(6)) AND LOADED_AT < CAST(:to_time AS TIMESTAMP_NTZ(6))
  UNION ALL
  SELECT EXCHANGE, PAIR, EXCHANGE_TIME
  FROM OPS.LATE_TRADES
  WHERE LOADED_AT >= CAST(:from_time AS TIMESTAMP_NTZ(6)) AND LOADED_AT < CAST(:to_time AS TIMESTAMP_NTZ(6))
),
suspects AS (
  SELECT EXCHANGE, PAIR, TIME_SLICE(EXCHANGE_TIME, :window_seconds, 'SECOND') AS WINDOW_START
  FROM loaded
  GROUP BY 1, 2, 3
),
counted AS (
  SELECT
    s.EXCHANGE,
    s.PAIR,
    s.WINDOW_START,
    SUM(CASE WHEN COALESCE(t.RULES, '') = '' THEN t.FILL_COUNT ELSE 0 END) AS TRADE_COUNT,
    SUM(CASE WHEN COALESCE(t.RULES, '') = '' THEN 0 ELSE t.FILL_COUNT END) AS FLAGGED_COUNT
  FROM suspects s
  JOIN RAW.TRADES t
    ON t.EXCHANGE = s.EXCHANGE
    AND t.PAIR = s.PAIR
    AND TIME_SLICE(t.EXCHANGE_TIME, :window_seconds, 'SECOND') = s.WINDOW_START
    AND t.EXCHANGE_TIME >= (SELECT MIN(WINDOW_START) FROM suspects)
  WHERE DATEADD('SECOND', :window_seconds, s.WINDOW_START) <= (
    SELECT DATEADD('SECOND', -:settling_seconds, MAX(EXCHANGE_TIME)) FROM RAW.TRADES
  )
  GROUP BY s.EXCHANGE, s.PAIR, s.WINDOW_START
)
SELECT c.EXCHANGE, c.PAIR, c.WINDOW_START
FROM counted c
LEFT JOIN MARKET.BARS_1M b
  ON b.EXCHANGE = c.EXCHANGE AND b.PAIR = c.PAIR AND b.WINDOW_START = c.WINDOW_START
WHERE b.EXCHANGE IS NULL AND c.TRADE_COUNT > 0
  OR b.TRADE_COUNT <> c.TRADE_COUNT
  OR b.FLAGGED_COUNT <> c.FLAGGED_COUNT
ORDER BY 1, 2, 3;
