-- Grain:  one window of ${interval} of one pair on one exchange that had a trade or a quote.
-- Input:  ${shorter}.
-- Output: view ${longer}: the sums and extremes of the window, from those of the shorter windows in it. The file
--         runs once for each length but the first (streaming/flink/jobs.py).
CREATE TEMPORARY VIEW ${longer} AS
SELECT
  `window_time` AS `row_time`,
  MIN(`start_ms`) - MOD(MIN(`start_ms`), ${length_ms}) AS `start_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  MIN(`first_trade`) AS `first_trade`,
  MAX(`last_trade`) AS `last_trade`,
  MAX(`latest_trade`) AS `latest_trade`,
  MAX(`high`) AS `high`,
  MIN(`low`) AS `low`,
  SUM(`volume`) AS `volume`,
  SUM(`quote_volume`) AS `quote_volume`,
  SUM(`buy_volume`) AS `buy_volume`,
  SUM(`sell_volume`) AS `sell_volume`,
  SUM(`trade_count`) AS `trade_count`,
  SUM(`flagged_count`) AS `flagged_count`,
  MIN(`first_trade_id`) AS `first_trade_id`,
  MAX(`last_trade_id`) AS `last_trade_id`,
  SUM(CAST(
    CAST(`spread_moment` AS DECIMAL(28, 10))
      + CAST(`spread_step` AS DECIMAL(20, 10)) * CAST(MOD(`start_ms`, ${length_ms}) AS DECIMAL(8, 0)) AS DECIMAL(28, 10)
  )) AS `spread_moment`,
  SUM(`spread_step`) AS `spread_step`,
  SUM(CAST(
    CAST(`spread_bp_moment` AS DECIMAL(28, 10))
      + CAST(`spread_bp_step` AS DECIMAL(20, 10)) * CAST(MOD(`start_ms`, ${length_ms}) AS DECIMAL(8, 0)) AS DECIMAL(28, 10)
  )) AS `spread_bp_moment`,
  SUM(`spread_bp_step`) AS `spread_bp_step`,
  SUM(`valid_moment` + `valid_step` * MOD(`start_ms`, ${length_ms})) AS `valid_moment`,
  SUM(`valid_step`) AS `valid_step`,
  MAX(`last_state`) AS `last_state`,
  SUM(`variance_1m`) AS `variance_1m`,
  SUM(`variance_5m`) AS `variance_5m`,
  SUM(`variance_15m`) AS `variance_15m`,
  SUM(`variance_1h`) AS `variance_1h`
FROM TABLE(TUMBLE(TABLE ${shorter}, DESCRIPTOR(`row_time`), INTERVAL ${interval}))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
