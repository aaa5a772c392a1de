-- Grain:  one minute of one pair on one exchange that had a quote.
-- Input:  quote_seconds.
-- Output: view quote_minutes: the sums of 63_quote_steps.sql for the minute, from those of its seconds.
CREATE TEMPORARY VIEW quote_minutes AS
SELECT
  `window_time` AS `row_time`,
  MIN(`start_ms`) - MOD(MIN(`start_ms`), 60000) AS `start_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  SUM(CAST(
    CAST(`spread_moment` AS DECIMAL(28, 10))
      + CAST(`spread_step` AS DECIMAL(20, 10)) * CAST(MOD(`start_ms`, 60000) AS DECIMAL(8, 0)) AS DECIMAL(28, 10)
  )) AS `spread_moment`,
  SUM(`spread_step`) AS `spread_step`,
  SUM(CAST(
    CAST(`spread_bp_moment` AS DECIMAL(28, 10))
      + CAST(`spread_bp_step` AS DECIMAL(20, 10)) * CAST(MOD(`start_ms`, 60000) AS DECIMAL(8, 0)) AS DECIMAL(28, 10)
  )) AS `spread_bp_moment`,
  SUM(`spread_bp_step`) AS `spread_bp_step`,
  SUM(`valid_moment` + `valid_step` * MOD(`start_ms`, 60000)) AS `valid_moment`,
  SUM(`valid_step`) AS `valid_step`,
  MAX(`last_state`) AS `last_state`
FROM TABLE(TUMBLE(TABLE quote_seconds, DESCRIPTOR(`row_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
