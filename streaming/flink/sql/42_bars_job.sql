-- Grain:  one closed minute of one pair on one exchange.
-- Input:  trades_in_window.
-- Output: bars_1m. Source of the formulas: streaming.records.Bar. Open and close are the prices of the first
--         and last trade by (exchange time, trade id), taken as the least and greatest text of time, id and
--         price, each with its width fixed, so that arrival order has no say. Sums are exact; the quotient
--         of DECIMAL(38, 18) and DECIMAL(38, 8) is a DECIMAL(38, 10) rounded half up.
EXECUTE STATEMENT SET BEGIN
INSERT INTO bars_1m
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  CAST(TIMESTAMPDIFF(MINUTE, TIMESTAMP '1970-01-01 00:00:00', `window_start`) AS BIGINT) * 60000,
  CAST(TIMESTAMPDIFF(MINUTE, TIMESTAMP '1970-01-01 00:00:00', `window_end`) AS BIGINT) * 60000,
  SUBSTRING(`first_trade`, 39),
  CAST(`high` AS STRING),
  CAST(`low` AS STRING),
  SUBSTRING(`last_trade`, 39),
  CAST(`volume` AS STRING),
  CAST(`quote_volume` AS STRING),
  CAST(`quote_volume` / `volume` AS STRING),
  `trade_count`,
  `first_trade_id`,
  `last_trade_id`,
  `simulated`
FROM (
  SELECT
    `window_start`,
    `window_end`,
    `exchange`,
    `pair`,
    `simulated`,
    MAX(`kafka_partition`) AS `kafka_partition`,
    MIN(`ordered_price`) AS `first_trade`,
    MAX(`price`) AS `high`,
    MIN(`price`) AS `low`,
    MAX(`ordered_price`) AS `last_trade`,
    SUM(`size`) AS `volume`,
    SUM(`price` * `size`) AS `quote_volume`,
    SUM(`count`) AS `trade_count`,
    MIN(`first_id`) AS `first_trade_id`,
    MAX(`trade_id`) AS `last_trade_id`
  FROM (
    SELECT
      *,
      CONCAT(
        LPAD(CAST(`exchange_time_us` AS STRING), 19, '0'),
        LPAD(CAST(`trade_id` AS STRING), 19, '0'),
        CAST(`price` AS STRING)
      ) AS `ordered_price`
    FROM trades_in_window
  )
  GROUP BY `window_start`, `window_end`, `exchange`, `pair`, `simulated`
);
END
