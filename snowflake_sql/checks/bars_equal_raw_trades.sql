-- Grain: one row a pair and minute that differs; no row means that every bar is right.
-- Input: MARKET.BARS_1M and RAW.TRADES, both with :from_time <= time < :to_time, which must be full minutes,
--        UTC, and far enough back that every minute before :to_time is closed and loaded.
-- Output: PROBLEM is 'missing bar', 'bar without trades' or 'different'; both figures beside it. A minute without a
--         trade may have a bar of zero trades or none. A bar written before there were flags is compared in what it has.
-- Source: fragments/bars_of_trades.sql; the tolerance of fragments/merge_bars.sql.

WITH bars AS (
  -- include: fragments/bars_of_trades with :window_seconds = 60
),
stored AS (
  SELECT *
  FROM MARKET.BARS_1M
  WHERE WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
    AND WINDOW_START < CAST(:to_time AS TIMESTAMP_NTZ(6))
)
SELECT
  COALESCE(s.EXCHANGE, b.EXCHANGE) AS EXCHANGE,
  COALESCE(s.PAIR, b.PAIR) AS PAIR,
  COALESCE(s.WINDOW_START, b.WINDOW_START) AS WINDOW_START,
  CASE
    WHEN s.EXCHANGE IS NULL THEN 'missing bar'
    WHEN b.EXCHANGE IS NULL THEN 'bar without trades'
    ELSE 'different'
  END AS PROBLEM,
  s.TRADE_COUNT AS BAR_TRADE_COUNT,
  b.TRADE_COUNT AS RAW_TRADE_COUNT,
  s.VOLUME AS BAR_VOLUME,
  b.VOLUME AS RAW_VOLUME,
  s.QUOTE_VOLUME AS BAR_QUOTE_VOLUME,
  b.QUOTE_VOLUME AS RAW_QUOTE_VOLUME,
  s.VWAP AS BAR_VWAP,
  b.VWAP AS RAW_VWAP
FROM stored s
FULL OUTER JOIN bars b ON s.EXCHANGE = b.EXCHANGE AND s.PAIR = b.PAIR AND s.WINDOW_START = b.WINDOW_START
WHERE s.EXCHANGE IS NULL AND b.TRADE_COUNT > 0
  OR b.EXCHANGE IS NULL AND s.TRADE_COUNT > 0
  OR s.OPEN <> b.OPEN OR s.HIGH <> b.HIGH OR s.LOW <> b.LOW OR s.CLOSE <> b.CLOSE OR s.VOLUME <> b.VOLUME
  OR s.QUOTE_VOLUME <> b.QUOTE_VOLUME OR s.TRADE_COUNT <> b.TRADE_COUNT
  OR b.EXCHANGE IS NOT NULL AND (
    s.VWAP IS DISTINCT FROM b.VWAP
    OR s.FIRST_TRADE_ID IS DISTINCT FROM b.FIRST_TRADE_ID
    OR s.LAST_TRADE_ID IS DISTINCT FROM b.LAST_TRADE_ID
  ) AND s.EXCHANGE IS NOT NULL
  OR s.FLAGGED_COUNT <> b.FLAGGED_COUNT OR s.BUY_VOLUME <> b.BUY_VOLUME OR s.SELL_VOLUME <> b.SELL_VOLUME
  OR ABS(s.REALIZED_VARIANCE - b.REALIZED_VARIANCE) > 0.000000001 * ABS(b.REALIZED_VARIANCE) + 0.000000000000001
  OR ABS(s.GARMAN_KLASS - b.GARMAN_KLASS) > 0.000000001 * ABS(b.GARMAN_KLASS) + 0.000000000000001
  OR ABS(s.ROGERS_SATCHELL - b.ROGERS_SATCHELL) > 0.000000001 * ABS(b.ROGERS_SATCHELL) + 0.000000000000001
ORDER BY 1, 2, 3;
