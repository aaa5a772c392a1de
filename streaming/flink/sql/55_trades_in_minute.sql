-- Grain:  one trade of one minute in exchange time, its first copy: (window, exchange, pair, trade_id).
-- Input:  trades_on_time.
-- Output: view trades_in_minute.
--
-- Copies are removed per minute rather than for a time to live: the state ends with the minute, and a copy that
-- arrives however late, while its minute is open, still counts once.
CREATE TEMPORARY VIEW trades_in_minute AS
SELECT *
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY `window_start`, `window_end`, `exchange`, `pair`, `trade_id` ORDER BY `event_time` ASC
    ) AS `copy`
  FROM TABLE(TUMBLE(TABLE trades_on_time, DESCRIPTOR(`event_time`), INTERVAL '1' MINUTE))
)
WHERE `copy` = 1
