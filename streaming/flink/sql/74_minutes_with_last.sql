-- Grain:  one minute of one pair on one exchange that had a trade or a quote.
-- Input:  minutes_in_line.
-- Output: view minutes_with_last: `trade_before`, the last trade before the minute.
CREATE TEMPORARY VIEW minutes_with_last AS
SELECT
  *,
  LAG(`latest_trade`) OVER (PARTITION BY `exchange`, `pair` ORDER BY `row_time`) AS `trade_before`
FROM minutes_in_line
