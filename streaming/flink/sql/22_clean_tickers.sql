-- Grain:  one ticker, its first copy to arrive: (exchange, pair, producer_id, producer_epoch, seq).
-- Input:  tickers_checked.
-- Output: view tickers_once, with the same time to live as trades_once.
CREATE TEMPORARY VIEW tickers_once AS
SELECT *
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY `exchange`, `pair`, `producer_id`, `producer_epoch`, `seq` ORDER BY `arrival` ASC
    ) AS `copy`
  FROM tickers_checked
  WHERE `problem` IS NULL
)
WHERE `copy` = 1
