-- Grain:  one minute of one pair on one exchange that had a trade, flagged or not.
-- Input:  trades_in_minute.
-- Output: view trade_minutes: sums and extremes of the minute. Sums of size (19 digits) and of price times size
--         (37 digits) are exact in DECIMAL(38). `slot_0` to `slot_11` are the last trades of the twelve
--         five-second slots, NULL for a slot without one; 75_bars_1m.sql says what they are for.
CREATE TEMPORARY VIEW trade_minutes AS
SELECT
  `window_time` AS `row_time`,
  MIN(`exchange_time_us`) / 60000000 * 60000 AS `start_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  MIN(`ordered_price`) AS `first_trade`,
  MAX(`ordered_price`) AS `last_trade`,
  MAX(`price`) AS `high`,
  MIN(`price`) AS `low`,
  SUM(`size`) AS `volume`,
  SUM(`price` * `size`) AS `quote_volume`,
  SUM(`size`) FILTER (WHERE `side` = 'buy') AS `buy_volume`,
  SUM(`size`) FILTER (WHERE `side` = 'sell') AS `sell_volume`,
  SUM(`count`) FILTER (WHERE `usable`) AS `trade_count`,
  SUM(`count`) FILTER (WHERE NOT `usable`) AS `flagged_count`,
  MIN(`first_id`) AS `first_trade_id`,
  MAX(`trade_id`) AS `last_trade_id`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 0) AS `slot_0`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 1) AS `slot_1`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 2) AS `slot_2`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 3) AS `slot_3`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 4) AS `slot_4`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 5) AS `slot_5`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 6) AS `slot_6`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 7) AS `slot_7`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 8) AS `slot_8`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 9) AS `slot_9`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 10) AS `slot_10`,
  MAX(`ordered_price`) FILTER (WHERE `slot` = 11) AS `slot_11`
FROM TABLE(TUMBLE(TABLE trades_in_minute, DESCRIPTOR(`row_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
