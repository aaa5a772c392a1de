-- Grain:  one job, four outputs: bars of four lengths, bars that form, quote bars, late trades.
-- Input:  bars, trades_on_time, quote_seconds, trades_marked.
-- Output: bars_sink, forming_bars_sink, quote_bars_sink, late_trades_sink. Source of the formulas:
--         streaming.records. Sums are exact; each quotient is a DECIMAL(38, 10) rounded half up once.
--         With O, H, L, C the four prices of a bar:
--         Garman-Klass variance = ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2 (Garman and Klass 1980, Journal of Business
--         53, 67-78, the practical estimator of their section on jointly efficient estimators, without overnight gap);
--         Rogers-Satchell variance = ln(H/O) ln(H/C) + ln(L/O) ln(L/C) (Rogers and Satchell 1991, Annals of Applied
--         Probability 1, 504-512), which a drift of the price does not bias.
--
-- A forming bar is made of trades as they come: after a failure of the tick job one may count twice in it until the
-- minute closes. The closed bar counts each once.
EXECUTE STATEMENT SET BEGIN
INSERT INTO bars_sink
SELECT
  ${placement_key},
  `topic`,
  ${schema_version},
  `exchange`,
  `pair`,
  `start_ms`,
  `end_ms`,
  `open`,
  `high`,
  `low`,
  `close`,
  CAST(`volume` AS STRING),
  CAST(`quote_volume` AS STRING),
  CAST(`quote_volume` / NULLIF(`volume`, CAST(0 AS DECIMAL(38, 8))) AS STRING),
  `trade_count`,
  `first_trade_id`,
  `last_trade_id`,
  CAST(`buy_volume` AS STRING),
  CAST(`sell_volume` AS STRING),
  CAST(CAST(`spread_integral` AS DECIMAL(38, 10)) / CAST(NULLIF(`quoted_ms`, 0) AS DECIMAL(38, 0)) AS STRING),
  CAST(CAST(`spread_bp_integral` AS DECIMAL(38, 10)) / CAST(NULLIF(`quoted_ms`, 0) AS DECIMAL(38, 0)) AS STRING),
  COALESCE(`quoted_ms`, 0),
  `realized_variance`,
  POWER(LN(`h` / `l`), 2) / 2 - (2 * LN(2) - 1) * POWER(LN(`c` / `o`), 2),
  LN(`h` / `o`) * LN(`h` / `c`) + LN(`l` / `o`) * LN(`l` / `c`),
  `flagged_count`,
  `simulated`
FROM (
  SELECT
    *,
    CAST(`open` AS DOUBLE) AS `o`,
    CAST(`high` AS DOUBLE) AS `h`,
    CAST(`low` AS DOUBLE) AS `l`,
    CAST(`close` AS DOUBLE) AS `c`
  FROM bars
);
INSERT INTO forming_bars_sink
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  `start_ms`,
  `start_ms` + 60000,
  CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', `window_end`) AS BIGINT) * 1000,
  SUBSTRING(`first_trade`, 39),
  CAST(`high` AS STRING),
  CAST(`low` AS STRING),
  SUBSTRING(`last_trade`, 39),
  CAST(`volume` AS STRING),
  CAST(`quote_volume` AS STRING),
  CAST(`quote_volume` / `volume` AS STRING),
  `trade_count`,
  CAST(COALESCE(`buy_volume`, CAST(0 AS DECIMAL(38, 8))) AS STRING),
  CAST(COALESCE(`sell_volume`, CAST(0 AS DECIMAL(38, 8))) AS STRING),
  COALESCE(`flagged_count`, 0),
  `simulated`
FROM (
  SELECT
    `window_end`,
    `exchange`,
    `pair`,
    `simulated`,
    MAX(`kafka_partition`) AS `kafka_partition`,
    MIN(`exchange_time_us`) / 60000000 * 60000 AS `start_ms`,
    MIN(`ordered_price`) AS `first_trade`,
    MAX(`ordered_price`) AS `last_trade`,
    MAX(`price`) AS `high`,
    MIN(`price`) AS `low`,
    SUM(`size`) AS `volume`,
    SUM(`price` * `size`) AS `quote_volume`,
    SUM(`size`) FILTER (WHERE `side` = 'buy') AS `buy_volume`,
    SUM(`size`) FILTER (WHERE `side` = 'sell') AS `sell_volume`,
    SUM(`count`) FILTER (WHERE `usable`) AS `trade_count`,
    SUM(`count`) FILTER (WHERE NOT `usable`) AS `flagged_count`
  FROM TABLE(
    CUMULATE(TABLE trades_on_time, DESCRIPTOR(`event_time`), INTERVAL '1' SECOND, INTERVAL '1' MINUTE)
  )
  GROUP BY `window_start`, `window_end`, `exchange`, `pair`, `simulated`
)
WHERE `first_trade` IS NOT NULL;
INSERT INTO quote_bars_sink
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  `start_ms`,
  `start_ms` + 1000,
  SUBSTRING(`first_bid`, 17),
  CAST(`high_bid` AS STRING),
  CAST(`low_bid` AS STRING),
  SUBSTRING(`last_bid`, 17),
  SUBSTRING(`first_ask`, 17),
  CAST(`high_ask` AS STRING),
  CAST(`low_ask` AS STRING),
  SUBSTRING(`last_ask`, 17),
  CAST(CAST(`spread_integral` AS DECIMAL(38, 10)) / CAST(NULLIF(`quoted_ms`, 0) AS DECIMAL(38, 0)) AS STRING),
  CAST(CAST(`spread_bp_integral` AS DECIMAL(38, 10)) / CAST(NULLIF(`quoted_ms`, 0) AS DECIMAL(38, 0)) AS STRING),
  `quoted_ms`,
  `quote_count`,
  `simulated`
FROM (
  SELECT
    *,
    CAST(`spread_moment` AS DECIMAL(28, 10))
      + CAST(SPLIT_INDEX(`last_state`, '|', 1) AS DECIMAL(18, 10)) * 1000 AS `spread_integral`,
    CAST(`spread_bp_moment` AS DECIMAL(28, 10))
      + CAST(SPLIT_INDEX(`last_state`, '|', 2) AS DECIMAL(18, 10)) * 1000 AS `spread_bp_integral`,
    `valid_moment` + CAST(SPLIT_INDEX(`last_state`, '|', 3) AS BIGINT) * 1000 AS `quoted_ms`
  FROM quote_seconds
);
INSERT INTO late_trades_sink
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  `first_id`,
  `trade_id`,
  `exchange_time_us`,
  `receive_time_ns`,
  `source`,
  `simulated`
FROM trades_marked
WHERE `is_late`;
END
