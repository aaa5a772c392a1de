-- Grain: one row a quarter of an hour that differs from its minutes; no row means that every one is right.
-- Input: MARKET.BARS_15M and MARKET.BARS_1M with :from_time <= WINDOW_START < :to_time, UTC; windows that lie wholly
--        within count.
-- Output: both figures of the stream, which it computes on different ways.
-- Source: sums, highest, lowest and counts of a window are those of its parts (streaming/records.py, Bar). A minute
--         whose trades are all flagged carries prices in, so only windows without flagged trades are compared in prices.

WITH minutes AS (
  SELECT
    EXCHANGE,
    PAIR,
    TIME_SLICE(WINDOW_START, 900, 'SECOND') AS WINDOW_START,
    SUM(VOLUME) AS VOLUME,
    SUM(TRADE_COUNT) AS TRADE_COUNT,
    MAX(CASE WHEN TRADE_COUNT > 0 THEN HIGH END) AS HIGH,
    MIN(CASE WHEN TRADE_COUNT > 0 THEN LOW END) AS LOW
  FROM MARKET.BARS_1M
  WHERE WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
    AND WINDOW_START < CAST(:to_time AS TIMESTAMP_NTZ(6))
  GROUP BY EXCHANGE, PAIR, TIME_SLICE(WINDOW_START, 900, 'SECOND')
)
SELECT
  b.EXCHANGE,
  b.PAIR,
  b.WINDOW_START,
  b.TRADE_COUNT AS BAR_TRADE_COUNT,
  m.TRADE_COUNT AS MINUTES_TRADE_COUNT,
  b.VOLUME AS BAR_VOLUME,
  m.VOLUME AS MINUTES_VOLUME,
  b.HIGH AS BAR_HIGH,
  m.HIGH AS MINUTES_HIGH,
  b.LOW AS BAR_LOW,
  m.LOW AS MINUTES_LOW
FROM MARKET.BARS_15M b
LEFT JOIN minutes m ON m.EXCHANGE = b.EXCHANGE AND m.PAIR = b.PAIR AND m.WINDOW_START = b.WINDOW_START
WHERE b.WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND b.WINDOW_END <= CAST(:to_time AS TIMESTAMP_NTZ(6))
  AND b.TRADE_COUNT > 0
  AND (
    m.TRADE_COUNT IS DISTINCT FROM b.TRADE_COUNT OR m.VOLUME IS DISTINCT FROM b.VOLUME
    OR m.HIGH IS DISTINCT FROM b.HIGH OR m.LOW IS DISTINCT FROM b.LOW
  )
ORDER BY b.EXCHANGE, b.PAIR, b.WINDOW_START;
