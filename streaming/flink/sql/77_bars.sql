-- Grain:  one window of one pair on one exchange, of each length.
-- Input:  bars_1m, bars_5m, bars_15m, bars_1h.
-- Output: view bars: all of them with the topic they go to, the prices as text, and the time within the window in which
--         a valid quote held (`quoted_ms`) with the integrals of 63_quote_steps.sql over it. A window without an
--         unflagged trade has the price of the last one before it as all four prices, and is left out while there
--         has not been any.
CREATE TEMPORARY VIEW bars AS
SELECT
  `topic`,
  `start_ms`,
  `start_ms` + `length_ms` AS `end_ms`,
  `exchange`,
  `pair`,
  `simulated`,
  `kafka_partition`,
  COALESCE(SUBSTRING(`first_trade`, 39), SUBSTRING(`latest_trade`, 39)) AS `open`,
  COALESCE(CAST(`high` AS STRING), SUBSTRING(`latest_trade`, 39)) AS `high`,
  COALESCE(CAST(`low` AS STRING), SUBSTRING(`latest_trade`, 39)) AS `low`,
  SUBSTRING(`latest_trade`, 39) AS `close`,
  COALESCE(`volume`, CAST(0 AS DECIMAL(38, 8))) AS `volume`,
  COALESCE(`quote_volume`, CAST(0 AS DECIMAL(38, 18))) AS `quote_volume`,
  COALESCE(`buy_volume`, CAST(0 AS DECIMAL(38, 8))) AS `buy_volume`,
  COALESCE(`sell_volume`, CAST(0 AS DECIMAL(38, 8))) AS `sell_volume`,
  COALESCE(`trade_count`, 0) AS `trade_count`,
  COALESCE(`flagged_count`, 0) AS `flagged_count`,
  `first_trade_id`,
  `last_trade_id`,
  COALESCE(`realized_variance`, 0) AS `realized_variance`,
  CAST(`spread_moment` AS DECIMAL(28, 10))
    + CAST(SPLIT_INDEX(`last_state`, '|', 1) AS DECIMAL(18, 10)) * CAST(`length_ms` AS DECIMAL(8, 0))
    AS `spread_integral`,
  CAST(`spread_bp_moment` AS DECIMAL(28, 10))
    + CAST(SPLIT_INDEX(`last_state`, '|', 2) AS DECIMAL(18, 10)) * CAST(`length_ms` AS DECIMAL(8, 0))
    AS `spread_bp_integral`,
  `valid_moment` + CAST(SPLIT_INDEX(`last_state`, '|', 3) AS BIGINT) * `length_ms` AS `quoted_ms`
FROM (
SELECT
  '${bars_1m_topic}' AS `topic`, CAST(60000 AS BIGINT) AS `length_ms`,
  `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`, `first_trade`, `last_trade`, `latest_trade`,
  `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`, `flagged_count`,
  `first_trade_id`, `last_trade_id`, `spread_moment`, `spread_step`, `spread_bp_moment`, `spread_bp_step`,
  `valid_moment`, `valid_step`, `last_state`,
  `variance_1m` AS `realized_variance`
FROM bars_1m
UNION ALL
SELECT
  '${bars_5m_topic}' AS `topic`, CAST(300000 AS BIGINT) AS `length_ms`,
  `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`, `first_trade`, `last_trade`, `latest_trade`,
  `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`, `flagged_count`,
  `first_trade_id`, `last_trade_id`, `spread_moment`, `spread_step`, `spread_bp_moment`, `spread_bp_step`,
  `valid_moment`, `valid_step`, `last_state`,
  `variance_5m` AS `realized_variance`
FROM bars_5m
UNION ALL
SELECT
  '${bars_15m_topic}' AS `topic`, CAST(900000 AS BIGINT) AS `length_ms`,
  `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`, `first_trade`, `last_trade`, `latest_trade`,
  `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`, `flagged_count`,
  `first_trade_id`, `last_trade_id`, `spread_moment`, `spread_step`, `spread_bp_moment`, `spread_bp_step`,
  `valid_moment`, `valid_step`, `last_state`,
  `variance_15m` AS `realized_variance`
FROM bars_15m
UNION ALL
SELECT
  '${bars_1h_topic}' AS `topic`, CAST(3600000 AS BIGINT) AS `length_ms`,
  `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`, `first_trade`, `last_trade`, `latest_trade`,
  `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`, `flagged_count`,
  `first_trade_id`, `last_trade_id`, `spread_moment`, `spread_step`, `spread_bp_moment`, `spread_bp_step`,
  `valid_moment`, `valid_step`, `last_state`,
  `variance_1h` AS `realized_variance`
FROM bars_1h
)
WHERE `latest_trade` IS NOT NULL
