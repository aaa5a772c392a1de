-- Grain:  one clean trade.
-- Input:  quoted_trades.
-- Output: view trailing_trades: what 43_price_spike.sql and 44_trade_outlier.sql compare a trade with, from the
--         pair's last 50 trades by arrival. `return_1` and `return_2` are the sizes of the log returns in basis
--         points from the last trade and from the one before it.
--
-- One window with every statistic, because each OVER with a window of its own moves every trade through the
-- network once more. OVER windows end at the current row, so the judged trade is among the 50: it moves a median
-- by one rank at most, and the trimmed mean leaves it out when it is extreme.
CREATE TEMPORARY VIEW trailing_trades AS
SELECT
  *,
  COUNT(`return_1`) OVER `trailing` AS `returns`,
  PERCENTILE(`return_1`, 0.5) OVER `trailing` AS `median_return`,
  COUNT(`live_price`) OVER `trailing` AS `prices`,
  SUM(`live_price`) OVER `trailing` AS `price_sum`,
  SUM(`live_price` * `live_price`) OVER `trailing` AS `square_sum`,
  MIN(`live_price`) OVER `trailing` AS `lowest`,
  MAX(`live_price`) OVER `trailing` AS `highest`
FROM (
  SELECT
    *,
    10000 * ABS(LN(`live_price` / LAG(`live_price`, 1) OVER `by_arrival`)) AS `return_1`,
    10000 * ABS(LN(`live_price` / LAG(`live_price`, 2) OVER `by_arrival`)) AS `return_2`
  FROM quoted_trades
  WINDOW `by_arrival` AS (PARTITION BY `exchange`, `pair` ORDER BY `seen`)
)
WINDOW `trailing` AS (
  PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN 49 PRECEDING AND CURRENT ROW
)
