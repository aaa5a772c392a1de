-- Grain:  one pair on one exchange in one quarter of a second by arrival in which it ticked live.
-- Input:  market.
-- Output: view activity: ticks, volume and times, for the rules about more than one tick. `seen` is the end of
--         the quarter second.
CREATE TEMPORARY VIEW activity AS
SELECT
  `exchange`,
  `pair`,
  `simulated`,
  `window_time` AS `seen`,
  COUNT(*) AS `ticks`,
  COUNT(`trade_id`) AS `trades`,
  SUM(CAST(`size` AS DOUBLE)) AS `traded`,
  MIN(CASE WHEN `trade_id` IS NOT NULL THEN `exchange_time_us` END) AS `first_trade_us`,
  MAX(CASE WHEN `trade_id` IS NOT NULL THEN `exchange_time_us` END) AS `last_trade_us`,
  MAX(`exchange_time_us`) AS `exchange_time_us`,
  MIN(`receive_time_ns`) AS `first_ns`,
  MAX(`receive_time_ns`) AS `last_ns`,
  MAX(`kafka_partition`) AS `kafka_partition`
FROM TABLE(TUMBLE(TABLE market, DESCRIPTOR(`seen`), INTERVAL '0.250' SECOND))
WHERE `source` = 'ws'
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
