-- Grain:  one clean trade or quote that came live.
-- Input:  priced_trades, quotes.
-- Output: view ticks: what 27_activity.sql counts and samples. `trade_us` is NULL for a quote; `spread_bp`, the spread
--         in basis points of the middle, is NULL for a trade and for a quote that is not in force.
CREATE TEMPORARY VIEW ticks AS
SELECT
  `exchange`, `pair`, `simulated`, `kafka_partition`, `exchange_time_us`, `receive_time_ns`, `seen`,
  `exchange_time_us` AS `trade_us`,
  CAST(`size` AS DOUBLE) AS `traded`,
  `live_price`,
  `return_1`,
  CAST(NULL AS DOUBLE) AS `spread_bp`
FROM priced_trades
WHERE `live_price` IS NOT NULL
UNION ALL
SELECT
  `exchange`, `pair`, `simulated`, `kafka_partition`, `exchange_time_us`, `receive_time_ns`, PROCTIME(),
  CAST(NULL AS BIGINT),
  CAST(NULL AS DOUBLE),
  CAST(NULL AS DOUBLE),
  CAST(NULL AS DOUBLE),
  CASE WHEN `in_force` THEN 20000 * (`ask` - `bid`) / (`ask` + `bid`) END
FROM quotes
