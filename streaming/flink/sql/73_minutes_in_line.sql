-- Grain:  one minute of one pair on one exchange that had a trade or a quote.
-- Input:  minutes.
-- Output: view minutes_in_line: `latest_trade`, the last trade up to the end of the minute: that of the minute itself,
--         or the one carried into a minute without trades.
CREATE TEMPORARY VIEW minutes_in_line AS
SELECT
  *,
  MAX(`last_trade`) OVER (
    PARTITION BY `exchange`, `pair` ORDER BY `row_time` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS `latest_trade`
FROM minutes
