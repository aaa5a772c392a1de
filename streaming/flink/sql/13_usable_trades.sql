-- Grain:  one readable, valid message of the raw trade topic; copies are still there.
-- Input:  trades_checked.
-- Output: view usable_trades, typed; used by the bars job. Price and size are exact: their product fits
--         DECIMAL(37, 18), so that sums of it never round.
CREATE TEMPORARY VIEW usable_trades AS
SELECT
  `exchange`,
  `pair`,
  CAST(`first_id` AS BIGINT) AS `first_id`,
  CAST(`trade_id` AS BIGINT) AS `trade_id`,
  CAST(`count` AS BIGINT) AS `count`,
  CAST(`price` AS DECIMAL(18, 10)) AS `price`,
  CAST(`size` AS DECIMAL(19, 8)) AS `size`,
  CAST(`exchange_time_us` AS BIGINT) AS `exchange_time_us`,
  CAST(`simulated` AS BOOLEAN) AS `simulated`,
  `kafka_partition`,
  `event_time`
FROM trades_checked
WHERE `problem` IS NULL
