-- Grain:  one block of ${block_size} successive trade ids in one minute of exchange time: (window, exchange, pair, block).
-- Input:  trades_on_time.
-- Output: view trade_blocks: `text_0` and so on are the trades at the places of the block, NULL where there was none.
--
-- The least text at a place is the copy that came first. Copies are removed per minute rather than for a time to live:
-- the state ends with the minute, and a copy that arrives however late, while its minute is open, still counts once. A
-- row of its own for each trade would be three times the state, and each checkpoint writes all of it.
CREATE TEMPORARY VIEW trade_blocks AS
SELECT
  `window_time` AS `row_time`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  ${first_copies}
FROM TABLE(TUMBLE(TABLE trades_on_time, DESCRIPTOR(`event_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`, `trade_block`
