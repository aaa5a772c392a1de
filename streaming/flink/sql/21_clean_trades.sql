-- Grain:  one trade, its first copy to arrive: (exchange, pair, trade_id).
-- Input:  trades_checked.
-- Output: view trades_once. A copy that comes more than the state's time to live (jobs.py) after the last trade of
--         its block passes again; consumers take a trade's identity, not its position, as the truth.
--
-- What has been seen is kept for blocks of ${block_size} successive ids: a counter for each place of a block, and a
-- trade passes whose place is counted for the first time. An entry of its own for each id would cost ten times the
-- memory, and each checkpoint and each garbage collection goes through all of it.
CREATE TEMPORARY VIEW trades_once AS
SELECT
  `exchange`, `pair`, `first_id`, `trade_id`, `count`, `price`, `size`, `side`, `exchange_time_us`, `receive_time_ns`,
  `producer_id`, `producer_epoch`, `seq`, `source`, `simulated`, `kafka_partition`
FROM (
  SELECT
    *,
    ${copies_at_places}
  FROM (
    SELECT
      *,
      CAST(`trade_id` AS BIGINT) / ${block_size} AS `trade_block`,
      MOD(CAST(`trade_id` AS BIGINT), ${block_size}) AS `place`
    FROM trades_checked
    WHERE `problem` IS NULL
  )
  WINDOW `block` AS (PARTITION BY `exchange`, `pair`, `trade_block` ORDER BY `arrival`)
)
WHERE ${copies_at_own_place} = 1
