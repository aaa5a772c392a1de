-- Grain:  one clean trade.
-- Input:  trades_once.
-- Output: view priced_trades: the trade with typed fields; `live_price`, its price as a number if it came live
--         (`source` ws), else NULL, because a trade filled in later by REST would be compared with a market it never
--         saw; the sizes of its log returns in basis points from the live trade before it (`return_1`) and from the
--         one before that (`return_2`); and the time of the live trade before it (`before_us`).
--
-- The alert path goes by arrival (proctime): rules must speak within 500 ms and cannot wait for a watermark.
-- After a failure rows may be judged again beside other neighbours; a finding's identity does not depend on that.
CREATE TEMPORARY VIEW priced_trades AS
SELECT
  *,
  10000 * ABS(LN(`live_price` / `price_before`)) AS `return_1`,
  10000 * ABS(LN(`live_price` / `price_before_that`)) AS `return_2`,
  PROCTIME() AS `seen`
FROM (
  SELECT
    *,
    LAG(`live_price`, 1) OVER `by_arrival` AS `price_before`,
    LAG(`live_price`, 2) OVER `by_arrival` AS `price_before_that`,
    LAG(`live_us`, 1) OVER `by_arrival` AS `before_us`
  FROM (
    SELECT
      `exchange`,
      `pair`,
      CAST(`first_id` AS BIGINT) AS `first_id`,
      CAST(`trade_id` AS BIGINT) AS `trade_id`,
      CAST(`count` AS BIGINT) AS `count`,
      `price`,
      `size`,
      `side`,
      CAST(`exchange_time_us` AS BIGINT) AS `exchange_time_us`,
      CAST(`receive_time_ns` AS BIGINT) AS `receive_time_ns`,
      `producer_id`,
      CAST(`producer_epoch` AS BIGINT) AS `producer_epoch`,
      CAST(`seq` AS BIGINT) AS `seq`,
      `source`,
      CAST(`simulated` AS BOOLEAN) AS `simulated`,
      `kafka_partition`,
      CASE WHEN `source` = 'ws' THEN CAST(`price` AS DOUBLE) END AS `live_price`,
      CASE WHEN `source` = 'ws' THEN CAST(`exchange_time_us` AS BIGINT) END AS `live_us`,
      PROCTIME() AS `came`
    FROM trades_once
  )
  WINDOW `by_arrival` AS (PARTITION BY `exchange`, `pair` ORDER BY `came`)
)
