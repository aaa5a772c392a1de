-- Grain:  one minute of one pair on one exchange that had a trade or a quote.
-- Input:  minute_parts.
-- Output: view minutes: trades and quotes of the minute side by side; of each column one row has the value.
CREATE TEMPORARY VIEW minutes AS
SELECT
  `window_time` AS `row_time`,
  MAX(`start_ms`) AS `start_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  MAX(`kafka_partition`) AS `kafka_partition`,
  MAX(`first_trade`) AS `first_trade`, MAX(`last_trade`) AS `last_trade`, MAX(`high`) AS `high`, MAX(`low`) AS `low`,
  MAX(`volume`) AS `volume`, MAX(`quote_volume`) AS `quote_volume`, MAX(`buy_volume`) AS `buy_volume`,
  MAX(`sell_volume`) AS `sell_volume`, MAX(`trade_count`) AS `trade_count`, MAX(`flagged_count`) AS `flagged_count`,
  MAX(`first_trade_id`) AS `first_trade_id`, MAX(`last_trade_id`) AS `last_trade_id`, MAX(`slot_0`) AS `slot_0`,
  MAX(`slot_1`) AS `slot_1`, MAX(`slot_2`) AS `slot_2`, MAX(`slot_3`) AS `slot_3`, MAX(`slot_4`) AS `slot_4`,
  MAX(`slot_5`) AS `slot_5`, MAX(`slot_6`) AS `slot_6`, MAX(`slot_7`) AS `slot_7`, MAX(`slot_8`) AS `slot_8`,
  MAX(`slot_9`) AS `slot_9`, MAX(`slot_10`) AS `slot_10`, MAX(`slot_11`) AS `slot_11`,
  MAX(`spread_moment`) AS `spread_moment`, MAX(`spread_step`) AS `spread_step`,
  MAX(`spread_bp_moment`) AS `spread_bp_moment`, MAX(`spread_bp_step`) AS `spread_bp_step`,
  MAX(`valid_moment`) AS `valid_moment`, MAX(`valid_step`) AS `valid_step`, MAX(`last_state`) AS `last_state`
FROM TABLE(TUMBLE(TABLE minute_parts, DESCRIPTOR(`row_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
