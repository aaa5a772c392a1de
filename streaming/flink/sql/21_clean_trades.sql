-- Grain:  one trade, its first copy to arrive: (exchange, pair, trade_id).
-- Input:  trades_checked.
-- Output: view trades_once. A copy that comes more than the state's time to live (jobs.py) after the first
--         passes again; consumers take a trade's identity, not its position, as the truth.
CREATE TEMPORARY VIEW trades_once AS
SELECT *
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY `exchange`, `pair`, `trade_id` ORDER BY `arrival` ASC) AS `copy`
  FROM trades_checked
  WHERE `problem` IS NULL
)
WHERE `copy` = 1
