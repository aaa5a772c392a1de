-- Grain:  one minute of one pair on one exchange, once for its trades and once for its quotes.
-- Input:  trade_minutes, quote_minutes.
-- Output: view minute_parts: both with the columns of both; 72_minutes.sql puts the two rows together.
CREATE TEMPORARY VIEW minute_parts AS
SELECT
  `row_time`, `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`,
  `first_trade`, `last_trade`, `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`,
  `flagged_count`, `first_trade_id`, `last_trade_id`, `slot_0`, `slot_1`, `slot_2`, `slot_3`, `slot_4`, `slot_5`,
  `slot_6`, `slot_7`, `slot_8`, `slot_9`, `slot_10`, `slot_11`,
  CAST(NULL AS DECIMAL(38, 10)) AS `spread_moment`, CAST(NULL AS DECIMAL(38, 10)) AS `spread_step`,
  CAST(NULL AS DECIMAL(38, 10)) AS `spread_bp_moment`, CAST(NULL AS DECIMAL(38, 10)) AS `spread_bp_step`,
  CAST(NULL AS BIGINT) AS `valid_moment`, CAST(NULL AS INT) AS `valid_step`, CAST(NULL AS STRING) AS `last_state`
FROM trade_minutes
UNION ALL
SELECT
  `row_time`, `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`,
  CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS DECIMAL(18, 10)), CAST(NULL AS DECIMAL(18, 10)),
  CAST(NULL AS DECIMAL(38, 8)), CAST(NULL AS DECIMAL(38, 18)), CAST(NULL AS DECIMAL(38, 8)),
  CAST(NULL AS DECIMAL(38, 8)), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
  CAST(NULL AS BIGINT), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
  CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
  CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
  `spread_moment`, `spread_step`, `spread_bp_moment`, `spread_bp_step`, `valid_moment`, `valid_step`, `last_state`
FROM quote_minutes
