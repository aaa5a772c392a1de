-- Grain:  one second of one pair on one exchange that had a quote.
-- Input:  quote_steps.
-- Output: view quote_seconds: first, highest, lowest and last of each side's prices that were there, the sums of
--         63_quote_steps.sql (T as `…_moment` in price milliseconds, D as `…_step`), and `last_state`, the last
--         quote as text: time, spread, basis points, validity. Wherever moments are added up they are cast to
--         DECIMAL(28, 10) first: a sum of wider decimals would lose its last digit.
CREATE TEMPORARY VIEW quote_seconds AS
SELECT
  `window_time` AS `row_time`,
  MIN(`t_ms`) - MOD(MIN(`t_ms`), 1000) AS `start_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  COUNT(*) AS `quote_count`,
  MIN(CASE WHEN `bid` IS NOT NULL THEN CONCAT(LPAD(CAST(`t_ms` AS STRING), 16, '0'), CAST(`bid` AS STRING)) END)
    AS `first_bid`,
  MAX(`bid`) AS `high_bid`,
  MIN(`bid`) AS `low_bid`,
  MAX(CASE WHEN `bid` IS NOT NULL THEN CONCAT(LPAD(CAST(`t_ms` AS STRING), 16, '0'), CAST(`bid` AS STRING)) END)
    AS `last_bid`,
  MIN(CASE WHEN `ask` IS NOT NULL THEN CONCAT(LPAD(CAST(`t_ms` AS STRING), 16, '0'), CAST(`ask` AS STRING)) END)
    AS `first_ask`,
  MAX(`ask`) AS `high_ask`,
  MIN(`ask`) AS `low_ask`,
  MAX(CASE WHEN `ask` IS NOT NULL THEN CONCAT(LPAD(CAST(`t_ms` AS STRING), 16, '0'), CAST(`ask` AS STRING)) END)
    AS `last_ask`,
  SUM(CAST(`spread_step` * CAST(MOD(`t_ms`, 1000) AS DECIMAL(4, 0)) AS DECIMAL(28, 10))) AS `spread_moment`,
  SUM(`spread_step`) AS `spread_step`,
  SUM(CAST(`spread_bp_step` * CAST(MOD(`t_ms`, 1000) AS DECIMAL(4, 0)) AS DECIMAL(28, 10))) AS `spread_bp_moment`,
  SUM(`spread_bp_step`) AS `spread_bp_step`,
  SUM(`valid_step` * MOD(`t_ms`, 1000)) AS `valid_moment`,
  SUM(`valid_step`) AS `valid_step`,
  MAX(CONCAT(
    LPAD(CAST(`t_ms` AS STRING), 16, '0'), '|', CAST(`spread` AS STRING), '|', CAST(`spread_bp` AS STRING), '|',
    CAST(`valid` AS STRING)
  )) AS `last_state`
FROM TABLE(TUMBLE(TABLE quote_steps, DESCRIPTOR(`row_time`), INTERVAL '1' SECOND))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
