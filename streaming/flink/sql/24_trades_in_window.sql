-- Grain:  one trade of one minute in exchange time, its first copy: (window, exchange, pair, trade_id).
-- Input:  trades_checked.
-- Output: view trades_in_window; used by the bars job.
--
-- Copies are removed per window rather than for a time to live: the state ends with the window, and a copy
-- that arrives however late, while its window is open, still counts once. A row behind the watermark is
-- dropped here and counted in the operators' metric numLateRecordsDropped; the raw topic keeps it, and the
-- minute it belongs to is recomputed from the warehouse.
CREATE TEMPORARY VIEW trades_in_window AS
SELECT
  `window_start`,
  `window_end`,
  `exchange`,
  `pair`,
  `first_id`,
  `trade_id`,
  `count`,
  `price`,
  `size`,
  `exchange_time_us`,
  `simulated`,
  `kafka_partition`
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY `window_start`, `window_end`, `exchange`, `pair`, `trade_id` ORDER BY `event_time` ASC
    ) AS `copy`
  FROM TABLE(TUMBLE(TABLE usable_trades, DESCRIPTOR(`event_time`), INTERVAL '1' MINUTE))
)
WHERE `copy` = 1
