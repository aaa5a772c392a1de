-- Grain:  one millisecond of one pair on one exchange that had a quote.
-- Input:  bar_quotes.
-- Output: view quotes_by_ms: the last quote of the millisecond by (exchange time, producer epoch, sequence), as text
--         that begins with these three, so that neither arrival order nor copies matter. Quotes that come more
--         than a second behind the others are dropped and counted in numLateRecordsDropped: unlike trades, quotes
--         are a sample of a state, and the producer itself may leave out all but the latest.
CREATE TEMPORARY VIEW quotes_by_ms AS
SELECT
  `window_time` AS `row_time`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  MAX(CONCAT(
    LPAD(CAST(`exchange_time_us` AS STRING), 19, '0'),
    LPAD(CAST(`producer_epoch` AS STRING), 19, '0'),
    LPAD(CAST(`seq` AS STRING), 19, '0'),
    '|', COALESCE(CAST(`bid_price` AS STRING), '0'), '|', COALESCE(CAST(`ask_price` AS STRING), '0')
  )) AS `quote`
FROM TABLE(TUMBLE(TABLE bar_quotes, DESCRIPTOR(`event_time`), INTERVAL '0.001' SECOND(1, 3)))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
